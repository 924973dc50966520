/*
 * The file of placements: campaigns first, then the default, then the others, which begin as copies
 * of it; whatever order the file has. A key that is given replaces what was inherited. Each part is
 * a table of keys with their readers, and what no reader can see alone (a slot without a campaign)
 * is judged when its part is complete.
 */
#include "services/common/base/event.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/ranking/placement_reading.h"

#include <stdlib.h>
#include <string.h>

enum { NEW_FOR_DAYS_MAX = 365, PLACE_MAX = 200, ARENA_BYTES = 16 << 20 };
#define N_FIELDS(fields_) (sizeof(fields_) / sizeof((fields_)[0]))
#define DAY_MS INT64_C(86400000)

/* The two sections of a file, found before either is read. */
struct sections {
    const struct vt_yaml_node *campaigns, *placements;
};
/* ---- campaigns and slots of a placement ---- */

static const struct vt_campaign *find_campaign(const struct vt_placements *set, const char *name)
{
    for (uint32_t c = 0; c < set->n_campaigns; c++)
        if (vt_slice_equal(set->campaigns[c].name, vt_slice_str(name)))
            return &set->campaigns[c];
    return NULL;
}

static struct vt_err read_campaign_name(const struct vt_yaml_reader *reader,
                                        const struct vt_yaml_node *node,
                                        const struct vt__placement_reading *reading)
{
    const char *names[VT_CAMPAIGNS_MAX];
    struct vt_placement *placement = reading->placement;
    const struct vt_placements *set = reading->set;
    const char *name = node->kind == VT_YAML_SCALAR ? node->text.data : "";
    const struct vt_campaign *campaign = find_campaign(set, name);
    for (uint32_t c = 0; c < set->n_campaigns; c++)
        names[c] = set->campaigns[c].name.data;
    if (campaign == NULL) {
        const char *nearest = vt_nearest_name(name, names, set->n_campaigns);
        return vt_yaml_refuse(reader, node, "'%.40s' is no campaign of this file%s%s%s", name,
                              nearest != NULL ? "; did you mean '" : "",
                              nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    }
    uint32_t n_items = campaign->n_items;
    for (uint32_t c = 0; c < placement->n_campaigns; c++)
        n_items += placement->campaigns[c]->n_items;
    if (n_items > VT_PLACEMENT_CAMPAIGN_ITEMS_MAX)
        return vt_yaml_refuse(reader, node,
                              "%u items in the campaigns of one placement, at most %d", n_items,
                              VT_PLACEMENT_CAMPAIGN_ITEMS_MAX);
    placement->campaigns[placement->n_campaigns++] = campaign;
    return vt_ok();
}

static struct vt_err read_campaigns_of(const struct vt_yaml_reader *reader,
                                       const struct vt_yaml_node *node, void *target)
{
    struct vt__placement_reading *reading = target;
    VT_TRY(vt_yaml_check_list(reader, node, VT_PLACEMENT_CAMPAIGNS_MAX));
    reading->placement->n_campaigns = 0;
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        VT_TRY(read_campaign_name(reader, entry, reading));
    return vt_ok();
}

static struct vt_err read_slots(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_placement *placement = ((struct vt__placement_reading *)target)->placement;
    placement->n_slots = 0;
    VT_TRY(vt_yaml_check_list(reader, node, VT_SLOTS_MAX));
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        uint32_t place = 0, last = placement->n_slots;
        VT_TRY(vt_yaml_read_u32(reader, entry, 1, PLACE_MAX, &place));
        if (last > 0 && place <= placement->slots[last - 1])
            return vt_yaml_refuse(reader, entry, "slots are places that rise, e.g. [3, 7]");
        placement->slots[placement->n_slots++] = place;
    }
    return vt_ok();
}

/* ---- sources ---- */

struct source_reading {
    struct vt_placement *placement;
    unsigned source;
};

static struct vt_err read_weight(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    const struct source_reading *reading = target;
    double weight = 0;
    VT_TRY(vt_yaml_read_f64(reader, node, 0, 100, &weight));
    reading->placement->weights[reading->source] = (float)weight;
    return vt_ok();
}

static struct vt_err read_budget(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    const struct source_reading *reading = target;
    return vt_yaml_read_u32(reader, node, 0, vt_candidate_budget_max(reading->source),
                            &reading->placement->budgets[reading->source]);
}

