/* The life of an index, and the measure it orders by. */
#include "models/index/index_internal.h"

#include <math.h>
#include <stdlib.h>

static bool norm_of(const float *row, uint32_t dim, float *ret_norm)
{
    double sum = 0;
    for (uint32_t d = 0; d < dim; d++)
        sum += (double)row[d] * (double)row[d];
    *ret_norm = vt__rounded_up(sqrt(sum));
    return isfinite(sum); /* squares of finite floats cannot overflow double */
}

static struct vt_err measure_norms(struct vt_index *index)
{
    const struct vt_index_rows *rows = &index->rows;
    for (uint32_t r = 0; r < rows->n_rows; r++)
        VT_CHECK(norm_of(rows->factors + (size_t)r * rows->row_stride, rows->dim, &index->norms[r]),
                 VT_CORRUPT, "an item factor is not finite");
    return vt_ok();
}

struct vt_err vt_index_new(const struct vt_index_rows *rows, struct vt_index **ret_index)
{
    VT_CHECK(rows->dim > 0 && rows->dim <= VT_INDEX_DIM_MAX && rows->row_stride >= rows->dim,
             VT_INVALID, "an index wants 1 to 1024 dimensions and a stride not below");
    struct vt_index *index = calloc(1, sizeof *index + rows->n_rows * sizeof index->norms[0]);
    VT_CHECK(index != NULL, VT_EXHAUSTED, "no memory for the index");
    index->rows = *rows;
    struct vt_err err = measure_norms(index);
    if (!vt_failed(err))
        err = vt__blocks_make(index);
    if (vt_failed(err))
        vt_index_free(index);
    else
        *ret_index = index;
    return err;
}

void vt_index_free(struct vt_index *index)
{
    if (index == NULL)
        return;
    vt__blocks_free(&index->blocks);
    vt__groups_free(&index->groups);
    free(index->bands);
    free(index);
}

float vt_index_norm(const struct vt_index *index, uint32_t row)
{
    return index->norms[row];
}

double vt_index_score(const struct vt_index *index, enum vt_index_measure measure, uint32_t row,
                      const float *vector)
{
    return vt__index_measure(index, vt_kernels(), measure, vector, row);
}

static uint64_t bytes_of(const struct vt__blocks *blocks)
{
    uint64_t n_places = (uint64_t)blocks->n_blocks * VT_SCAN_ROWS;
    return n_places * blocks->n_steps * VT_SCAN_STEP +
           n_places * (sizeof *blocks->scales + sizeof *blocks->rows) +
           blocks->n_blocks * sizeof *blocks->bounds;
}

uint64_t vt_index_bytes(const struct vt_index *index)
{
    const struct vt__groups *groups = &index->groups;
    return sizeof *index + index->rows.n_rows * sizeof index->norms[0] +
           index->n_bands * sizeof *index->bands + bytes_of(&index->blocks) +
           bytes_of(&groups->blocks) +
           (uint64_t)groups->blocks.n_blocks * VT_SCAN_ROWS * sizeof *groups->n_rows;
}
