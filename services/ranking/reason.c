/*
 * Reasons in words. The candidate service names the item that speaks most for a candidate; what the
 * customer did with it decides the template, and a title reads better than a SKU.
 */
#include "services/ranking/reason.h"

enum { TITLE_BYTES_MAX = 80 };

/* What is said: before the item's name and after it. A language is one more column, a reason one
 * more row. Event types come first, so that a reason for one is its own number; rows without text
 * name no item. */
enum reason { TOGETHER = VT_EVENT_TYPE_COUNT, NEW, TRENDING, POPULAR, REASONS };
struct template
{
    const char *before, *after;
};
static const struct template templates[VT__LANGUAGES][REASONS] = {
    [VT__ENGLISH] =
        {
            [VT_EVENT_CLICK] = {"because you looked at ", ""},
            [VT_EVENT_VIEW] = {"because you looked at ", ""},
            [VT_EVENT_FAVOURITE] = {"because you saved ", ""},
            [VT_EVENT_LIKE] = {"because you liked ", ""},
            [VT_EVENT_RATING] = {"because you rated ", ""},
            [VT_EVENT_COMMENT] = {"because you wrote about ", ""},
            [VT_EVENT_SHARE] = {"because you shared ", ""},
            [VT_EVENT_CART] = {"because you put into your cart: ", ""},
            [VT_EVENT_RESERVATION] = {"because you reserved ", ""},
            [VT_EVENT_ORDER] = {"because you ordered ", ""},
            [VT_EVENT_PURCHASE] = {"because you bought ", ""},
            [TOGETHER] = {"often chosen together with ", ""},
            [NEW] = {"new for you", ""},
            [TRENDING] = {"trending now", ""},
            [POPULAR] = {"popular right now", ""},
        },
    [VT__CHINESE] =
        {
            [VT_EVENT_CLICK] = {"因为您看过“", "”"},
            [VT_EVENT_VIEW] = {"因为您看过“", "”"},
            [VT_EVENT_FAVOURITE] = {"因为您收藏了“", "”"},
            [VT_EVENT_LIKE] = {"因为您喜欢“", "”"},
            [VT_EVENT_RATING] = {"因为您评价过“", "”"},
            [VT_EVENT_COMMENT] = {"因为您评论过“", "”"},
            [VT_EVENT_SHARE] = {"因为您分享过“", "”"},
            [VT_EVENT_CART] = {"因为您把“", "”加入了购物车"},
            [VT_EVENT_RESERVATION] = {"因为您预订了“", "”"},
            [VT_EVENT_ORDER] = {"因为您下单了“", "”"},
            [VT_EVENT_PURCHASE] = {"因为您购买了“", "”"},
            [TOGETHER] = {"常与“", "”一起选购"},
            [NEW] = {"为您推荐的新品", ""},
            [TRENDING] = {"近期流行", ""},
            [POPULAR] = {"当前热门", ""},
        },
};

enum vt__language vt__language_of(struct vt_slice code)
{
    bool chinese = code.len >= 2 && (code.data[0] | 0x20) == 'z' && (code.data[1] | 0x20) == 'h' &&
                   (code.len == 2 || code.data[2] == '-' || code.data[2] == '_');
    return chinese ? VT__CHINESE : VT__ENGLISH;
}

/* What weighs most among what was done with the item; 0: nothing to name. */
static unsigned strongest_for(const struct vt__reason_facts *facts, uint32_t item)
{
    unsigned strongest = VT_EVENT_UNSPECIFIED;
    for (uint32_t e = 0; e < facts->n_history; e++) {
        unsigned type = facts->history[e].type;
        if (facts->history[e].item == item && type < VT_EVENT_TYPE_COUNT &&
            templates[VT__ENGLISH][type].before != NULL &&
            (strongest == VT_EVENT_UNSPECIFIED ||
             vt_event_type_default_weight(type) > vt_event_type_default_weight(strongest)))
            strongest = type;
    }
    return strongest;
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

static enum reason without_item(const struct vt_candidate *candidate)
{
    if ((candidate->sources & 1U << VT_SOURCE_NEW_ARRIVAL) != 0)
        return NEW;
    if ((candidate->sources & 1U << VT_SOURCE_TRENDING) != 0)
        return TRENDING;
    return (candidate->sources & 1U << VT_SOURCE_POPULAR) != 0 ? POPULAR : NEW;
}

struct vt_slice vt__reason_text(const struct vt__reason_facts *facts,
                                const struct vt_candidate *candidate, struct vt_arena *arena)
{
    const struct template *of_language = templates[facts->language];
    struct vt_slice name = vt_slice(NULL, 0);
    if (candidate->because != 0)
        name = name_of(facts->items, candidate->because);
    if (name.len == 0)
        return vt_slice_str(of_language[without_item(candidate)].before);
    unsigned reason = TOGETHER;
    if (!is_context(facts, candidate->because) &&
        strongest_for(facts, candidate->because) != VT_EVENT_UNSPECIFIED)
        reason = strongest_for(facts, candidate->because);
    return vt_arena_printf(arena, "%s%.*s%s", of_language[reason].before, (int)name.len, name.data,
                           of_language[reason].after);
}
