/*
 * Fans are collected in a buffer of twice what is wanted, which is sorted and cut to its better
 * half whenever it is full: a constant cost per customer, and no order among what is cut anyway.
 */
#include "services/ranking/fans.h"

#include "models/dataset/history.h"

#include <stdlib.h>
#include <string.h>

struct vt_fans {
    struct vt_candidate_service *candidate;
    struct vt_fans_query query;
    struct vt_fan *best; /* 2 · query.n */
    uint32_t n_best;
    uint32_t items[VT_FANS_ITEMS_MAX];
    char version[]; /* of query.version */
};

struct vt_err vt_fans_new(struct vt_candidate_service *candidate, const struct vt_fans_query *query,
                          struct vt_fans **ret_fans)
{
    VT_CHECK(query->n_items >= 1 && query->n_items <= VT_FANS_ITEMS_MAX, VT_INVALID,
             "1 to 100 items can be asked for");
    VT_CHECK(query->n >= 1 && query->n <= VT_FANS_MAX, VT_INVALID,
             "1 to 10,000 customers can be asked for");
    struct vt_fans *fans = calloc(1, sizeof *fans + query->version.len + 1);
    VT_CHECK(fans != NULL, VT_EXHAUSTED, "no memory to look for customers");
    fans->candidate = candidate;
    fans->query = *query;
    memcpy(fans->items, query->items, query->n_items * sizeof *fans->items);
    if (query->version.len != 0)
        memcpy(fans->version, query->version.data, query->version.len);
    fans->query.items = fans->items;
    fans->query.version.data = fans->version;
    fans->best = calloc((size_t)2 * query->n, sizeof *fans->best);
    if (fans->best == NULL) {
        vt_fans_free(fans);
        return VT_ERR(VT_EXHAUSTED, "no memory for so many customers");
    }
    *ret_fans = fans;
    return vt_ok();
}

void vt_fans_free(struct vt_fans *fans)
{
    if (fans == NULL)
        return;
    free(fans->best);
    free(fans);
}

/* ---- the best so far ---- */

static int by_score(const void *left, const void *right)
{
    const struct vt_fan *a = left, *b = right;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return (a->customer_number > b->customer_number) - (a->customer_number < b->customer_number);
}

static void sort_and_cut(struct vt_fans *fans)
{
    qsort(fans->best, fans->n_best, sizeof *fans->best, by_score);
    if (fans->n_best > fans->query.n)
        fans->n_best = fans->query.n;
}

const struct vt_fan *vt_fans_best(struct vt_fans *fans, uint32_t *ret_n)
{
    sort_and_cut(fans);
    *ret_n = fans->n_best;
    return fans->best;
}

static void keep(struct vt_fans *fans, const struct vt_profile_view *view, uint32_t item,
                 double score)
{
    if (fans->n_best == 2 * fans->query.n)
        sort_and_cut(fans);
    struct vt_fan *fan = &fans->best[fans->n_best++];
    *fan = (struct vt_fan){.score = score, .customer_number = view->customer_number, .item = item};
    struct vt_slice id = view->customer.id;
    size_t len = id.len < VT_ID_BYTES_MAX ? id.len : VT_ID_BYTES_MAX;
    if (len != 0)
        memcpy(fan->customer_id, id.data, len);
}

/* ---- one customer ---- */

static bool is_among(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

static bool has_bought(const struct vt_profile_view *view, uint32_t item)
{
    for (uint32_t e = 0; e < view->n_events; e++)
        if (view->events[e].item == item &&
            (view->events[e].type == VT_EVENT_PURCHASE || view->events[e].type == VT_EVENT_ORDER))
            return true;
    return false;
}

/* The items that may be for this customer, in the order asked. */
static struct vt_err choose_items(const struct vt_fans *fans, const struct vt_profile_view *view,
                                  struct vt_arena *arena, uint32_t **ret_items, uint32_t *ret_n)
{
    uint32_t *items = vt_arena_array(arena, fans->query.n_items, sizeof *items);
    uint32_t *disliked = vt_arena_array(arena, (size_t)view->n_events + 1, sizeof *disliked);
    VT_CHECK(items != NULL && disliked != NULL, VT_EXHAUSTED, "the request's memory is full");
    uint32_t n_disliked = vt_history_dislikes(view->events, view->n_events, disliked), n = 0;
    for (uint32_t i = 0; i < fans->query.n_items; i++) {
        uint32_t item = fans->items[i];
        if (!is_among(disliked, n_disliked, item) &&
            (fans->query.include_buyers || !has_bought(view, item)))
            items[n++] = item;
    }
    *ret_items = items;
    *ret_n = n;
    return vt_ok();
}

/* What compares between customers: the mix in its deviations, and for a version without one the
 * factors' score, which is divided by the length of the customer's vector. */
static bool score_of(const struct vt_candidate *candidate, double *ret_score)
{
    static const enum vt_source order[] = {VT_SOURCE_MODEL, VT_SOURCE_FACTOR};
    for (size_t s = 0; s < sizeof order / sizeof order[0]; s++)
        if ((candidate->sources >> order[s] & 1U) != 0) {
            *ret_score = candidate->scores[order[s]];
            return true;
        }
    return false;
}

static void keep_best(struct vt_fans *fans, const struct vt_profile_view *view,
                      const struct vt_candidate_list *list)
{
    uint32_t item = 0;
    double best = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct vt_candidate *candidate = &list->candidates[i];
        double score = 0;
        if (score_of(candidate, &score) &&
            (item == 0 || score > best || (score >= best && candidate->item < item))) {
            item = candidate->item;
            best = score;
        }
    }
    if (item != 0)
        keep(fans, view, item, best);
}

struct vt_err vt_fans_look(struct vt_fans *fans, struct vt_request *request,
                           const struct vt_profile_view *view)
{
    uint32_t *items = NULL, n = 0;
    struct vt_candidate_list list = {0};
    if (!view->consent || view->n_events == 0)
        return vt_ok();
    VT_TRY(choose_items(fans, view, request->arena, &items, &n));
    if (n == 0)
        return vt_ok();
    const struct vt_candidate_query query = {
        .history = view->events,
        .n_history = view->n_events,
        .n = n,
        .version = fans->query.version,
        .score_only = items,
        .n_score_only = n,
        .include_seen = true,
    };
    VT_TRY(vt_candidate_get(fans->candidate, request, &query, &list));
    keep_best(fans, view, &list);
    return vt_ok();
}
