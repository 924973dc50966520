#ifndef VT_CANDIDATE_SOURCES_H
#define VT_CANDIDATE_SOURCES_H

#include "models/index/index.h"
#include "services/candidate/scratch.h"
#include "services/candidate/taste.h"

/* (score − mean) · by; by 0: the member says nothing. */
struct vt__scale {
    double mean, by;
};
struct vt__model_scales {
    struct vt__scale factor, kernel, neighbor, popular;
};

/* One request's gathering: what the sources read and where they put what they find. */
struct vt__gathering {
    const struct vt_bundle *bundle;
    const struct vt_bundle_view *view;
    struct vt_item_table *items; /* entered */
    int64_t now_ms;
    const struct vt_candidate_query *query;
    const struct vt_filter_lease *filter; /* may be empty */
    const struct vt__taste *taste;
    const uint32_t *disliked; /* of the history, whether the bundle has them or not */
    uint32_t n_disliked;
    struct vt__scratch *scratch;
    bool has_vector;     /* scratch->vector is set */
    double vector_scale; /* what a factor measure is divided by: 1, or the vector's norm */
    bool has_model;      /* `scales` are set: model_score.h */
    struct vt__model_scales scales;
    const struct vt__newcomer_table *newcomers; /* NULL: none for this version */
    double best_neighbor_score; /* before what is disliked takes its share; 0 without dislikes */
};

/* Marks seen, context, excluded and disliked rows, and what the filter is known to leave out. */
void vt__sources_exclude(struct vt__gathering *gathering);
/* Folds the taste into the query vector: the ridge solution, or for "alike" the sum of the items'
 * directions. No vector without taste or factors. */
VT_MUST_USE struct vt_err vt__sources_fold_in(struct vt__gathering *gathering);
/* Sums neighbours of the taste into the cells, less those of what is disliked; needed before they
 * can be found or scored. */
void vt__sources_sum_neighbors(struct vt__gathering *gathering);

/* Each adds what it finds to scratch->found, best first. */
VT_MUST_USE struct vt_err vt__sources_find_factor(struct vt__gathering *gathering);
/* From the cells that vt__sources_sum_neighbors filled. */
void vt__sources_find_neighbors(struct vt__gathering *gathering);
/* By the bundle's popularity, then what it does not know yet by live counts; at most the budget of
 * each. */
void vt__sources_find_popular(struct vt__gathering *gathering);
/* The newest recommendable items that the bundle does not know; at most the budget. */
void vt__sources_find_new(struct vt__gathering *gathering);
/* What the last search put into scratch->hits, best first. */
void vt__sources_add_hits(struct vt__gathering *gathering, uint32_t n_hits);
/* Not excluded, and recommendable. */
bool vt__sources_allow(const struct vt__gathering *gathering, uint32_t row);
/* Adds an item at this place of a source, or finds it added already; NULL when there is no room. */
struct vt__found *vt__sources_add(struct vt__gathering *gathering, uint32_t item, uint32_t row,
                                  uint32_t rank);

/* What the factors say of a found item with a row, worked out once: the measure that the search
 * goes by. With has_vector only. */
double vt__sources_factor(const struct vt__gathering *gathering, struct vt__found *found);

/* As vt__sources_allow, of an item without a row. */
bool vt__sources_allow_newcomer(const struct vt__gathering *gathering, uint32_t item);

static inline const float *vt__row_factors(const struct vt_bundle_view *view, uint32_t row)
{
    return view->item_factors + (size_t)row * view->factor_stride;
}

static inline void vt__sources_set_score(struct vt_candidate *candidate, enum vt_source source,
                                         double score)
{
    candidate->scores[source] = score;
    candidate->sources |= 1U << source;
}

/* Every score that the model can give the item, and the item that speaks most for it. */
struct vt_candidate vt__sources_score(const struct vt__gathering *gathering,
                                      struct vt__found *found);
/* Leaves the scratch as it was found: zero. */
void vt__sources_clean(struct vt__gathering *gathering);

#endif
