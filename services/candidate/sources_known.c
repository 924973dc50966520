/*
 * The rhythm of a product is a log-normal distribution of the days between two purchases (the
 * aggregate time distribution of Bhagat et al., "Buy It Again", KDD 2018, with a median for its
 * location, and our own floor and prior where a product has few gaps: models/popularity/rebuy.h).
 * Time since a purchase is counted in whole days, so that an answer does not change by the second.
 */
#include "services/candidate/sources_known.h"

#include <math.h>

enum { GAPS_MAX = 16, OWN_GAPS_MIN = 2 };
#define DAY_MS INT64_C(86400000)
#define DUE_FROM .5      /* of the median: earlier is too early to ask */
#define OWN_DEVIATION .5 /* of somebody's own rhythm: e^.5, within two thirds more or less */
#define OWN_SHARE 1.     /* who came back twice comes back */

double vt__rebuy_timing(double days, double median, double deviation)
{
    double z = log(days / median) / deviation;
    return exp(-.5 * z * z);
}

static bool is_in(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

/* May be shown though it was seen. */
static bool is_allowed(const struct vt__gathering *gathering, uint32_t item)
{
    const struct vt_candidate_query *query = gathering->query;
    return vt_item_table_recommendable(gathering->items, item, gathering->now_ms) &&
           vt_filter_passes(gathering->filter, gathering->items, item, gathering->now_ms) &&
           !is_in(query->exclude, query->n_exclude, item) &&
           !is_in(query->context, query->n_context, item) &&
           !is_in(gathering->disliked, gathering->n_disliked, item);
}

static bool is_ordered(unsigned type)
{
    return type == VT_EVENT_ORDER || type == VT_EVENT_PURCHASE;
}

static bool stood_before(const struct vt_candidate_query *query, uint32_t e)
{
    for (uint32_t before = 0; before < e; before++)
        if (query->history[before].item == query->history[e].item &&
            vt_candidate_is_seen(query->history[before].type))
            return true;
    return false;
}

static bool is_bought_at_all(const struct vt_candidate_query *query, uint32_t item)
{
    for (uint32_t e = 0; e < query->n_history; e++)
        if (query->history[e].item == item && vt_candidate_is_bought(query->history[e].type))
            return true;
    return false;
}

static void find_viewed(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    uint32_t n_found = 0, budget = vt__budget(query, VT_SOURCE_RECENTLY_VIEWED);
    for (uint32_t e = 0; e < query->n_history && n_found < budget; e++) {
        const struct vt_history_event *event = &query->history[e];
        if (event->item == 0 || !vt_candidate_is_seen(event->type) || stood_before(query, e) ||
            is_bought_at_all(query, event->item) || !is_allowed(gathering, event->item))
            continue;
        struct vt__found *found = vt__sources_add(
            gathering, event->item, vt_bundle_row(gathering->bundle, event->item), n_found);
        if (found == NULL)
            return;
        found->viewed = 1 / (1 + (float)n_found++);
    }
}

/* ---- buy again ---- */

/* An item's rhythm, for this customer. */
struct rhythm {
    double median, deviation, share; /* days; median 0: not known */
};

/* Insertion, as the gaps are few. */
static double median_of(double *gaps, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0 && gaps[j] < gaps[j - 1]; j--) {
            double kept = gaps[j];
            gaps[j] = gaps[j - 1];
            gaps[j - 1] = kept;
        }
    return n % 2 != 0 ? gaps[n / 2] : .5 * (gaps[n / 2 - 1] + gaps[n / 2]);
}

