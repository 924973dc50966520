/*
 * Whether an entry is held hangs on the seed and its place (user, item) alone: entries are ordered
 * by a hash and the first ones are held. So a user's validation part does not change when other
 * users come or go. Which users are asked is decided in the same way.
 */
#include "models/dataset/hold_out.h"

#include "models/dataset/mix.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
    uint64_t hash;
    uint32_t place; /* of a user in the matrix, or of an entry in its row */
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

struct holding {
    const struct vt_sparse *matrix;
    const struct vt_hold_out_options *options;
    struct ranked *order; /* the longer of users and a row */
    bool *is_asked;       /* by user */
    bool *is_held;        /* by entry */
};

static uint64_t hash_of(const struct holding *holding, uint32_t user, uint32_t what)
{
    return vt_mix64(vt_mix64(holding->options->seed * VT_MIX64_STEP + user) + what);
}

static uint32_t wanted_of(const struct vt_sparse *matrix, uint32_t user)
{
    uint32_t n = 0;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        n += matrix->values[e] > 0;
    return n;
}

static void choose_users(struct holding *holding)
{
    const uint32_t most = holding->options->users_max;
    uint32_t n = 0;
    for (uint32_t user = 0; user < holding->matrix->n_rows; user++)
        if (wanted_of(holding->matrix, user) >= 2)
            holding->order[n++] = (struct ranked){hash_of(holding, user, UINT32_MAX), user};
    qsort(holding->order, n, sizeof *holding->order, compare_ranked);
    for (uint32_t i = 0; i < n && (most == 0 || i < most); i++)
        holding->is_asked[holding->order[i].place] = true;
}

static void hold_of_user(struct holding *holding, uint32_t user)
{
    const struct vt_sparse *matrix = holding->matrix;
    uint32_t n = 0;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        if (matrix->values[e] > 0)
            holding->order[n++] = (struct ranked){hash_of(holding, user, matrix->columns[e]),
                                                  (uint32_t)(e - matrix->starts[user])};
    qsort(holding->order, n, sizeof *holding->order, compare_ranked);
    uint32_t n_held = (uint32_t)((double)n * holding->options->share + 0.5);
    n_held = n_held < 1 ? 1 : n_held > n - 1 ? n - 1 : n_held;
    for (uint32_t i = 0; i < n_held; i++)
        holding->is_held[matrix->starts[user] + holding->order[i].place] = true;
}

static struct vt_err take_part(const struct holding *holding, bool held, struct vt_sparse *ret_part)
{
    const struct vt_sparse *matrix = holding->matrix;
    struct vt_sparse part = {.n_rows = matrix->n_rows, .n_cols = matrix->n_cols};
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        part.n_entries += holding->is_held[e] == held;
    part.starts = calloc((size_t)matrix->n_rows + 1, sizeof *part.starts);
    part.columns = malloc((size_t)(part.n_entries + 1) * sizeof *part.columns);
    part.values = malloc((size_t)(part.n_entries + 1) * sizeof *part.values);
    if (part.starts == NULL || part.columns == NULL || part.values == NULL) {
        vt_sparse_free(&part);
        return VT_ERR(VT_EXHAUSTED, "out of memory for a validation part");
    }
    uint64_t n = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
            if (holding->is_held[e] != held)
                continue;
            part.columns[n] = matrix->columns[e];
            part.values[n++] = held ? 1 : matrix->values[e];
        }
        part.starts[user + 1] = n;
    }
    *ret_part = part;
    return vt_ok();
}

static struct vt_err take_parts(const struct holding *holding, struct vt_hold_out *ret_parts)
{
    struct vt_hold_out parts = {0};
    struct vt_err err = take_part(holding, false, &parts.fit);
    if (!vt_failed(err))
        err = take_part(holding, true, &parts.held);
    if (vt_failed(err))
        vt_hold_out_free(&parts);
    else
        *ret_parts = parts;
    return err;
}

static size_t longest_list(const struct vt_sparse *matrix)
{
    uint64_t longest = matrix->n_rows;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        if (matrix->starts[user + 1] - matrix->starts[user] > longest)
            longest = matrix->starts[user + 1] - matrix->starts[user];
    return (size_t)longest + 1;
}

struct vt_err vt_hold_out_make(const struct vt_sparse *matrix,
                               const struct vt_hold_out_options *options,
                               struct vt_hold_out *ret_parts)
{
    VT_CHECK(options->share > 0 && options->share < 1, VT_INVALID,
             "the share that is held out must be between 0 and 1");
    struct holding holding = {.matrix = matrix, .options = options};
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for a validation part");
    holding.order = malloc(longest_list(matrix) * sizeof *holding.order);
    holding.is_asked = calloc((size_t)matrix->n_rows + 1, sizeof *holding.is_asked);
    holding.is_held = calloc((size_t)matrix->n_entries + 1, sizeof *holding.is_held);
    if (holding.order == NULL || holding.is_asked == NULL || holding.is_held == NULL)
        goto done;
    choose_users(&holding);
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        if (holding.is_asked[user])
            hold_of_user(&holding, user);
    err = take_parts(&holding, ret_parts);
done:
    free(holding.order);
    free(holding.is_asked);
    free(holding.is_held);
    return err;
}

void vt_hold_out_free(struct vt_hold_out *parts)
{
    vt_sparse_free(&parts->fit);
    vt_sparse_free(&parts->held);
    *parts = (struct vt_hold_out){0};
}
