#ifndef VT_ALGORITHM_BOOSTED_INTERNAL_H
#define VT_ALGORITHM_BOOSTED_INTERNAL_H

#include "models/algorithm/algorithm_internal.h"
#include "models/rank/boost.h"
#include "models/rank/features.h"

/* The families whose candidates are ranked, trained on one matrix. Immutable once trained. */
struct vt__sources {
    struct vt_trained trained[VT_RANK_SOURCES_MAX];
    struct vt_rank_pool pool;
    float *popularity_log; /* owned */
    size_t source_scratch_bytes;
};
VT_MUST_USE struct vt_err vt__sources_train(const struct vt_sparse *matrix,
                                            const struct vt_algorithm_options *options,
                                            struct vt_diag *diag, struct vt__sources *ret_sources);
void vt__sources_free(struct vt__sources *sources); /* zeroed is allowed */
/* What training them all takes. */
struct vt_need vt__sources_need(const struct vt_shape *shape,
                                const struct vt_algorithm_options *options);

/* The candidates of one history, in memory of the caller. */
struct vt__candidates {
    double *z, *sums;                  /* n_sources × n_items, n_items */
    struct vt_index_hit *hits, *order; /* n_candidates each */
    float *rows;                       /* n_candidates × features */
    float *scores;                     /* n_candidates: room for the ranker's */
    uint32_t n;
};
/* 16-byte aligned scratch for one vt__sources_candidates. */
size_t vt__candidates_bytes(const struct vt__sources *sources);
VT_MUST_USE struct vt_err vt__sources_candidates(const struct vt__sources *sources,
                                                 const struct vt_rank_history *history,
                                                 void *scratch,
                                                 struct vt__candidates *ret_candidates);

/* Examples by what they are for; a customer is in one part only. */
enum vt__example_part {
    VT__PART_TRAIN,
    VT__PART_VALIDATION,  /* how many trees */
    VT__PART_CALIBRATION, /* from score to probability */
    VT__PART_MEASURE,     /* how reliable that is */
    VT__PART_COUNT
};
struct vt__examples {
    struct vt_boost_examples part[VT__PART_COUNT]; /* borrows the arrays below */
    float *features, *labels;                      /* owned */
    uint32_t *group_sizes;                         /* owned */
};
/* The candidates of customers with something in `after`, from what `before` knows of them; label 1:
 * it is in `after`. At most about options->boosted.users customers. The same bytes for any thread
 * count. VT_INVALID when nobody has anything in `after`; VT_EXHAUSTED; errors of the sources. */
VT_MUST_USE struct vt_err
vt__examples_make(const struct vt__sources *sources, const struct vt_sparse *before,
                  const struct vt_sparse *after, const struct vt_algorithm_options *options,
                  struct vt_diag *diag, struct vt__examples *ret_examples);
void vt__examples_free(struct vt__examples *examples); /* zeroed is allowed */

#endif
