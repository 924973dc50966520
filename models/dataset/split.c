/*
 * Splits. Each protocol only marks which interactions are the test part; one function then builds
 * the three matrices. Orders are total (time, then place in the input), so a split has no chance in
 * it but the seed's.
 */
#include "models/dataset/split.h"

#include "models/dataset/mix.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST_BELOW_2_64                                                                         \
    0x1.fffffffffffffp63 /* of the doubles: a share of 1 does not overflow                         \
                          */

bool vt_sparse_has(const struct vt_sparse *matrix, uint32_t row, uint32_t column)
{
    uint64_t low = matrix->starts[row], high = matrix->starts[row + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (matrix->columns[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low < matrix->starts[row + 1] && matrix->columns[low] == column;
}

/* ---- marking: is_test[i] for each interaction ---- */

struct marking {
    const struct vt_interaction *interactions;
    uint64_t n, n_train;
    const struct vt_split_options *options;
    bool *is_test; /* n, all false */
    uint64_t *order;
};

static void mark_adjacency(struct marking *marking)
{
    for (uint64_t i = marking->n_train; i < marking->n; i++)
        marking->is_test[i] = true;
}

static int compare_time(const void *a, const void *b, void *ctx)
{
    const struct vt_interaction *list = ctx;
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    if (list[x].time_ms != list[y].time_ms)
        return list[x].time_ms < list[y].time_ms ? -1 : 1;
    return (x > y) - (x < y);
}

static int compare_user_time(const void *a, const void *b, void *ctx)
{
    const struct vt_interaction *list = ctx;
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    if (list[x].user != list[y].user)
        return list[x].user < list[y].user ? -1 : 1;
    return compare_time(a, b, ctx);
}

static void sort_order(struct marking *marking, int (*compare)(const void *, const void *, void *))
{
    for (uint64_t i = 0; i < marking->n; i++)
        marking->order[i] = i;
    /* qsort_r hands ctx through as is; the list is only read. */
    qsort_r(marking->order, (size_t)marking->n, sizeof *marking->order, compare,
            (void *)(uintptr_t)marking->interactions);
}

static void mark_newer(struct marking *marking)
{
    for (uint64_t i = 0; i < marking->n; i++)
        marking->is_test[i] = marking->interactions[i].time_ms > marking->options->cut_ms;
}

static void mark_time(struct marking *marking)
{
    if (marking->options->cut_ms != 0) {
        mark_newer(marking);
        return;
    }
    sort_order(marking, compare_time);
    uint64_t n_test = (uint64_t)((double)marking->n * marking->options->test_share);
    for (uint64_t i = marking->n - n_test; i < marking->n; i++)
        marking->is_test[marking->order[i]] = true;
}

static void mark_leave_one_out(struct marking *marking)
{
    const struct vt_interaction *list = marking->interactions;
    sort_order(marking, compare_user_time);
    for (uint64_t i = 1; i < marking->n; i++) {
        uint64_t here = marking->order[i], before = marking->order[i - 1];
        bool last = i + 1 == marking->n || list[marking->order[i + 1]].user != list[here].user;
        marking->is_test[here] = last && list[before].user == list[here].user;
    }
}

/* Decides by pair, so that repeats of a pair stay together. */
static void mark_random(struct marking *marking)
{
    uint64_t limit = (uint64_t)(marking->options->test_share * LARGEST_BELOW_2_64);
    for (uint64_t i = 0; i < marking->n; i++) {
        uint64_t pair = vt_mix64(vt_mix64(marking->options->seed ^ marking->interactions[i].user) +
                                 marking->interactions[i].item);
        marking->is_test[i] = pair < limit;
    }
}

static void (*const markers[])(struct marking *) = {
    [VT_PROTOCOL_ADJACENCY] = mark_adjacency,
    [VT_PROTOCOL_TIME] = mark_time,
    [VT_PROTOCOL_LEAVE_ONE_OUT] = mark_leave_one_out,
    [VT_PROTOCOL_RANDOM] = mark_random,
};

/* ---- building ---- */

/* A copy with the train part first, both parts in input order. */
static uint64_t partition(const struct marking *marking, struct vt_interaction *ret_parted)
{
    uint64_t n_train = 0, at = 0;
    for (uint64_t i = 0; i < marking->n; i++)
        if (!marking->is_test[i])
            ret_parted[n_train++] = marking->interactions[i];
    at = n_train;
    for (uint64_t i = 0; i < marking->n; i++)
        if (marking->is_test[i])
            ret_parted[at++] = marking->interactions[i];
    return n_train;
}

/* In place: dislikes and test entries that train has are dropped, and all values become 1. */
static void finish_test(struct vt_sparse *test, const struct vt_sparse *train, bool drop_known)
{
    uint64_t n = 0;
    for (uint32_t row = 0; row < test->n_rows; row++) {
        uint64_t start = test->starts[row];
        test->starts[row] = n;
        for (uint64_t e = start; e < test->starts[row + 1]; e++) {
            if (test->values[e] < 0 || (drop_known && vt_sparse_has(train, row, test->columns[e])))
                continue;
            test->columns[n] = test->columns[e];
            test->values[n++] = 1;
        }
    }
    test->starts[test->n_rows] = n;
    test->n_entries = n;
}

static struct vt_err build_parts(const struct vt_interaction *parted, uint64_t n, uint64_t n_train,
                                 const struct vt_split_options *options, struct vt_diag *diag,
                                 struct vt_split *split)
{
    struct vt_dataset_options all = options->dataset;
    all.history_max = 0;
    VT_TRY(vt_ids_collect(parted, n, &split->ids));
    VT_TRY(vt_sparse_build(parted, n_train, &all, &split->ids, diag, &split->train));
    VT_TRY(vt_sparse_build(parted, n_train, &options->dataset, &split->ids, diag, &split->served));
    VT_TRY(vt_sparse_build(parted + n_train, n - n_train, &all, &split->ids, diag, &split->test));
    finish_test(&split->test, &split->train, options->protocol != VT_PROTOCOL_ADJACENCY);
    if (split->train.n_entries == 0 || split->test.n_entries == 0) {
        vt_diag_set(diag, "", "the %s part has no interactions",
                    split->train.n_entries == 0 ? "train" : "test");
        return VT_ERR(VT_INVALID, "a part of the split is empty");
    }
    return vt_ok();
}

struct vt_err vt_split_make(const struct vt_interaction *interactions, uint64_t n, uint64_t n_train,
                            const struct vt_split_options *options, struct vt_diag *diag,
                            struct vt_split *ret_split)
{
    struct vt_split split = {0};
    struct marking marking = {
        .interactions = interactions, .n = n, .n_train = n_train, .options = options};
    struct vt_interaction *parted = malloc((size_t)(n + 1) * sizeof *parted);
    marking.is_test = calloc((size_t)n + 1, sizeof *marking.is_test);
    marking.order = malloc((size_t)(n + 1) * sizeof *marking.order);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the split");
    if (parted == NULL || marking.is_test == NULL || marking.order == NULL)
        goto done;
    markers[options->protocol](&marking);
    err = build_parts(parted, n, partition(&marking, parted), options, diag, &split);
    if (vt_failed(err))
        vt_split_free(&split);
    else
        *ret_split = split;
done:
    free(parted);
    free(marking.is_test);
    free(marking.order);
    return err;
}

void vt_split_free(struct vt_split *split)
{
    if (split == NULL)
        return;
    vt_ids_free(&split->ids);
    vt_sparse_free(&split->train);
    vt_sparse_free(&split->served);
    vt_sparse_free(&split->test);
}
