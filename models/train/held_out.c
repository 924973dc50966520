/*
 * Choosing what is held out. Customers are put in an order by a seeded hash of their ids; the first
 * of it are watched, the next are judged. So nobody moves from one part to the other because
 * somebody else came, and the parts of two trainings overlap as far as their customers do.
 */
#include "models/train/held_out.h"

#include "models/dataset/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WATCHED_SHARE = 4,      /* a quarter of the customers at most */
    TESTED_MIN = 40,        /* fewer are all needed for the metrics */
    NEWER_EVENTS_MIN = 200, /* than the serving version's newest, to be held out alone */
    NEWER_USERS_MIN = 100,
};

static struct vt_split_options split_options(const struct vt_held_out_options *options,
                                             int64_t cut_ms)
{
    struct vt_split_options split = {.protocol = options->protocol,
                                     .test_share = options->test_share,
                                     .cut_ms = cut_ms,
                                     .seed = options->seed,
                                     .dataset = options->dataset};
    split.dataset.history_max = options->served_history_max;
    return split;
}

static uint64_t count_newer(const struct vt_interaction *interactions, uint64_t n, int64_t time_ms)
{
    uint64_t n_newer = 0;
    for (uint64_t i = 0; i < n; i++)
        n_newer += interactions[i].time_ms > time_ms;
    return n_newer;
}

static uint32_t count_users(const struct vt_sparse *test)
{
    uint32_t n = 0;
    for (uint32_t row = 0; row < test->n_rows; row++)
        n += test->starts[row + 1] > test->starts[row];
    return n;
}

/* ---- the split ---- */

/* An empty part is no error here. */
static struct vt_err split_by(const struct vt_interaction *interactions, uint64_t n,
                              const struct vt_split_options *options, struct vt_split *ret_split)
{
    struct vt_err err = vt_split_make(interactions, n, 0, options, NULL, ret_split);
    return err.code == VT_INVALID ? vt_ok() : err;
}

/* The events newer than all that the serving version has seen, when they are enough. */
static struct vt_err split_behind_parent(const struct vt_interaction *interactions, uint64_t n,
                                         const struct vt_held_out_options *options,
                                         struct vt_split *split)
{
    const struct vt_split_options newer = split_options(options, options->parent_last_time_ms);
    VT_TRY(split_by(interactions, n, &newer, split));
    if (split->test.n_rows > 0 && count_users(&split->test) < NEWER_USERS_MIN)
        vt_split_free(split); /* and zeroes it */
    return vt_ok();
}

static struct vt_err choose_split(const struct vt_interaction *interactions, uint64_t n,
                                  const struct vt_held_out_options *options,
                                  struct vt_held_out *held_out)
{
    const uint64_t n_share = (uint64_t)((double)n * options->test_share);
    const bool parent = options->parent_last_time_ms != 0;
    const bool timed = options->protocol == VT_PROTOCOL_TIME;
    const uint64_t n_newer =
        parent && timed ? count_newer(interactions, n, options->parent_last_time_ms) : 0;
    if (n_newer >= NEWER_EVENTS_MIN && n_newer < n_share)
        VT_TRY(split_behind_parent(interactions, n, options, &held_out->split));
    if (held_out->split.test.n_rows > 0)
        return vt_ok();
    const struct vt_split_options by_share = split_options(options, 0);
    held_out->parent_has_seen = parent && n_newer < n_share;
    return split_by(interactions, n, &by_share, &held_out->split);
}

/* ---- parting the customers ---- */

struct tested_user {
    uint64_t hash;
    uint32_t row;
};

