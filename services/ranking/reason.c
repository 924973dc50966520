/*
 * Reasons in words. The candidate service names the item that speaks most for a candidate; what the
 * customer did with it decides the verb, and a title reads better than a SKU.
 */
#include "services/ranking/reason.h"

enum { TITLE_BYTES_MAX = 80 };

static const char *const verbs[VT_EVENT_TYPE_COUNT] = {
    [VT_EVENT_CLICK] = "looked at",      [VT_EVENT_VIEW] = "looked at",
    [VT_EVENT_FAVOURITE] = "saved",      [VT_EVENT_LIKE] = "liked",
    [VT_EVENT_RATING] = "rated",         [VT_EVENT_COMMENT] = "wrote about",
    [VT_EVENT_SHARE] = "shared",         [VT_EVENT_CART] = "put into your cart:",
    [VT_EVENT_RESERVATION] = "reserved", [VT_EVENT_ORDER] = "ordered",
    [VT_EVENT_PURCHASE] = "bought",
};

/* The verb that weighs most among what was done with the item; NULL: nothing to name. */
static const char *verb_for(const struct vt__reason_facts *facts, uint32_t item)
{
    unsigned strongest = VT_EVENT_UNSPECIFIED;
    for (uint32_t e = 0; e < facts->n_history; e++) {
        unsigned type = facts->history[e].type;
        if (facts->history[e].item == item && type < VT_EVENT_TYPE_COUNT && verbs[type] != NULL &&
            (strongest == VT_EVENT_UNSPECIFIED ||
             vt_event_type_default_weight(type) > vt_event_type_default_weight(strongest)))
            strongest = type;
    }
    return verbs[strongest];
}

static bool is_context(const struct vt__reason_facts *facts, uint32_t item)
{
    for (uint32_t c = 0; c < facts->n_context; c++)
        if (facts->context[c] == item)
            return true;
    return false;
}

static struct vt_slice cut_title(struct vt_slice title)
{
    if (title.len <= TITLE_BYTES_MAX)
        return title;
    title.len = TITLE_BYTES_MAX;
    while (title.len > 0 && ((unsigned char)title.data[title.len] & 0xC0) == 0x80)
        title.len--; /* not inside a character */
    return title;
}

static struct vt_slice name_of(struct vt_item_table *items, uint32_t number)
{
    struct vt_item item;
    if (vt_item_table_get(items, number, &item) && item.title.len > 0)
        return cut_title(item.title);
    return vt_item_table_id(items, number);
}

static struct vt_slice without_item(const struct vt_candidate *candidate)
{
    if ((candidate->sources & 1U << VT_SOURCE_NEW_ARRIVAL) != 0)
        return vt_slice_str("new for you");
    if ((candidate->sources & 1U << VT_SOURCE_TRENDING) != 0)
        return vt_slice_str("trending now");
    return vt_slice_str((candidate->sources & 1U << VT_SOURCE_POPULAR) != 0 ? "popular right now"
                                                                            : "new for you");
}

struct vt_slice vt__reason_text(const struct vt__reason_facts *facts,
                                const struct vt_candidate *candidate, struct vt_arena *arena)
{
    if (candidate->because == 0)
        return without_item(candidate);
    struct vt_slice name = name_of(facts->items, candidate->because);
    if (name.len == 0)
        return without_item(candidate);
    const char *verb =
        is_context(facts, candidate->because) ? NULL : verb_for(facts, candidate->because);
    if (verb != NULL)
        return vt_arena_printf(arena, "because you %s %.*s", verb, (int)name.len, name.data);
    return vt_arena_printf(arena, "often chosen together with %.*s", (int)name.len, name.data);
}
