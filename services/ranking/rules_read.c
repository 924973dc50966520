/*
 * The rules of a placement: which items a rule is about, pins, boosts, caps. The match of boosts
 * and caps is their first member, so that one set of readers serves both.
 */
#include "services/common/base/event.h"
#include "services/ranking/placement_reading.h"

#include <math.h>

enum { PLACE_MAX = 200 };
#define FACTOR_MIN .01
#define FACTOR_MAX 100
#define N_FIELDS(fields_) (sizeof(fields_) / sizeof((fields_)[0]))

static void *take(const struct vt_yaml_reader *reader, size_t n, size_t size_bytes)
{
    return vt_arena_array(reader->arena, n + 1, size_bytes);
}

struct vt_err vt__reading_full(void)
{
    return VT_ERR(VT_EXHAUSTED, "the file of placements says too much: its memory is full");
}

/* ---- SKUs ---- */

struct vt_err vt__read_skus(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                            uint32_t max, struct vt_sku **ret_skus, uint32_t *ret_n)
{
    const struct vt_slice *ids = NULL;
    uint32_t n = 0;
    VT_TRY(vt_yaml_read_texts(reader, node, max, VT_ID_BYTES_MAX, &ids, &n));
    struct vt_sku *skus = take(reader, n, sizeof *skus);
    if (skus == NULL)
        return vt__reading_full();
    for (uint32_t i = 0; i < n; i++)
        skus[i].id = ids[i];
    *ret_skus = skus;
    *ret_n = n;
    return vt_ok();
}

/* ---- what a rule is about; the match is the first member of boosts and caps ---- */

static struct vt_err read_category(const struct vt_yaml_reader *reader,
                                   const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    return vt_yaml_read_texts(reader, node, VT_MATCH_TEXTS_MAX, VT_TEXT_BYTES_MAX,
                              &match->categories, &match->n_categories);
}

static struct vt_err read_brand(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    return vt_yaml_read_texts(reader, node, VT_MATCH_TEXTS_MAX, VT_TEXT_BYTES_MAX, &match->brands,
                              &match->n_brands);
}

static struct vt_err read_attribute(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    if (node->kind != VT_YAML_MAP || node->n != 1)
        return vt_yaml_refuse(reader, node,
                              "expected one attribute with its values, "
                              "e.g. {colour: [red, blue]}");
    match->attribute = vt_arena_copy(reader->arena, vt_slice_str(node->first->key));
    if (match->attribute.data == NULL)
        return vt__reading_full();
    return vt_yaml_read_texts(reader, node->first, VT_MATCH_TEXTS_MAX, VT_TEXT_BYTES_MAX,
                              &match->values, &match->n_values);
}

static struct vt_err read_items(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    return vt__read_skus(reader, node, VT_MATCH_ITEMS_MAX, &match->items, &match->n_items);
}

static struct vt_err read_price_from(const struct vt_yaml_reader *reader,
                                     const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    return vt_yaml_read_f64(reader, node, 0, VT_AMOUNT_MAX, &match->price_from);
}

static struct vt_err read_price_below(const struct vt_yaml_reader *reader,
                                      const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    return vt_yaml_read_f64(reader, node, 0, VT_AMOUNT_MAX, &match->price_below);
}

static struct vt_err read_filter(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    struct vt_match *match = target;
    struct vt_slice text = {0};
    struct vt_diag diag = {0};
    VT_TRY(vt_yaml_read_text(reader, node, VT_FILTER_TEXT_BYTES_MAX, &text));
    struct vt_err err = vt_filter_compile(text, reader->arena, &diag, &match->filter);
    if (err.code == VT_INVALID)
        return vt_yaml_refuse(reader, node, "%s", diag.text);
    return err;
}

#define MATCH_FIELDS                                                                               \
    {"category", read_category}, {"brand", read_brand}, {"attribute", read_attribute},             \
        {"items", read_items}, {"filter", read_filter}, {"price-from", read_price_from},           \
    {                                                                                              \
        "price-below", read_price_below                                                            \
    }

