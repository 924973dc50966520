/*
 * Examples for a ranker: customers are chosen by hash, stand in the order of their parts, and fill
 * slots of the same size on any thread; then the slots are moved together.
 */
#include "models/algorithm/boosted_internal.h"
#include "models/dataset/mix.h"
#include "models/kernels/parallel.h"

#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS_AT_ONCE = 16 };

/* In tenths of the customers. */
static const uint8_t part_of_tenth[10] = {
    VT__PART_TRAIN, VT__PART_TRAIN, VT__PART_TRAIN,      VT__PART_TRAIN,       VT__PART_TRAIN,
    VT__PART_TRAIN, VT__PART_TRAIN, VT__PART_VALIDATION, VT__PART_CALIBRATION, VT__PART_MEASURE,
};

struct making {
    const struct vt__sources *sources;
    const struct vt_sparse *before, *after;
    const uint32_t *users; /* in the order of parts */
    uint32_t n_users, n_features;
    struct vt__examples *examples;
    char *scratch; /* one for each thread */
    size_t scratch_bytes;
    struct vt_err *errors; /* one for each block */
};

static bool has_entries(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->starts[row + 1] > matrix->starts[row];
}

/* The customers of each part, part after part, users ascending within. Owned; ret_counts by part.
 */
static uint32_t *choose(const struct vt_sparse *before, const struct vt_sparse *after,
                        const struct vt_algorithm_options *options,
                        uint32_t ret_counts[VT__PART_COUNT])
{
    const uint64_t seed = vt_mix64(options->seed), one_in = after->n_rows / options->boosted.users;
    uint32_t *users = malloc(((size_t)after->n_rows + 1) * sizeof *users), n = 0;
    for (unsigned part = 0; users != NULL && part < VT__PART_COUNT; part++) {
        ret_counts[part] = n;
        for (uint32_t user = 0; user < after->n_rows; user++) {
            uint64_t hash = vt_mix64(seed + user);
            bool chosen = one_in < 2 || hash / 10 % one_in == 0;
            if (chosen && part_of_tenth[hash % 10] == part && has_entries(before, user) &&
                has_entries(after, user))
                users[n++] = user;
        }
        ret_counts[part] = n - ret_counts[part];
    }
    return users;
}

static void label(const struct making *making, uint32_t slot, const struct vt__candidates *at)
{
    const struct vt_sparse *after = making->after;
    const uint32_t user = making->users[slot];
    float *labels = making->examples->labels + (size_t)slot * making->sources->pool.n_candidates;
    for (uint32_t i = 0; i < at->n; i++) {
        labels[i] = 0;
        for (uint64_t e = after->starts[user]; e < after->starts[user + 1]; e++)
            if (after->columns[e] == at->hits[i].row && after->values[e] > 0)
                labels[i] = 1;
    }
}

static struct vt_err fill_slot(const struct making *making, uint32_t slot, void *scratch)
{
    const struct vt_sparse *before = making->before;
    const uint64_t begin = before->starts[making->users[slot]];
    const struct vt_rank_history history = {
        before->columns + begin, before->values + begin,
        (uint32_t)(before->starts[making->users[slot] + 1] - begin)};
    const size_t slot_floats = (size_t)making->sources->pool.n_candidates * making->n_features;
    struct vt__candidates at;
    VT_TRY(vt__sources_candidates(making->sources, &history, scratch, &at));
    memcpy(making->examples->features + slot * slot_floats, at.rows,
           (size_t)at.n * making->n_features * sizeof *at.rows);
    making->examples->group_sizes[slot] = at.n;
    label(making, slot, &at);
    return vt_ok();
}

static void fill_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct making *making = ctx;
    uint32_t first = block * CUSTOMERS_AT_ONCE, end = first + CUSTOMERS_AT_ONCE;
    struct vt_err err = vt_ok();
    for (uint32_t slot = first; slot < end && slot < making->n_users && !vt_failed(err); slot++)
        err = fill_slot(making, slot, making->scratch + thread * making->scratch_bytes);
    making->errors[block] = err;
}

