#ifndef VT_FACTOR_EXCHANGE_H
#define VT_FACTOR_EXCHANGE_H

#include "models/factor/ials_internal.h"

/*
 * Factors of other ranks, a block at a time. The own rows of a matrix are cut into runs whose
 * columns name at most so many different rows of the other side; before a run is solved, these are
 * fetched from their owners into one block. The plan rewrites the matrix's columns to places in the
 * block of their run, in the same order: a row is then solved as ever, from the same numbers.
 */
struct vt__exchange {
    uint32_t n_runs, n_rounds; /* own; the most of any rank: fetching is a round of all */
    uint32_t *run_rows;        /* n_runs + 1: first own row of each. Owned, as all below */
    uint64_t *run_wanted;      /* n_runs + 1: where its part of `wanted` begins */
    uint32_t *wanted;          /* rows of the other side, ascending within a run */
    float *block, *sent;       /* block_rows × stride each */
    uint32_t *asked;           /* ids that another rank wants of this one: block_rows */
    uint32_t block_rows;       /* of the largest run of any rank */
};

/* Runs of `matrix` (own rows, columns of the whole other side; its columns are rewritten), in
 * blocks of about `rows_max`: more only when VT__BLOCK_ROWS rows alone name more. All ranks call it
 * together. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__exchange_plan(const struct vt_group *group, struct vt_sparse *matrix,
                                            uint32_t rows_max, uint32_t stride,
                                            struct vt__exchange *ret_exchange);
void vt__exchange_fini(struct vt__exchange *exchange); /* zeroed is allowed */

/* All ranks together, for round < n_rounds: fills `block` with what run `round` wants of `fixed`,
 * the own rows of a side divided by `share`. A rank without such a run only gives. */
VT_MUST_USE struct vt_err vt__exchange_fetch(const struct vt_group *group,
                                             struct vt__exchange *exchange, uint32_t round,
                                             const struct vt__factors *fixed,
                                             const struct vt__share *share);

#endif
