/*
 * Rank 0 reads the events, since the live store has one owner and the bundle one writer; each rank
 * gets its rows of the matrix by user and by item, and rank 0 keeps no more of the factors than its
 * own and the items, which it writes.
 */
#include "models/factor/distribute.h"

#include <stdlib.h>

#define OUT_OF_MEMORY VT_ERR(VT_EXHAUSTED, "out of memory for this rank's part of the training")

struct vt_err vt__job_agree(const struct vt_group *group, struct vt__job *job)
{
    VT_TRY(vt_group_broadcast(group, job, sizeof *job));
    job->user_share.rank = job->item_share.rank = group->rank;
    return vt_ok();
}

/* The entry at which each rank's rows begin, told by rank 0. */
static struct vt_err agree_entries(const struct vt_group *group, const struct vt__share *share,
                                   const struct vt_sparse *whole,
                                   uint64_t ret_entries[VT_GROUP_RANKS_MAX + 1])
{
    for (uint32_t rank = 0; whole != NULL && rank <= group->n_ranks; rank++)
        ret_entries[rank] = whole->starts[share->first[rank]];
    return vt_group_broadcast(group, ret_entries, (group->n_ranks + 1) * sizeof *ret_entries);
}

static struct vt_err allocate_rows(uint32_t n_rows, uint32_t n_cols, uint64_t n_entries,
                                   struct vt_sparse *ret_rows)
{
    struct vt_sparse rows = {
        .n_rows = n_rows,
        .n_cols = n_cols,
        .n_entries = n_entries,
        .starts = calloc((size_t)n_rows + 1, sizeof *rows.starts),
        .columns = calloc(n_entries + 1, sizeof *rows.columns),
        .values = calloc(n_entries + 1, sizeof *rows.values),
    };
    if (rows.starts == NULL || rows.columns == NULL || rows.values == NULL) {
        vt_sparse_free(&rows);
        return OUT_OF_MEMORY;
    }
    *ret_rows = rows;
    return vt_ok();
}

static struct vt_err deal_arrays(const struct vt_group *group, const struct vt__share *share,
                                 const uint64_t *entries, const struct vt_sparse *whole,
                                 struct vt_sparse *rows)
{
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    const uint64_t base = entries[group->rank];
    vt__share_row_bounds(share, sizeof *rows->starts, bounds);
    VT_TRY(vt_group_scatter(group, bounds, whole != NULL ? whole->starts : NULL, rows->starts));
    for (uint32_t row = 0; row < rows->n_rows; row++)
        rows->starts[row] -= base;
    rows->starts[rows->n_rows] = rows->n_entries;
    for (uint32_t rank = 0; rank <= group->n_ranks; rank++)
        bounds[rank] = entries[rank] * sizeof *rows->columns; /* values are as long */
    VT_TRY(vt_group_scatter(group, bounds, whole != NULL ? whole->columns : NULL, rows->columns));
    return vt_group_scatter(group, bounds, whole != NULL ? whole->values : NULL, rows->values);
}

struct vt_err vt__deal_rows(const struct vt_group *group, const struct vt__share *share,
                            uint32_t n_cols, const struct vt_sparse *whole,
                            struct vt_sparse *ret_rows)
{
    struct vt_sparse rows;
    uint64_t entries[VT_GROUP_RANKS_MAX + 1];
    VT_TRY(agree_entries(group, share, whole, entries));
    VT_TRY(allocate_rows(vt__share_rows(share), n_cols,
                         entries[group->rank + 1] - entries[group->rank], &rows));
    struct vt_err err = deal_arrays(group, share, entries, whole, &rows);
    if (vt_failed(err))
        vt_sparse_free(&rows);
    else
        *ret_rows = rows;
    return err;
}

struct vt_err vt__deal_factors(const struct vt_group *group, const struct vt__share *share,
                               const float *whole, uint32_t stride, struct vt__factors *factors)
{
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    float *part = malloc(((size_t)vt__share_rows(share) * stride + 1) * sizeof *part);
    VT_CHECK(part != NULL, VT_EXHAUSTED, "out of memory for the first factors");
    vt__share_row_bounds(share, stride * sizeof *part, bounds);
    struct vt_err err = vt_group_scatter(group, bounds, whole, part);
    if (!vt_failed(err))
        vt__factors_copy(factors, part, stride);
    free(part);
    return err;
}

struct vt_err vt__collect_factors(const struct vt_group *group, const struct vt__share *share,
                                  const struct vt__factors *factors, float *ret_whole)
{
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    vt__share_row_bounds(share, factors->stride * sizeof *factors->values, bounds);
    return vt_group_gather(group, bounds, factors->values, ret_whole);
}