static struct rhythm rhythm_of(const struct vt__gathering *gathering, uint32_t first)
{
    const struct vt_candidate_query *query = gathering->query;
    const struct vt_bundle_view *view = gathering->view;
    double gaps[GAPS_MAX];
    uint32_t n_gaps = 0, item = query->history[first].item;
    int64_t day = query->history[first].time_ms / DAY_MS;
    for (uint32_t e = first + 1; e < query->n_history && n_gaps < GAPS_MAX; e++) {
        const struct vt_history_event *event = &query->history[e];
        int64_t before = event->time_ms / DAY_MS;
        if (event->item != item || !is_ordered(event->type) || before >= day)
            continue;
        gaps[n_gaps++] = (double)(day - before);
        day = before;
    }
    if (n_gaps >= OWN_GAPS_MIN)
        return (struct rhythm){median_of(gaps, n_gaps), OWN_DEVIATION, OWN_SHARE};
    uint32_t row = vt_bundle_row(gathering->bundle, item);
    if (row == UINT32_MAX || view->rebuy == NULL)
        return (struct rhythm){0};
    const float *rebuy = view->rebuy + (size_t)row * VT_BUNDLE_REBUY_COLUMNS;
    return (struct rhythm){(double)rebuy[0], (double)rebuy[1], (double)rebuy[2]};
}

/* Whether this is the newest purchase of its item. */
static bool is_newest_order(const struct vt_candidate_query *query, uint32_t e)
{
    for (uint32_t before = 0; before < e; before++)
        if (query->history[before].item == query->history[e].item &&
            is_ordered(query->history[before].type))
            return false;
    return is_ordered(query->history[e].type) && query->history[e].item != 0;
}

static float due_score(const struct vt__gathering *gathering, uint32_t e)
{
    struct rhythm rhythm = rhythm_of(gathering, e);
    int64_t days = gathering->now_ms / DAY_MS - gathering->query->history[e].time_ms / DAY_MS;
    if (!(rhythm.median > 0) || !(rhythm.deviation > 0) || days < 1 ||
        (double)days < DUE_FROM * rhythm.median)
        return 0;
    return (float)(rhythm.share * vt__rebuy_timing((double)days, rhythm.median, rhythm.deviation));
}

/* The best `budget` of what is due, as hits whose row is a place in the history. */
static void find_again(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    struct vt_top top = {.hits = gathering->scratch->hits,
                         .capacity = vt__budget(query, VT_SOURCE_BUY_AGAIN)};
    for (uint32_t e = 0; e < query->n_history && top.capacity > 0; e++) {
        if (!is_newest_order(query, e) || !is_allowed(gathering, query->history[e].item))
            continue;
        struct vt_index_hit hit = {.score = (double)due_score(gathering, e), .row = e};
        if (hit.score > 0 && vt_top_would_enter(&top, hit))
            vt_top_offer(&top, hit);
    }
    vt_top_sort(&top);
    for (uint32_t i = 0; i < top.n; i++) {
        uint32_t item = query->history[top.hits[i].row].item;
        struct vt__found *found =
            vt__sources_add(gathering, item, vt_bundle_row(gathering->bundle, item), i);
        if (found == NULL)
            return;
        found->again = (float)top.hits[i].score;
    }
}

/* ---- campaigns ---- */

static bool may_stand(const struct vt__gathering *gathering, uint32_t item, uint32_t row)
{
    return row != UINT32_MAX ? vt__sources_allow(gathering, row)
                             : vt__sources_allow_newcomer(gathering, item);
}

static void find_campaign(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    uint32_t n_found = 0, budget = vt__budget(query, VT_SOURCE_CAMPAIGN);
    for (uint32_t i = 0; i < query->n_campaign && n_found < budget; i++) {
        uint32_t item = query->campaign[i], row = vt_bundle_row(gathering->bundle, item);
        if (!may_stand(gathering, item, row))
            continue;
        struct vt__found *found = vt__sources_add(gathering, item, row, n_found++);
        if (found == NULL)
            return;
        found->campaign = true;
    }
}

/* ---- the whole ---- */

void vt__known_find(struct vt__gathering *gathering)
{
    find_viewed(gathering);
    find_again(gathering);
    find_campaign(gathering);
}

void vt__known_score(const struct vt__found *found, struct vt_candidate *candidate)
{
    if (found->viewed > 0)
        vt__sources_set_score(candidate, VT_SOURCE_RECENTLY_VIEWED, (double)found->viewed);
    if (found->again > 0)
        vt__sources_set_score(candidate, VT_SOURCE_BUY_AGAIN, (double)found->again);
    if (found->group > 0)
        vt__sources_set_score(candidate, VT_SOURCE_GROUP, (double)found->group);
    if (found->campaign)
        vt__sources_set_score(candidate, VT_SOURCE_CAMPAIGN, 1);
}
