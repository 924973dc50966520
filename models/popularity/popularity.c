/*
 * Popularity: the baseline that every other family must beat, the answer for a customer without a
 * history, and the last resort when a service of the cell is away. One pass over the matrix.
 */
#include "models/popularity/popularity.h"

#include <math.h>
#include <stdlib.h>

struct vt_err vt_popularity_train(const struct vt_sparse *matrix, float *ret_popularity)
{
    double *sums = calloc((size_t)matrix->n_cols + 1, sizeof *sums);
    VT_CHECK(sums != NULL, VT_EXHAUSTED, "out of memory for popularity");
    for (uint64_t i = 0; i < matrix->n_entries; i++) {
        double weight = (double)matrix->values[i];
        sums[matrix->columns[i]] += weight / (1 + fabs(weight));
    }
    for (uint32_t column = 0; column < matrix->n_cols; column++)
        ret_popularity[column] = (float)fmax(sums[column], 0);
    free(sums);
    return vt_ok();
}
