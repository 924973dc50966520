/*
 * The customers that training is stopped by: of every tenth (at most a thousand), one item in five.
 * By hash, so that the same matrix and seed keep back the same.
 */
#include "models/dataset/mix.h"
#include "models/deep/deep_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ONE_USER_IN = 10, ONE_ITEM_IN = 5, WANTED_MIN = 5 };

static bool hash_says(uint64_t seed, uint64_t value, uint64_t one_in)
{
    return vt_mix64(vt_mix64(seed) + value) % one_in == 0;
}

static bool is_asked(const struct vt_sparse *matrix, uint32_t user, uint64_t seed,
                     uint64_t one_user_in)
{
    uint64_t wanted = 0;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        wanted += matrix->values[e] > 0 ? 1 : 0;
    return wanted >= WANTED_MIN && hash_says(seed, user, one_user_in);
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
             "out of memory for a validation part");
    return vt_ok();
}

static void append(struct vt_sparse *to, const struct vt_sparse *from, uint64_t e)
{
    to->columns[to->n_entries] = from->columns[e];
    to->values[to->n_entries++] = from->values[e];
}

static void part(const struct vt_sparse *matrix, uint64_t seed, struct vt__kept_back *ret)
{
    uint64_t one_user_in = matrix->n_rows / VT__KEPT_BACK_USERS_MAX;
    if (one_user_in < ONE_USER_IN)
        one_user_in = ONE_USER_IN;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        bool asked = is_asked(matrix, user, seed, one_user_in);
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
            bool held = asked && matrix->values[e] > 0 &&
                        hash_says(seed + 1 + user, matrix->columns[e], ONE_ITEM_IN);
            append(held ? &ret->test : &ret->train, matrix, e);
        }
        ret->train.starts[user + 1] = ret->train.n_entries;
        ret->test.starts[user + 1] = ret->test.n_entries;
    }
    ret->any = ret->test.n_entries > 0;
}

struct vt_err vt__keep_back(const struct vt_sparse *matrix, uint64_t seed,
                            struct vt__kept_back *ret_kept_back)
{
    struct vt__kept_back kept_back = {0};
    struct vt_err err = allocate(matrix, &kept_back.train);
    if (!vt_failed(err))
        err = allocate(matrix, &kept_back.test);
    if (vt_failed(err)) {
        vt__kept_back_free(&kept_back);
        return err;
    }
    part(matrix, seed, &kept_back);
    *ret_kept_back = kept_back;
    return vt_ok();
}

void vt__kept_back_free(struct vt__kept_back *kept_back)
{
    vt_sparse_free(&kept_back->train);
    vt_sparse_free(&kept_back->test);
}