static bool is_everything(const struct vt_match *match)
{
    return match->n_categories == 0 && match->n_brands == 0 && match->attribute.len == 0 &&
           match->n_items == 0 && match->filter == NULL && !(match->price_from > 0) &&
           isinf(match->price_below);
}

/* ---- boosts ---- */

static struct vt_err read_by(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                             void *target)
{
    struct vt_boost *boost = target;
    return vt_yaml_read_f64(reader, node, FACTOR_MIN, FACTOR_MAX, &boost->factor);
}

struct vt_err vt__read_boosts(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                              void *target)
{
    static const struct vt_yaml_field fields[] = {MATCH_FIELDS, {"by", read_by}};
    struct vt_placement *placement = ((struct vt__placement_reading *)target)->placement;
    uint32_t n = 0;
    VT_TRY(vt_yaml_check_list(reader, node, VT_BOOSTS_MAX));
    struct vt_boost *boosts = take(reader, node->n, sizeof *boosts);
    if (boosts == NULL)
        return vt__reading_full();
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct vt_boost *boost = &boosts[n++];
        vt_match_init(&boost->match);
        VT_TRY(vt_yaml_read_map(reader, entry, fields, N_FIELDS(fields), boost));
        if (!(boost->factor > 0))
            return vt_yaml_refuse(reader, entry,
                                  "'by' is missing: 2 doubles a score, 0.5 halves it");
        if (is_everything(&boost->match))
            return vt_yaml_refuse(reader, entry,
                                  "this is about every item; name a category, brand, "
                                  "attribute, items or a price");
    }
    placement->boosts = boosts;
    placement->n_boosts = n;
    return vt_ok();
}

/* ---- caps ---- */

static struct vt_err read_per(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                              void *target)
{
    static const char *const names[] = {"all", "brand", "category", "attribute", "price"};
    struct vt_cap *cap = target;
    unsigned choice = 0;
    VT_TRY(vt_yaml_read_choice(reader, node, names, N_FIELDS(names), &choice));
    cap->per = (enum vt_cap_group)choice;
    return vt_ok();
}

static struct vt_err read_name(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               void *target)
{
    struct vt_cap *cap = target;
    return vt_yaml_read_text(reader, node, VT_ID_BYTES_MAX, &cap->attribute);
}

static struct vt_err read_tiers(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_cap *cap = target;
    double below = 0;
    VT_TRY(vt_yaml_check_list(reader, node, VT_PRICE_TIERS_MAX));
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        double end = 0;
        VT_TRY(vt_yaml_read_f64(reader, entry, 0, VT_AMOUNT_MAX, &end));
        if (!(end > below))
            return vt_yaml_refuse(reader, entry, "tiers are prices above 0 that rise");
        cap->tiers[cap->n_tiers++] = below = end;
    }
    return vt_ok();
}

static struct vt_err read_at_most(const struct vt_yaml_reader *reader,
                                  const struct vt_yaml_node *node, void *target)
{
    struct vt_cap *cap = target;
    return vt_yaml_read_u32(reader, node, 1, PLACE_MAX, &cap->at_most);
}

static struct vt_err check_cap(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               const struct vt_cap *cap)
{
    if (cap->at_most == 0)
        return vt_yaml_refuse(reader, node, "'at-most' is missing: how many in one list");
    if ((cap->per == VT_CAP_ATTRIBUTE) != (cap->attribute.len > 0))
        return vt_yaml_refuse(reader, node, "'per: attribute' and 'name: ATTRIBUTE' go together");
    if ((cap->per == VT_CAP_PRICE) != (cap->n_tiers > 0))
        return vt_yaml_refuse(reader, node, "'per: price' and 'tiers: [10, 50]' go together");
    if (cap->per == VT_CAP_ALL && is_everything(&cap->match))
        return vt_yaml_refuse(reader, node,
                              "this caps the whole list; say per what, or name a "
                              "category, brand, attribute, items or a price");
    return vt_ok();
}

