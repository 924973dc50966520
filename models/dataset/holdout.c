/*
 * Parting a matrix by hashes of its places: no state, no order, so the same entry goes the same way
 * whatever else the matrix holds.
 */
#include "models/dataset/holdout.h"

#include "models/dataset/mix.h"

#include <stdbool.h>
#include <stdlib.h>

/* Uniform in [0, 1): 53 bits of the mixed value. */
static double uniform(uint64_t seed, uint64_t value)
{
    return (double)(vt_mix64(vt_mix64(seed * VT_MIX64_STEP + 1) ^ (value + 1) * VT_MIX64_STEP) >>
                    11) *
           0x1p-53;
}

static bool alloc_part(const struct vt_sparse *matrix, struct vt_sparse *ret_part)
{
    *ret_part = (struct vt_sparse){.n_rows = matrix->n_rows, .n_cols = matrix->n_cols};
    ret_part->starts = calloc((size_t)matrix->n_rows + 1, sizeof *ret_part->starts);
    ret_part->columns = calloc(matrix->n_entries + 1, sizeof *ret_part->columns);
    ret_part->values = calloc(matrix->n_entries + 1, sizeof *ret_part->values);
    return ret_part->starts != NULL && ret_part->columns != NULL && ret_part->values != NULL;
}

static void append(struct vt_sparse *part, uint32_t column, float value)
{
    part->columns[part->n_entries] = column;
    part->values[part->n_entries++] = value;
}

static void part_user(const struct vt_sparse *matrix, const struct vt_holdout_options *options,
                      uint32_t user, bool chosen, struct vt_sparse *train, struct vt_sparse *test)
{
    uint64_t n_left = matrix->starts[user + 1] - matrix->starts[user];
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
        uint64_t place = (uint64_t)user << 32 | matrix->columns[e];
        if (chosen && n_left > 1 && matrix->values[e] > 0 &&
            uniform(options->seed, place) < options->share) {
            append(test, matrix->columns[e], 1);
            n_left--;
        } else {
            append(train, matrix->columns[e], matrix->values[e]);
        }
    }
    train->starts[user + 1] = train->n_entries;
    test->starts[user + 1] = test->n_entries;
}

struct vt_err vt_holdout_make(const struct vt_sparse *matrix,
                              const struct vt_holdout_options *options, struct vt_sparse *ret_train,
                              struct vt_sparse *ret_test)
{
    struct vt_sparse train = {0}, test = {0};
    if (!alloc_part(matrix, &train) || !alloc_part(matrix, &test)) {
        vt_sparse_free(&train);
        vt_sparse_free(&test);
        return VT_ERR(VT_EXHAUSTED, "out of memory for a held-out part");
    }
    double users_share = (double)options->users_max / (double)matrix->n_rows;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        part_user(matrix, options, user, uniform(~options->seed, user) < users_share, &train,
                  &test);
    *ret_train = train;
    *ret_test = test;
    return vt_ok();
}
