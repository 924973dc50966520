/*
 * Parting a matrix by its entries: one pass, in order, into two of the same shape.
 */
#include "models/dataset/part.h"

#include "models/dataset/mix.h"

#include <stdlib.h>

bool vt_part_hash(uint64_t seed, uint64_t value, uint64_t one_in)
{
    return vt_mix64(vt_mix64(seed) + value) % one_in == 0;
}

static struct vt_err allocate(const struct vt_sparse *matrix, struct vt_sparse *ret)
{
    *ret = (struct vt_sparse){
        .n_rows = matrix->n_rows,
        .n_cols = matrix->n_cols,
        .starts = calloc((size_t)matrix->n_rows + 1, sizeof *ret->starts),
        .columns = calloc(matrix->n_entries + 1, sizeof *ret->columns),
        .values = calloc(matrix->n_entries + 1, sizeof *ret->values),
    };
    VT_CHECK(ret->starts != NULL && ret->columns != NULL && ret->values != NULL, VT_EXHAUSTED,
             "out of memory for parts of a matrix");
    return vt_ok();
}

static void append(struct vt_sparse *to, const struct vt_sparse *from, uint64_t e)
{
    to->columns[to->n_entries] = from->columns[e];
    to->values[to->n_entries++] = from->values[e];
}

struct vt_err vt_sparse_part(const struct vt_sparse *matrix, vt_part_fn goes_second,
                             const void *ctx, struct vt_sparse *ret_first,
                             struct vt_sparse *ret_second)
{
    struct vt_sparse first = {0}, second = {0};
    struct vt_err err = allocate(matrix, &first);
    if (!vt_failed(err))
        err = allocate(matrix, &second);
    if (vt_failed(err)) {
        vt_sparse_free(&first);
        vt_sparse_free(&second);
        return err;
    }
    for (uint32_t row = 0; row < matrix->n_rows; row++) {
        for (uint64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++)
            append(goes_second(ctx, row, matrix->columns[e], matrix->values[e]) ? &second : &first,
                   matrix, e);
        first.starts[row + 1] = first.n_entries;
        second.starts[row + 1] = second.n_entries;
    }
    *ret_first = first;
    *ret_second = second;
    return vt_ok();
}
