/*
 * Bought together goes by the basket that is being filled: the context (the product page, the cart
 * page) and the newest items put into the cart or bought. Of several items that speak for a
 * candidate the surest counts, so a full cart does not add up to certainty. Groups stand in where a
 * taste says little: the category of the page, and without any taste the channel and the kind of
 * customer.
 */
#include "services/candidate/sources_goods.h"

#include "models/popularity/groups.h"

#include <string.h>

enum {
    STARTS_MAX = 20,    /* items that may speak */
    PER_START_MAX = 50, /* of the best each of them names */
    CATEGORIES_MAX = 2, /* of the context whose groups are asked */
};
_Static_assert(STARTS_MAX *PER_START_MAX <= VT__TOGETHER_TOUCHED_MAX, "all touched cells fit");

/* ---- bought together ---- */

static bool is_of_basket(const struct vt_history_event *event)
{
    return event->type == VT_EVENT_CART || event->type == VT_EVENT_RESERVATION ||
           event->type == VT_EVENT_ORDER || event->type == VT_EVENT_PURCHASE;
}

static void touch(struct vt__scratch *scratch, uint32_t row, float value, uint32_t item)
{
    struct vt__cell *cell = &scratch->cells[row];
    if (!(cell->together > 0))
        scratch->together_touched[scratch->n_together_touched++] = row;
    if (value > cell->together) {
        cell->together = value;
        cell->together_with = item;
    }
}

/* Whether the item had a list to speak from. */
static bool start_from(struct vt__gathering *gathering, uint32_t item)
{
    const struct vt_csr *together = &gathering->view->bought_together;
    uint32_t row = vt_bundle_row(gathering->bundle, item);
    if (row == UINT32_MAX || together->starts[row + 1] == together->starts[row])
        return false;
    uint64_t begin = together->starts[row], end = together->starts[row + 1];
    if (end - begin > PER_START_MAX)
        end = begin + PER_START_MAX;
    for (uint64_t e = begin; e < end; e++)
        if (together->values[e] > 0)
            touch(gathering->scratch, together->columns[e], together->values[e], item);
    return true;
}

void vt__goods_sum(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    uint32_t n_starts = 0;
    if (gathering->view->bought_together.n_rows == 0 || query->similar)
        return;
    for (uint32_t c = 0; c < query->n_context && n_starts < STARTS_MAX; c++)
        n_starts += start_from(gathering, query->context[c]);
    for (uint32_t e = 0; e < query->n_history && n_starts < STARTS_MAX; e++)
        if (is_of_basket(&query->history[e]))
            n_starts += start_from(gathering, query->history[e].item);
}

static void find_together(struct vt__gathering *gathering)
{
    struct vt__scratch *scratch = gathering->scratch;
    struct vt_top top = {.hits = scratch->hits,
                         .capacity = vt__budget(gathering->query, VT_SOURCE_BOUGHT_TOGETHER)};
    for (uint32_t i = 0; i < scratch->n_together_touched && top.capacity > 0; i++) {
        uint32_t row = scratch->together_touched[i];
        struct vt_index_hit hit = {.score = (double)scratch->cells[row].together, .row = row};
        if (vt_top_would_enter(&top, hit) && vt__sources_allow(gathering, row))
            vt_top_offer(&top, hit);
    }
    vt_top_sort(&top);
    vt__sources_add_hits(gathering, top.n);
}

/* ---- lists of rows, best first ---- */

static void add_rows(struct vt__gathering *gathering, const uint32_t *rows, uint64_t n,
                     uint32_t wanted)
{
    uint32_t n_found = 0;
    for (uint64_t i = 0; i < n && n_found < wanted; i++)
        if (vt__sources_allow(gathering, rows[i]))
            vt__sources_add(gathering, gathering->view->item_numbers[rows[i]], rows[i], n_found++);
}

/* One group's list, best first. */
static void add_list(struct vt__gathering *gathering, uint64_t begin, uint64_t end)
{
    const struct vt_csr *lists = &gathering->view->groups.lists;
    uint32_t n_found = 0, budget = vt__budget(gathering->query, VT_SOURCE_GROUP);
    for (uint64_t e = begin; e < end && n_found < budget; e++) {
        uint32_t row = lists->columns[e];
        if (!vt__sources_allow(gathering, row))
            continue;
        struct vt__found *found =
            vt__sources_add(gathering, gathering->view->item_numbers[row], row, n_found++);
        float score = lists->values[begin] > 0 ? lists->values[e] / lists->values[begin] : 0;
        if (found != NULL && gathering->query->groups != 0 && score > found->group)
            found->group = score;
    }
}