static struct vt_err read_groups(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    static const char *const names[] = {"category", "channel", "segment", "day", "week", "month"};
    const struct source_reading *reading = target;
    uint32_t groups = 0;
    if (reading->source != VT_SOURCE_GROUP)
        return vt_yaml_refuse(reader, node, "only the source 'group' has groups");
    VT_TRY(vt_yaml_check_list(reader, node, N_FIELDS(names)));
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        unsigned choice = 0;
        VT_TRY(vt_yaml_read_choice(reader, entry, names, N_FIELDS(names), &choice));
        groups |= 1U << choice;
    }
    reading->placement->groups = groups;
    return vt_ok();
}

static struct vt_err read_source(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, struct vt_placement *placement)
{
    static const struct vt_yaml_field fields[] = {
        {"weight", read_weight}, {"budget", read_budget}, {"of", read_groups}};
    const char *names[VT_SOURCE_COUNT];
    struct source_reading reading = {.placement = placement, .source = VT_SOURCE_FACTOR};
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
        names[source - VT_SOURCE_FACTOR] = vt_source_name(source);
    while (reading.source < VT_SOURCE_COUNT &&
           strcmp(vt_source_name(reading.source), node->key) != 0)
        reading.source++;
    if (reading.source == VT_SOURCE_COUNT) {
        const char *nearest = vt_nearest_name(node->key, names, VT_SOURCE_COUNT - VT_SOURCE_FACTOR);
        return vt_yaml_refuse(reader, node, "no such source%s%s%s",
                              nearest != NULL ? "; did you mean '" : "",
                              nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    }
    return vt_yaml_read_map(reader, node, fields, N_FIELDS(fields), &reading);
}

static struct vt_err read_sources(const struct vt_yaml_reader *reader,
                                  const struct vt_yaml_node *node, void *target)
{
    if (node->kind != VT_YAML_MAP)
        return vt_yaml_refuse(reader, node, "expected sources, e.g. trending: {weight: 0.1}");
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        VT_TRY(read_source(reader, entry, ((struct vt__placement_reading *)target)->placement));
    return vt_ok();
}

/* ---- exploration ---- */

static struct vt_err read_quota(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_f64(reader, node, 0, .5, &((struct vt_exploration *)target)->quota);
}

static struct vt_err read_new_for(const struct vt_yaml_reader *reader,
                                  const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_duration(reader, node, NEW_FOR_DAYS_MAX * DAY_MS,
                                 &((struct vt_exploration *)target)->new_for_ms);
}

static struct vt_err read_until(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_f64(reader, node, 1, 1e6, &((struct vt_exploration *)target)->until_events);
}

static struct vt_err read_prior(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    struct vt_exploration *exploration = target;
    VT_TRY(vt_yaml_check_list(reader, node, 2));
    if (node->n != 2)
        return vt_yaml_refuse(reader, node,
                              "expected two numbers: [1, 20] is one event in 21 looks");
    VT_TRY(vt_yaml_read_f64(reader, node->first, 1, 1e6, &exploration->prior_wins));
    return vt_yaml_read_f64(reader, node->first->next, 1, 1e6, &exploration->prior_misses);
}

static struct vt_err read_seed(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               void *target)
{
    uint32_t seed = 0;
    VT_TRY(vt_yaml_read_u32(reader, node, 0, UINT32_MAX, &seed));
    ((struct vt_exploration *)target)->seed = seed;
    return vt_ok();
}

static struct vt_err read_exploration(const struct vt_yaml_reader *reader,
                                      const struct vt_yaml_node *node, void *target)
{
    static const struct vt_yaml_field fields[] = {{"quota", read_quota},
                                                  {"new-for", read_new_for},
                                                  {"until-events", read_until},
                                                  {"prior", read_prior},
                                                  {"seed", read_seed}};
    return vt_yaml_read_map(reader, node, fields, N_FIELDS(fields),
                            &((struct vt__placement_reading *)target)->placement->exploration);
}

/* ---- a placement ---- */

static struct vt_err read_diversity(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, void *target)
{
    static const char *const names[] = {"none", "low", "medium", "high"};
    unsigned choice = 0;
    VT_TRY(vt_yaml_read_choice(reader, node, names, N_FIELDS(names), &choice));
    ((struct vt__placement_reading *)target)->placement->diversity = choice + 1;
    return vt_ok();
}

static struct vt_err read_policy(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, bool *ret_show)
{
    static const char *const names[] = {"hide", "show"};
    unsigned choice = 0;
    VT_TRY(vt_yaml_read_choice(reader, node, names, N_FIELDS(names), &choice));
    *ret_show = choice == 1;
    return vt_ok();
}

static struct vt_err read_viewed(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    return read_policy(reader, node,
                       &((struct vt__placement_reading *)target)->placement->show_viewed);
}

static struct vt_err read_bought(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    return read_policy(reader, node,
                       &((struct vt__placement_reading *)target)->placement->show_bought);
}

/* ---- how often one customer is shown an item ---- */

static struct vt_err read_shown_times(const struct vt_yaml_reader *reader,
                                      const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_u32(reader, node, 1, VT_SHOWN_TIMES_MAX,
                            &((struct vt_shown_limit *)target)->at_least);
}

static struct vt_err read_within(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_duration(reader, node, VT_SHOWN_WITHIN_MAX_MS,
                                 &((struct vt_shown_limit *)target)->within_ms);
}

static struct vt_err read_shown(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, void *target)
{
    static const struct vt_yaml_field fields[] = {{"at-most", read_shown_times},
                                                  {"within", read_within}};
    struct vt_shown_limit limit = {0};
    const bool any = node->kind == VT_YAML_SCALAR && strcmp(node->text.data, "any") == 0;
    if (node->kind == VT_YAML_MAP)
        VT_TRY(vt_yaml_read_map(reader, node, fields, N_FIELDS(fields), &limit));
    if (!any && (limit.at_least == 0 || limit.within_ms == 0))
        return vt_yaml_refuse(reader, node,
                              "this needs both: {at-most: 3, within: 24h}, or 'any' for no cap");
    ((struct vt__placement_reading *)target)->placement->shown = limit;
    return vt_ok();
}

static struct vt_err read_placement(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node,
                                    const struct vt_placements *set, struct vt_placement *placement)
{
    static const struct vt_yaml_field fields[] = {{"sources", read_sources},
                                                  {"diversity", read_diversity},
                                                  {"viewed", read_viewed},
                                                  {"bought", read_bought},
                                                  {"shown", read_shown},
                                                  {"pins", vt__read_pins},
                                                  {"boosts", vt__read_boosts},
                                                  {"caps", vt__read_caps},
                                                  {"variants", vt__read_variants},
                                                  {"slots", read_slots},
                                                  {"campaigns", read_campaigns_of},
                                                  {"exploration", read_exploration}};
    struct vt__placement_reading reading = {.set = set, .placement = placement};
    VT_TRY(vt_yaml_read_map(reader, node, fields, N_FIELDS(fields), &reading));
    if (placement->n_slots > 0 && placement->n_campaigns == 0)
        return vt_yaml_refuse(reader, node, "'slots' without 'campaigns' to fill them");
    return vt_ok();
}

static bool is_default(const struct vt_yaml_node *node)
{
    return strcmp(node->key, "default") == 0;
}

static struct vt_err read_named(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, struct vt_placements *set)
{
    struct vt_placement *placement = &set->placements[set->n_placements];
    if (strlen(node->key) > VT_ID_BYTES_MAX)
        return vt_yaml_refuse(reader, node, "a placement's name has at most %d bytes",
                              VT_ID_BYTES_MAX);
    *placement = set->placements[0];
    placement->name = vt_arena_copy(reader->arena, vt_slice_str(node->key));
    if (placement->name.data == NULL)
        return vt__reading_full();
    set->n_placements++;
    return read_placement(reader, node, set, placement);
}

static struct vt_err read_placements(const struct vt_yaml_reader *reader,
                                     const struct vt_yaml_node *node, struct vt_placements *set)
{
    if (node->kind != VT_YAML_MAP || node->n > VT_PLACEMENTS_MAX - 1)
        return vt_yaml_refuse(reader, node, "expected a map of at most %d placements",
                              VT_PLACEMENTS_MAX - 1);
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        if (is_default(entry))
            VT_TRY(read_placement(reader, entry, set, &set->placements[0]));
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        if (!is_default(entry))
            VT_TRY(read_named(reader, entry, set));
    return vt_ok();
}

/* ---- campaigns ---- */

static struct vt_err read_campaign_items(const struct vt_yaml_reader *reader,
                                         const struct vt_yaml_node *node, void *target)
{
    struct vt_campaign *campaign = target;
    return vt__read_skus(reader, node, VT_CAMPAIGN_ITEMS_MAX, &campaign->items, &campaign->n_items);
}

static struct vt_err read_from(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               void *target)
{
    return vt_yaml_read_day(reader, node, &((struct vt_campaign *)target)->from_ms);
}

static struct vt_err read_until_day(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, void *target)
{
    return vt_yaml_read_day(reader, node, &((struct vt_campaign *)target)->until_ms);
}

static struct vt_err read_campaigns(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, struct vt_placements *set)
{
    static const struct vt_yaml_field fields[] = {
        {"items", read_campaign_items}, {"from", read_from}, {"until", read_until_day}};
    if (node->kind != VT_YAML_MAP || node->n > VT_CAMPAIGNS_MAX)
        return vt_yaml_refuse(reader, node, "expected a map of at most %d campaigns",
                              VT_CAMPAIGNS_MAX);
    for (const struct vt_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct vt_campaign *campaign = &set->campaigns[set->n_campaigns++];
        campaign->name = vt_arena_copy(reader->arena, vt_slice_str(entry->key));
        if (campaign->name.data == NULL)
            return vt__reading_full();
        VT_TRY(vt_yaml_read_map(reader, entry, fields, N_FIELDS(fields), campaign));
        if (campaign->n_items == 0)
            return vt_yaml_refuse(reader, entry, "a campaign needs items: [SKU, …]");
        if (campaign->until_ms != 0 && campaign->until_ms <= campaign->from_ms)
            return vt_yaml_refuse(reader, entry,
                                  "it ends before it begins; 'until' is the first "
                                  "day after it");
    }
    return vt_ok();
}

/* ---- the file ---- */

static struct vt_err keep_campaigns(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, void *target)
{
    (void)reader;
    ((struct sections *)target)->campaigns = node;
    return vt_ok();
}

static struct vt_err keep_placements(const struct vt_yaml_reader *reader,
                                     const struct vt_yaml_node *node, void *target)
{
    (void)reader;
    ((struct sections *)target)->placements = node;
    return vt_ok();
}

static struct vt_err read_file(const struct vt_yaml *yaml, struct vt_diag *diag,
                               struct vt_placements *set)
{
    static const struct vt_yaml_field fields[] = {{"campaigns", keep_campaigns},
                                                  {"placements", keep_placements}};
    const struct vt_yaml_reader reader = {.path = yaml->path, .diag = diag, .arena = &set->arena};
    struct sections sections = {0};
    VT_TRY(vt_yaml_read_map(&reader, yaml->root, fields, N_FIELDS(fields), &sections));
    if (sections.campaigns != NULL)
        VT_TRY(read_campaigns(&reader, sections.campaigns, set));
    if (sections.placements != NULL)
        VT_TRY(read_placements(&reader, sections.placements, set));
    return vt_ok();
}

static void free_set(struct vt_published *published)
{
    struct vt_placements *set = (struct vt_placements *)published; /* its first member */
    vt_arena_fini(&set->arena);
    free(set);
}

static struct vt_err new_set(const struct vt_placement *base, size_t arena_bytes,
                             struct vt_placements **ret_set)
{
    struct vt_placements *set = calloc(1, sizeof *set);
    VT_CHECK(set != NULL, VT_EXHAUSTED, "no memory for placements");
    vt_published_init(&set->published, free_set);
    if (!vt_arena_init_owned(&set->arena, arena_bytes)) {
        free(set);
        return VT_ERR(VT_EXHAUSTED, "no memory for placements");
    }
    set->placements[0] = *base;
    set->n_placements = 1;
    *ret_set = set;
    return vt_ok();
}

static uint64_t hash_more(uint64_t hash, const void *bytes, size_t len) /* FNV-1a */
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Whether two sets say the same: of the file's bytes, and of what the options say for placements
 * that say nothing. */
static struct vt_err hash_of(const char *path, const struct vt_placement *base,
                             struct vt_diag *diag, uint64_t *ret_hash)
{
    char digest[VT_SHA256_HEX_BYTES] = "";
    if (path != NULL)
        VT_TRY(vt_file_sha256(path, diag, digest));
    uint64_t hash = hash_more(UINT64_C(0xcbf29ce484222325), digest, sizeof digest);
    hash = hash_more(hash, base->weights, sizeof base->weights);
    hash = hash_more(hash, base->budgets, sizeof base->budgets);
    *ret_hash = hash_more(hash, &base->diversity, sizeof base->diversity);
    return vt_ok();
}

struct vt_err vt_placements_load(const char *path, const struct vt_placement *base,
                                 struct vt_diag *diag, struct vt_placements **ret_placements)
{
    struct vt_placements *set = NULL;
    struct vt_yaml yaml = {0};
    VT_TRY(new_set(base, path != NULL ? ARENA_BYTES : 64, &set));
    struct vt_err err = path != NULL ? vt_yaml_load(path, diag, &yaml) : vt_ok();
    if (!vt_failed(err) && path != NULL)
        err = read_file(&yaml, diag, set);
    if (!vt_failed(err))
        err = hash_of(path, base, diag, &set->hash);
    vt_yaml_free(&yaml);
    if (vt_failed(err))
        vt_published_release(&set->published);
    else
        *ret_placements = set;
    return err;
}