static struct vt_err fill_all(struct making *making, uint32_t threads)
{
    const uint32_t n_blocks = (making->n_users + CUSTOMERS_AT_ONCE - 1) / CUSTOMERS_AT_ONCE;
    making->scratch_bytes = (vt__candidates_bytes(making->sources) + 63) / 64 * 64;
    making->scratch = calloc(threads, making->scratch_bytes);
    making->errors = calloc(n_blocks, sizeof *making->errors);
    struct vt_err err = making->scratch != NULL && making->errors != NULL
                            ? vt_ok()
                            : VT_ERR(VT_EXHAUSTED, "out of memory for examples");
    if (!vt_failed(err))
        vt_parallel(n_blocks, threads, fill_block, making);
    for (uint32_t block = 0; !vt_failed(err) && block < n_blocks; block++)
        err = making->errors[block];
    free(making->scratch);
    free(making->errors);
    return err;
}

/* Slots that are not full leave gaps: closes them, and cuts what there is into parts. */
static void move_together(const struct making *making, const uint32_t counts[VT__PART_COUNT])
{
    struct vt__examples *examples = making->examples;
    const size_t n_features = making->n_features, slot_rows = making->sources->pool.n_candidates;
    size_t row = 0;
    uint32_t slot = 0;
    for (unsigned part = 0; part < VT__PART_COUNT; part++) {
        const size_t first_row = row, first_slot = slot;
        for (; slot < first_slot + counts[part]; slot++) {
            const size_t n = examples->group_sizes[slot];
            memmove(examples->features + row * n_features,
                    examples->features + slot * slot_rows * n_features,
                    n * n_features * sizeof *examples->features);
            memmove(examples->labels + row, examples->labels + slot * slot_rows,
                    n * sizeof *examples->labels);
            row += n;
        }
        examples->part[part] = (struct vt_boost_examples){
            .features = examples->features + first_row * n_features,
            .labels = examples->labels + first_row,
            .group_sizes = examples->group_sizes + first_slot,
            .n_rows = (uint32_t)(row - first_row),
            .n_groups = counts[part],
            .n_features = (uint32_t)n_features,
        };
    }
}

static struct vt_err make(struct making *making, const uint32_t counts[VT__PART_COUNT],
                          uint32_t threads)
{
    struct vt__examples *examples = making->examples;
    const size_t n_rows = (size_t)making->n_users * making->sources->pool.n_candidates;
    VT_CHECK(n_rows < UINT32_MAX, VT_INVALID, "too many examples: fewer users or candidates");
    examples->features = malloc(n_rows * making->n_features * sizeof *examples->features);
    examples->labels = malloc(n_rows * sizeof *examples->labels);
    examples->group_sizes = calloc(making->n_users, sizeof *examples->group_sizes);
    VT_CHECK(examples->features != NULL && examples->labels != NULL &&
                 examples->group_sizes != NULL,
             VT_EXHAUSTED, "out of memory for examples");
    VT_TRY(fill_all(making, threads));
    move_together(making, counts);
    return vt_ok();
}

struct vt_err vt__examples_make(const struct vt__sources *sources, const struct vt_sparse *before,
                                const struct vt_sparse *after,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt__examples *ret_examples)
{
    struct vt__examples examples = {0};
    uint32_t counts[VT__PART_COUNT] = {0};
    uint32_t *users = choose(before, after, options, counts);
    VT_CHECK(users != NULL, VT_EXHAUSTED, "out of memory for examples");
    struct making making = {.sources = sources,
                            .before = before,
                            .after = after,
                            .users = users,
                            .n_features = vt_rank_n_features(sources->pool.n_sources),
                            .examples = &examples};
    for (unsigned part = 0; part < VT__PART_COUNT; part++)
        making.n_users += counts[part];
    struct vt_err err;
    if (counts[VT__PART_TRAIN] == 0) {
        vt_diag_set(
            diag, "interactions",
            "no customer has interactions on both sides of the split to learn ranking from");
        err = VT_ERR(VT_INVALID, "too little data for a ranker");
    } else {
        err = make(&making, counts, vt_threads_resolve(options->threads));
    }
    free(users);
    if (vt_failed(err))
        vt__examples_free(&examples);
    else
        *ret_examples = examples;
    return err;
}

void vt__examples_free(struct vt__examples *examples)
{
    free(examples->features);
    free(examples->labels);
    free(examples->group_sizes);
    *examples = (struct vt__examples){0};
}