/* False when the version has no such group. */
static bool add_group(struct vt__gathering *gathering, uint64_t key)
{
    const struct vt_bundle_groups *groups = &gathering->view->groups;
    uint32_t low = 0, high = groups->lists.n_rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (groups->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == groups->lists.n_rows || groups->keys[low] != key)
        return false;
    add_list(gathering, groups->lists.starts[low], groups->lists.starts[low + 1]);
    return true;
}

/* The narrowest category of the item; empty: it has none. */
static struct vt_slice category_of(const struct vt__gathering *gathering, uint32_t number)
{
    struct vt_item item;
    if (!vt_item_table_get(gathering->items, number, &item) || item.n_categories == 0)
        return vt_slice("", 0);
    return item.categories[item.n_categories - 1];
}

static uint32_t n_distinct_items(const struct vt_candidate_query *query)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < query->n_history && n < VT_SEGMENT_HEAVY_ITEMS; e++) {
        uint32_t before = 0;
        while (before < e && query->history[before].item != query->history[e].item)
            before++;
        n += before == e && query->history[e].item != 0;
    }
    return n;
}

static void find_categories(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    uint32_t n_added = 0;
    for (uint32_t c = 0; c < query->n_context && n_added < CATEGORIES_MAX; c++) {
        struct vt_slice category = category_of(gathering, query->context[c]);
        n_added += category.len > 0 && add_group(gathering, vt_group_key("category", category));
    }
}

/* The groups of a query that names none. */
static uint32_t usual_groups(const struct vt__gathering *gathering)
{
    uint32_t groups = 1U << VT_CANDIDATE_GROUP_CATEGORY;
    if (gathering->taste->n == 0)
        groups |= 1U << VT_CANDIDATE_GROUP_CHANNEL | 1U << VT_CANDIDATE_GROUP_SEGMENT;
    return groups;
}

static void find_groups(struct vt__gathering *gathering)
{
    static const struct {
        enum vt_candidate_group group;
        uint32_t days;
    } windows[] = {
        {VT_CANDIDATE_GROUP_DAY, 1}, {VT_CANDIDATE_GROUP_WEEK, 7}, {VT_CANDIDATE_GROUP_MONTH, 30}};
    const struct vt_candidate_query *query = gathering->query;
    uint32_t groups = query->groups != 0 ? query->groups : usual_groups(gathering);
    if ((groups >> VT_CANDIDATE_GROUP_CATEGORY & 1) != 0)
        find_categories(gathering);
    if ((groups >> VT_CANDIDATE_GROUP_CHANNEL & 1) != 0 && query->n_history > 0 &&
        query->history[0].channel != 0)
        add_group(gathering, vt_group_key_number("channel", query->history[0].channel));
    const char *segment = vt_segment_of(n_distinct_items(query));
    if ((groups >> VT_CANDIDATE_GROUP_SEGMENT & 1) != 0)
        add_group(gathering, vt_group_key("segment", vt_slice_str(segment)));
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++)
        if ((groups >> windows[w].group & 1) != 0)
            add_group(gathering, vt_group_key_number("window", windows[w].days));
}

/* ---- the whole ---- */

void vt__goods_find(struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    find_together(gathering);
    add_rows(gathering, view->trending_rows, view->n_trending_rows,
             vt__budget(gathering->query, VT_SOURCE_TRENDING));
    if (view->groups.lists.n_rows > 0)
        find_groups(gathering);
}

void vt__goods_score(const struct vt__gathering *gathering, uint32_t row,
                     struct vt_candidate *candidate)
{
    const struct vt_bundle_view *view = gathering->view;
    const struct vt__cell *cell = &gathering->scratch->cells[row];
    if (cell->together > 0) {
        vt__sources_set_score(candidate, VT_SOURCE_BOUGHT_TOGETHER, (double)cell->together);
        if (candidate->because == 0)
            candidate->because = cell->together_with;
    }
    if (view->trending != NULL && view->trending[row] > 0)
        vt__sources_set_score(candidate, VT_SOURCE_TRENDING, (double)view->trending[row]);
}
