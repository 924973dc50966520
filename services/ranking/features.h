#ifndef VT_RANKING_FEATURES_H
#define VT_RANKING_FEATURES_H

#include "models/bundle/bundle.h"
#include "models/rank/row.h"
#include "services/candidate/candidate.h"
#include "services/common/catalog/item_table.h"
#include "services/ranking/sight.h"

/*
 * From a list of candidates to the rows that a version's trees are asked about, and to their
 * answer. Training makes its examples through the same functions, from the same candidates.
 */

/* What the catalog says of a candidate. */
struct vt_ranking_fact {
    double price;           /* 0: not known */
    int64_t create_time_ms; /* 0: not known */
};
/* Reads them, in the order of the candidates; `ret_facts` is n long. */
void vt_ranking_facts_read(struct vt_sight *sight, const struct vt_candidate *candidates,
                           uint32_t n, struct vt_ranking_fact *ret_facts);

/* What all candidates of one list have in common. */
struct vt_ranking_list {
    const struct vt_candidate *candidates; /* borrowed */
    const struct vt_ranking_fact *facts;   /* by candidate; borrowed */
    uint32_t n;
    struct vt_rank_customer customer;
    struct vt_rank_bests bests;
};

/* Fills `list`, whose candidates and facts are set. Events newest first. O(n + n_events). */
void vt_ranking_list_make(struct vt_sight *sight, const struct vt_history_event *events,
                          uint32_t n_events, int64_t now_ms, struct vt_ranking_list *list);

/* The rows of candidates begin … begin + n - 1; ret_rows: n × features->n. No allocation. */
void vt_ranking_list_rows(const struct vt_ranking_list *list,
                          const struct vt_rank_features *features, uint32_t begin, uint32_t n,
                          float *ret_rows);

/* Whether a list can be asked about: the version has a ranker, and its own model knows the taste,
 * since only of such lists the ranker has learnt. */
bool vt_ranking_can_rank(const struct vt_bundle_view *view, const struct vt_candidate *candidates,
                         uint32_t n);

/* VT_SOURCE_RANKER of each candidate that the model has a score for. `candidates` are those of the
 * list. A few µs for a list of 200; the trees' own cost is in docs/numerics.md. */
void vt_ranking_rank(const struct vt_bundle_view *view, const struct vt_ranking_list *list,
                     struct vt_candidate *candidates);

/* The sources that the features are made of, as bits. */
uint32_t vt_ranking_sources_inside(const struct vt_rank_features *features);

#endif
