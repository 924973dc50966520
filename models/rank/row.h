#ifndef VT_RANK_ROW_H
#define VT_RANK_ROW_H

#include "services/common/base/event.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the served ranker knows of a candidate: how each source of candidates thinks of it, the item
 * itself, and the customer. The only place where a row is made: training and serving fill the same
 * plain structs and call the same functions, so that a row has the same bits in both. A version
 * names the features of its trees; a new one is a line of the table in row.c.
 */

/* The scores that a candidate came with. What is not here (new arrivals, campaigns, texts) has no
 * past to learn from and is added to the ranker's score as to any other. */
enum vt_rank_score {
    VT_RANK_SCORE_MODEL,
    VT_RANK_SCORE_FACTOR,
    VT_RANK_SCORE_KERNEL,
    VT_RANK_SCORE_NEIGHBOR,
    VT_RANK_SCORE_POPULAR,
    VT_RANK_SCORE_TOGETHER,
    VT_RANK_SCORE_TRENDING,
    VT_RANK_SCORE_COUNT
};

struct vt_rank_candidate {
    double scores[VT_RANK_SCORE_COUNT]; /* NaN: the source said nothing */
    double price;                       /* 0: not known */
    int64_t create_time_ms;             /* 0: not known */
};

struct vt_rank_customer {
    int64_t now_ms;        /* when the answer is given */
    double events_log;     /* ln(1 + events with an item) */
    double recency_log;    /* ln(1 + days since the newest event); NaN: times are not known */
    double mean_price_log; /* of the newest VT_RANK_PRICE_EVENTS events' items; NaN: none has one */
};
enum { VT_RANK_PRICE_EVENTS = 50 };

/* The largest magnitude of each score over a list. */
struct vt_rank_bests {
    double largest[VT_RANK_SCORE_COUNT];
};

/* A version's features, in the order of its trees. */
enum { VT_RANK_FEATURES_MAX = 32, VT_RANK_FEATURE_NAME_BYTES = 32 };
struct vt_rank_features {
    uint32_t n;
    uint8_t ids[VT_RANK_FEATURES_MAX]; /* places in the table of row.c */
};

/* Every feature there is. */
void vt_rank_features_all(struct vt_rank_features *ret_features);
/* "model", "price_to_customer" …; a literal. `id` is one of a struct vt_rank_features. */
const char *vt_rank_feature_name(uint8_t id);
/* False when there is no feature of that name. */
bool vt_rank_feature_find(const char *name, uint8_t *ret_id);
/* Whether one of the features is made of the score. */
bool vt_rank_features_use(const struct vt_rank_features *features, enum vt_rank_score score);

/* The price of an item, 0: not known. */
typedef double (*vt_rank_price_fn)(const void *ctx, uint32_t item);

/* Events newest first, as serving has them. O(n_events). */
void vt_rank_customer_make(const struct vt_history_event *events, uint32_t n_events, int64_t now_ms,
                           vt_rank_price_fn price_of, const void *ctx,
                           struct vt_rank_customer *ret_customer);

/* Zero it, then add all candidates of the list, at once or in parts. */
void vt_rank_bests_add(const struct vt_rank_candidate *candidates, uint32_t n,
                       struct vt_rank_bests *bests);

/* ret_rows: n × features->n; NaN: missing. Any thread, no allocation; about 50 ns a candidate. */
void vt_rank_rows(const struct vt_rank_features *features, const struct vt_rank_customer *customer,
                  const struct vt_rank_bests *bests, const struct vt_rank_candidate *candidates,
                  uint32_t n, float *ret_rows);

#endif