/* Room for all caps of a placement, with those kept that the key being read does not replace. */
static struct vt_cap *begin_caps(const struct vt_yaml_reader *reader,
                                 struct vt_placement *placement, bool keep_variants)
{
    struct vt_cap *caps = take(reader, VT_CAPS_MAX + 1, sizeof *caps);
    uint32_t n = 0;
    for (uint32_t c = 0; caps != NULL && c < placement->n_caps; c++)
        if (placement->caps[c].variants == keep_variants)
            caps[n++] = placement->caps[c];
    placement->caps = caps;
    placement->n_caps = caps != NULL ? n : 0;
    return caps;
}

struct vt_err vt__read_caps(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                            void *target)
{
    static const struct vt_yaml_field fields[] = {MATCH_FIELDS,
                                                  {"per", read_per},
                                                  {"name", read_name},
                                                  {"tiers", read_tiers},
                                                  {"at-most", read_at_most}};
    struct vt_placement *placement = ((struct vt__placement_reading *)target)->placement;
    VT_TRY(vt_yaml_check_list(reader, node, VT_CAPS_MAX));
    if (begin_caps(reader, placement, true) == NULL)
        return vt__reading_full();
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct vt_cap *cap = &placement->caps[placement->n_caps];
        *cap = (struct vt_cap){0};
        vt_match_init(&cap->match);
        VT_TRY(vt_yaml_read_map(reader, entry, fields, N_FIELDS(fields), cap));
        VT_TRY(check_cap(reader, entry, cap));
        placement->n_caps++;
    }
    return vt_ok();
}

/* A product's variants share an attribute's value, and one of them is enough. */
struct vt_err vt__read_variants(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_placement *placement = ((struct vt__placement_reading *)target)->placement;
    if (begin_caps(reader, placement, false) == NULL)
        return vt__reading_full();
    struct vt_cap *cap = &placement->caps[placement->n_caps];
    *cap = (struct vt_cap){.per = VT_CAP_ATTRIBUTE, .at_most = 1, .variants = true};
    vt_match_init(&cap->match);
    VT_TRY(vt_yaml_read_text(reader, node, VT_ID_BYTES_MAX, &cap->attribute));
    placement->n_caps++;
    return vt_ok();
}

/* ---- pins ---- */

static struct vt_err read_pin_item(const struct vt_yaml_reader *reader,
                                   const struct vt_yaml_node *node, void *target)
{
    struct vt_pin *pin = target;
    return vt_yaml_read_text(reader, node, VT_ID_BYTES_MAX, &pin->sku.id);
}

static struct vt_err read_pin_place(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, void *target)
{
    struct vt_pin *pin = target;
    return vt_yaml_read_u32(reader, node, 1, PLACE_MAX, &pin->place);
}

struct vt_err vt__read_pins(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                            void *target)
{
    static const struct vt_yaml_field fields[] = {{"item", read_pin_item},
                                                  {"place", read_pin_place}};
    struct vt_placement *placement = ((struct vt__placement_reading *)target)->placement;
    uint32_t n = 0;
    VT_TRY(vt_yaml_check_list(reader, node, VT_PINS_MAX));
    struct vt_pin *pins = take(reader, node->n, sizeof *pins);
    if (pins == NULL)
        return vt__reading_full();
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next, n++) {
        VT_TRY(vt_yaml_read_map(reader, entry, fields, N_FIELDS(fields), &pins[n]));
        if (pins[n].sku.id.len == 0 || pins[n].place == 0)
            return vt_yaml_refuse(reader, entry, "a pin needs both: {item: SKU, place: 1}");
        for (uint32_t before = 0; before < n; before++)
            if (pins[before].place == pins[n].place)
                return vt_yaml_refuse(reader, entry, "place %u has a pin already", pins[n].place);
    }
    placement->pins = pins;
    placement->n_pins = n;
    return vt_ok();
}
