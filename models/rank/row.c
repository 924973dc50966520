/*
 * Features come from one table: a name, the kind of number, and for scores which one. Scores stand
 * as they are and as a share of the list's largest, since sums over a history grow with it. Amounts
 * that span orders of magnitude are logarithms; a price counts by itself and against what the
 * customer usually pays. All arithmetic is double, rounded to float once at the end.
 */
#include "models/rank/row.h"

#include <math.h>
#include <string.h>

#define DAY_MS 86400000.0

enum kind {
    SCORE,
    SCORE_OF_BEST,
    ITEM_AGE,
    ITEM_PRICE,
    PRICE_TO_CUSTOMER,
    CUSTOMER_EVENTS,
    CUSTOMER_RECENCY,
    CUSTOMER_PRICE
};

/* Names are part of what is on disk: they may be added to, and never change their meaning. */
static const struct {
    const char *name;
    enum kind kind;
    enum vt_rank_score score;
} table[] = {
    {"model", SCORE, VT_RANK_SCORE_MODEL},
    {"model_of_best", SCORE_OF_BEST, VT_RANK_SCORE_MODEL},
    {"factor", SCORE, VT_RANK_SCORE_FACTOR},
    {"factor_of_best", SCORE_OF_BEST, VT_RANK_SCORE_FACTOR},
    {"kernel", SCORE, VT_RANK_SCORE_KERNEL},
    {"kernel_of_best", SCORE_OF_BEST, VT_RANK_SCORE_KERNEL},
    {"neighbor", SCORE, VT_RANK_SCORE_NEIGHBOR},
    {"neighbor_of_best", SCORE_OF_BEST, VT_RANK_SCORE_NEIGHBOR},
    {"popular", SCORE, VT_RANK_SCORE_POPULAR},
    {"popular_of_best", SCORE_OF_BEST, VT_RANK_SCORE_POPULAR},
    {"together", SCORE, VT_RANK_SCORE_TOGETHER},
    {"trending", SCORE, VT_RANK_SCORE_TRENDING},
    {.name = "age", .kind = ITEM_AGE},
    {.name = "price", .kind = ITEM_PRICE},
    {.name = "price_to_customer", .kind = PRICE_TO_CUSTOMER},
    {.name = "customer_events", .kind = CUSTOMER_EVENTS},
    {.name = "customer_recency", .kind = CUSTOMER_RECENCY},
    {.name = "customer_price", .kind = CUSTOMER_PRICE},
};
enum { N_FEATURES = sizeof table / sizeof table[0] };
_Static_assert((int)N_FEATURES <= (int)VT_RANK_FEATURES_MAX, "a version can name them all");

/* ---- which there are ---- */

void vt_rank_features_all(struct vt_rank_features *ret_features)
{
    ret_features->n = N_FEATURES;
    for (unsigned id = 0; id < N_FEATURES; id++)
        ret_features->ids[id] = (uint8_t)id;
}

const char *vt_rank_feature_name(uint8_t id)
{
    return table[id].name;
}

bool vt_rank_feature_find(const char *name, uint8_t *ret_id)
{
    for (unsigned id = 0; id < N_FEATURES; id++)
        if (strcmp(table[id].name, name) == 0) {
            *ret_id = (uint8_t)id;
            return true;
        }
    return false;
}

bool vt_rank_features_use(const struct vt_rank_features *features, enum vt_rank_score score)
{
    for (uint32_t f = 0; f < features->n; f++) {
        enum kind kind = table[features->ids[f]].kind;
        if ((kind == SCORE || kind == SCORE_OF_BEST) && table[features->ids[f]].score == score)
            return true;
    }
    return false;
}

/* ---- the customer ---- */

/* ln(1 + days); a clock that is behind the event's reads as no time at all. */
static double days_log(int64_t from_ms, int64_t now_ms)
{
    return log1p(fmax((double)(now_ms - from_ms), 0) / DAY_MS);
}

void vt_rank_customer_make(const struct vt_history_event *events, uint32_t n_events, int64_t now_ms,
                           vt_rank_price_fn price_of, const void *ctx,
                           struct vt_rank_customer *ret_customer)
{
    uint32_t n = 0, n_priced = 0;
    int64_t newest_ms = 0;
    double sum = 0;
    for (uint32_t e = 0; e < n_events; e++) {
        if (events[e].item == 0)
            continue;
        newest_ms = events[e].time_ms > newest_ms ? events[e].time_ms : newest_ms;
        double price = n++ < VT_RANK_PRICE_EVENTS ? price_of(ctx, events[e].item) : 0;
        if (!(price > 0))
            continue;
        sum += log(price);
        n_priced++;
    }
    *ret_customer = (struct vt_rank_customer){
        .now_ms = now_ms,
        .events_log = log1p((double)n),
        .recency_log =
            newest_ms >= VT_EVENT_TIME_MIN_MS ? days_log(newest_ms, now_ms) : (double)NAN,
        .mean_price_log = n_priced > 0 ? sum / n_priced : (double)NAN,
    };
}

/* ---- rows ---- */

void vt_rank_bests_add(const struct vt_rank_candidate *candidates, uint32_t n,
                       struct vt_rank_bests *bests)
{
    for (uint32_t i = 0; i < n; i++)
        for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++) /* fmax passes NaN over */
            bests->largest[s] = fmax(bests->largest[s], fabs(candidates[i].scores[s]));
}

/* An item that is newer than the moment tells nothing: it was imported later than it was sold. */
static double age_log(const struct vt_rank_candidate *candidate, int64_t now_ms)
{
    bool known = candidate->create_time_ms > 0 && candidate->create_time_ms <= now_ms;
    return known ? days_log(candidate->create_time_ms, now_ms) : (double)NAN;
}

static double share_of(double score, double largest)
{
    return largest > 0 ? score / largest : score;
}

static double value_of(uint8_t id, const struct vt_rank_customer *customer,
                       const struct vt_rank_bests *bests, const struct vt_rank_candidate *candidate,
                       double price_log)
{
    const enum vt_rank_score score = table[id].score;
    switch (table[id].kind) {
    case SCORE:
        return candidate->scores[score];
    case SCORE_OF_BEST:
        return share_of(candidate->scores[score], bests->largest[score]);
    case ITEM_AGE:
        return age_log(candidate, customer->now_ms);
    case ITEM_PRICE:
        return price_log;
    case PRICE_TO_CUSTOMER:
        return price_log - customer->mean_price_log;
    case CUSTOMER_EVENTS:
        return customer->events_log;
    case CUSTOMER_RECENCY:
        return customer->recency_log;
    case CUSTOMER_PRICE:
        return customer->mean_price_log;
    }
    return (double)NAN;
}

void vt_rank_rows(const struct vt_rank_features *features, const struct vt_rank_customer *customer,
                  const struct vt_rank_bests *bests, const struct vt_rank_candidate *candidates,
                  uint32_t n, float *ret_rows)
{
    for (uint32_t i = 0; i < n; i++) {
        const double price = candidates[i].price;
        const double price_log = price > 0 ? log(price) : (double)NAN;
        for (uint32_t f = 0; f < features->n; f++)
            *ret_rows++ =
                (float)value_of(features->ids[f], customer, bests, &candidates[i], price_log);
    }
}
