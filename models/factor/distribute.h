#ifndef VT_FACTOR_DISTRIBUTE_H
#define VT_FACTOR_DISTRIBUTE_H

#include "models/factor/ials_internal.h"

/* What rank 0 tells the others of a training. Ranks run the same program: it goes as it is. */
struct vt__job {
    bool is_training; /* false: there is no more to do */
    bool is_watched;  /* rank 0 wants the items after each iteration */
    bool starts_with_items, starts_with_users;
    struct vt_ials_options options; /* its pointers mean nothing elsewhere */
    double unobserved_weight;
    struct vt__share user_share, item_share; /* rank 0's; the others set their rank */
};

/* What there is to do, from rank 0; then all know. */
VT_MUST_USE struct vt_err vt__job_agree(const struct vt_group *group, struct vt__job *job);

/* The rows of `whole` (rank 0's; NULL elsewhere) that `share` gives to this rank; owned. */
VT_MUST_USE struct vt_err vt__deal_rows(const struct vt_group *group, const struct vt__share *share,
                                        uint32_t n_cols, const struct vt_sparse *whole,
                                        struct vt_sparse *ret_rows);
/* The same of factors, n_rows × stride on rank 0, into this rank's. */
VT_MUST_USE struct vt_err vt__deal_factors(const struct vt_group *group,
                                           const struct vt__share *share, const float *whole,
                                           uint32_t stride, struct vt__factors *factors);
/* The way back: `ret_whole` is n_rows × factors->stride on rank 0, NULL elsewhere. */
VT_MUST_USE struct vt_err vt__collect_factors(const struct vt_group *group,
                                              const struct vt__share *share,
                                              const struct vt__factors *factors, float *ret_whole);

#endif