static int by_hash(const void *a, const void *b)
{
    const struct tested_user *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static uint32_t list_tested(const struct vt_split *split, uint64_t seed,
                            struct tested_user *ret_users)
{
    uint32_t n = 0;
    for (uint32_t row = 0; row < split->test.n_rows; row++)
        if (split->test.starts[row + 1] > split->test.starts[row])
            ret_users[n++] = (struct tested_user){
                vt_mix64(split->ids.user_ids[row] + seed * VT_MIX64_STEP), row};
    qsort(ret_users, n, sizeof *ret_users, by_hash);
    return n;
}

/* A copy of `matrix` with only the rows whose `part` is `wanted`; the others are empty. */
static struct vt_err copy_rows(const struct vt_sparse *matrix, const unsigned char *part,
                               unsigned wanted, struct vt_sparse *ret_copy)
{
    struct vt_sparse copy = {.n_rows = matrix->n_rows, .n_cols = matrix->n_cols};
    copy.starts = calloc((size_t)matrix->n_rows + 1, sizeof *copy.starts);
    copy.columns = malloc((size_t)(matrix->n_entries + 1) * sizeof *copy.columns);
    copy.values = malloc((size_t)(matrix->n_entries + 1) * sizeof *copy.values);
    if (copy.starts == NULL || copy.columns == NULL || copy.values == NULL) {
        vt_sparse_free(&copy);
        return VT_ERR(VT_EXHAUSTED, "out of memory for what is held out");
    }
    for (uint32_t row = 0; row < matrix->n_rows; row++) {
        uint64_t start = matrix->starts[row], n = matrix->starts[row + 1] - start;
        if (part[row] == wanted && n > 0) {
            memcpy(copy.columns + copy.n_entries, matrix->columns + start,
                   n * sizeof *copy.columns);
            memcpy(copy.values + copy.n_entries, matrix->values + start, n * sizeof *copy.values);
            copy.n_entries += n;
        }
        copy.starts[row + 1] = copy.n_entries;
    }
    *ret_copy = copy;
    return vt_ok();
}

/* Rows of split.test: those of a part go, in place. */
static void drop_rows(struct vt_sparse *matrix, const unsigned char *part, unsigned dropped)
{
    uint64_t n = 0;
    for (uint32_t row = 0; row < matrix->n_rows; row++) {
        uint64_t start = matrix->starts[row], end = matrix->starts[row + 1];
        matrix->starts[row] = n;
        for (uint64_t e = start; e < end && part[row] != dropped; e++) {
            matrix->columns[n] = matrix->columns[e];
            matrix->values[n++] = matrix->values[e];
        }
    }
    matrix->starts[matrix->n_rows] = matrix->n_entries = n;
}

enum { PART_OTHER, PART_WATCHED, PART_JUDGED };

static void assign_parts(const struct tested_user *users, uint32_t n, bool watch,
                         unsigned char *part)
{
    uint32_t n_watched = watch && n >= TESTED_MIN ? n / WATCHED_SHARE : 0;
    if (n_watched > VT_WATCHED_MAX)
        n_watched = VT_WATCHED_MAX;
    for (uint32_t i = 0; i < n; i++)
        part[users[i].row] = i < n_watched                   ? PART_WATCHED
                             : i < n_watched + VT_JUDGED_MAX ? PART_JUDGED
                                                             : PART_OTHER;
}

static struct vt_err part_matrices(struct vt_held_out *held_out, const unsigned char *part)
{
    struct vt_sparse *test = &held_out->split.test;
    VT_TRY(copy_rows(test, part, PART_WATCHED, &held_out->watched));
    VT_TRY(copy_rows(test, part, PART_JUDGED, &held_out->judged));
    drop_rows(test, part, PART_WATCHED);
    if (held_out->watched.n_entries == 0)
        vt_sparse_free(&held_out->watched); /* and zeroes it */
    return vt_ok();
}

static struct vt_err allocate_metrics(struct vt_held_out *held_out)
{
    uint32_t n = held_out->split.test.n_rows;
    held_out->recall = malloc(((size_t)n + 1) * sizeof *held_out->recall);
    held_out->ndcg = malloc(((size_t)n + 1) * sizeof *held_out->ndcg);
    VT_CHECK(held_out->recall != NULL && held_out->ndcg != NULL, VT_EXHAUSTED,
             "out of memory for metrics");
    for (uint32_t row = 0; row < n; row++)
        held_out->recall[row] = held_out->ndcg[row] = (double)NAN;
    return vt_ok();
}

static struct vt_err part_customers(const struct vt_held_out_options *options,
                                    struct vt_held_out *held_out)
{
    uint32_t n_rows = held_out->split.test.n_rows;
    struct tested_user *users = malloc(((size_t)n_rows + 1) * sizeof *users);
    unsigned char *part = calloc((size_t)n_rows + 1, 1);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for what is held out");
    if (users != NULL && part != NULL) {
        uint32_t n = list_tested(&held_out->split, options->seed, users);
        assign_parts(users, n, options->watch, part);
        err = part_matrices(held_out, part);
    }
    free(users);
    free(part);
    return err;
}

struct vt_err vt_held_out_make(const struct vt_interaction *interactions, uint64_t n,
                               const struct vt_held_out_options *options,
                               struct vt_held_out *ret_held_out)
{
    struct vt_held_out held_out = {0};
    struct vt_err err = choose_split(interactions, n, options, &held_out);
    if (!vt_failed(err) && held_out.split.test.n_rows > 0)
        err = part_customers(options, &held_out);
    if (!vt_failed(err))
        err = allocate_metrics(&held_out);
    if (vt_failed(err))
        vt_held_out_free(&held_out);
    else
        *ret_held_out = held_out;
    return err;
}

void vt_held_out_free(struct vt_held_out *held_out)
{
    vt_split_free(&held_out->split);
    vt_sparse_free(&held_out->watched);
    vt_sparse_free(&held_out->judged);
    free(held_out->recall);
    free(held_out->ndcg);
    free(held_out->parent_recall);
    free(held_out->parent_ndcg);
    free(held_out->lists);
    *held_out = (struct vt_held_out){0};
}

bool vt_held_out_any(const struct vt_held_out *held_out)
{
    return held_out->split.test.n_entries > 0;
}
