/*
 * The customers that training is stopped by: of every tenth (at most about a thousand), one item in
 * five. By hash, so that the same matrix and seed keep back the same.
 */
#include "models/dataset/part.h"
#include "models/deep/deep_internal.h"

#include <stdlib.h>

enum { ONE_USER_IN = 10, ONE_ITEM_IN = 5, WANTED_MIN = 5 };

struct choice {
    const struct vt_sparse *matrix;
    uint64_t seed, one_user_in;
};

static bool is_asked(const struct choice *choice, uint32_t user)
{
    const struct vt_sparse *matrix = choice->matrix;
    uint64_t wanted = 0;
    if (!vt_part_hash(choice->seed, user, choice->one_user_in))
        return false;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        wanted += matrix->values[e] > 0 ? 1 : 0;
    return wanted >= WANTED_MIN;
}

static bool is_held(const void *ctx, uint32_t user, uint32_t item, float value)
{
    const struct choice *choice = ctx;
    return value > 0 && vt_part_hash(choice->seed + 1 + user, item, ONE_ITEM_IN) &&
           is_asked(choice, user);
}

struct vt_err vt__keep_back(const struct vt_sparse *matrix, uint64_t seed,
                            struct vt__kept_back *ret_kept_back)
{
    struct choice choice = {matrix, seed, matrix->n_rows / VT__KEPT_BACK_USERS_MAX};
    if (choice.one_user_in < ONE_USER_IN)
        choice.one_user_in = ONE_USER_IN;
    VT_TRY(vt_sparse_part(matrix, is_held, &choice, &ret_kept_back->train, &ret_kept_back->test));
    ret_kept_back->any = ret_kept_back->test.n_entries > 0;
    return vt_ok();
}

void vt__kept_back_free(struct vt__kept_back *kept_back)
{
    vt_sparse_free(&kept_back->train);
    vt_sparse_free(&kept_back->test);
}
