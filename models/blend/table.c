/*
 * The table of a blend's candidates. Each user is one block of work with slots of its own, so
 * threads share nothing but the input. A user's items outside the best VT_BLEND_DEPTH of every
 * member are left out: with lists of 20 an item that no member puts among its first hundred does
 * not get far, whatever the weights.
 */
#include "models/blend/table.h"

#include "models/dataset/split.h"
#include "models/index/top.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_ALIGNMENT = 16 };

struct scratch {
    double *scores;  /* n_parts × n_items */
    bool *is_listed; /* n_items, false between users */
    struct vt_index_hit hits[VT_BLEND_DEPTH];
    uint32_t *listed;                      /* width */
    void *recommenders;                    /* the largest of the parts' scratch */
    double deviations[VT_BLEND_PARTS_MAX]; /* of the user at hand */
    struct vt_err err;                     /* the first of this thread */
};

struct gathering {
    const struct vt_blend_table_input *input;
    struct vt_blend_table *table;
    uint32_t *users;    /* table.n_users: rows of the matrices */
    bool *is_known;     /* n_items: train has it */
    double *deviations; /* n_users × n_parts */
    struct scratch *scratch;
    uint32_t n_threads;
};

void vt_blend_moments(const double *values, uint32_t n, double *ret_mean, double *ret_deviation)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += values[i];
    const double mean = n > 0 ? sum / n : 0;
    for (uint32_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    *ret_mean = mean;
    *ret_deviation = n > 0 ? sqrt(squares / n) : 0;
}

static struct vt_weighted_history history_of(const struct vt_sparse *matrix, uint32_t user)
{
    const uint64_t start = matrix->starts[user];
    return (struct vt_weighted_history){.columns = matrix->columns + start,
                                        .weights = matrix->values + start,
                                        .n = (uint32_t)(matrix->starts[user + 1] - start)};
}

/* ---- one user ---- */

static struct vt_err score_parts(const struct gathering *gathering, uint32_t user,
                                 struct scratch *scratch)
{
    const struct vt_blend_table_input *input = gathering->input;
    const uint32_t n_items = input->fit->n_cols;
    const struct vt_weighted_history history = history_of(input->fit, user);
    for (uint32_t p = 0; p < input->n_parts; p++) {
        const struct vt_recommender *recommender = input->parts[p].recommender;
        double *scores = scratch->scores + (size_t)p * n_items, mean;
        VT_TRY(recommender->score(recommender->self, &history, scratch->recommenders, scores));
        vt_blend_moments(scores, n_items, &mean, &scratch->deviations[p]);
        for (uint32_t i = 0; i < n_items; i++)
            scores[i] -= mean;
    }
    return vt_ok();
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The best of each part that the user does not have, by column; returns how many. */
static uint32_t list_candidates(const struct gathering *gathering, uint32_t user,
                                struct scratch *scratch)
{
    const struct vt_sparse *fit = gathering->input->fit;
    uint32_t n = 0;
    for (uint64_t e = fit->starts[user]; e < fit->starts[user + 1]; e++)
        scratch->is_listed[fit->columns[e]] = true;
    for (uint32_t p = 0; p < gathering->input->n_parts; p++) {
        struct vt_top top = {.hits = scratch->hits, .capacity = VT_BLEND_DEPTH};
        const double *scores = scratch->scores + (size_t)p * fit->n_cols;
        for (uint32_t i = 0; i < fit->n_cols; i++)
            if (gathering->is_known[i] && !scratch->is_listed[i])
                vt_top_offer(&top, (struct vt_index_hit){.score = scores[i], .row = i});
        for (uint32_t i = 0; i < top.n; i++) {
            scratch->listed[n++] = top.hits[i].row;
            scratch->is_listed[top.hits[i].row] = true;
        }
    }
    for (uint64_t e = fit->starts[user]; e < fit->starts[user + 1]; e++)
        scratch->is_listed[fit->columns[e]] = false;
    for (uint32_t i = 0; i < n; i++)
        scratch->is_listed[scratch->listed[i]] = false;
    qsort(scratch->listed, n, sizeof *scratch->listed, compare_u32);
    return n;
}

/* Kernel parts as they are: their scale is known once every user is. */
static void keep_candidates(const struct gathering *gathering, uint32_t at, uint32_t n,
                            const struct scratch *scratch)
{
    struct vt_blend_table *table = gathering->table;
    const struct vt_sparse *held = gathering->input->held;
    const uint32_t user = gathering->users[at], n_items = held->n_cols;
    table->n_candidates[at] = n;
    table->n_held[at] = (uint32_t)(held->starts[user + 1] - held->starts[user]);
    for (uint32_t c = 0; c < n; c++) {
        const size_t cell = (size_t)at * table->width + c;
        table->is_hit[cell] = vt_sparse_has(held, user, scratch->listed[c]);
        for (uint32_t p = 0; p < table->n_parts; p++) {
            double by = table->in_kernel[p] ? 1 : scratch->deviations[p];
            double score = scratch->scores[(size_t)p * n_items + scratch->listed[c]];
            table->scores[cell * table->n_parts + p] = by > 0 ? (float)(score / by) : 0;
        }
    }
}

/* The scores have mean 0 here. */
static void keep_covariances(const struct gathering *gathering, uint32_t at,
                             const struct scratch *scratch)
{
    struct vt_blend_table *table = gathering->table;
    const uint32_t n_items = gathering->input->fit->n_cols, n_parts = table->n_parts;
    double *covariances = table->covariances + (size_t)at * n_parts * n_parts;
    for (uint32_t p = 0; p < n_parts; p++)
        for (uint32_t q = 0; q <= p; q++) {
            if (!table->in_kernel[p] || !table->in_kernel[q])
                continue;
            const double *a = scratch->scores + (size_t)p * n_items;
            const double *b = scratch->scores + (size_t)q * n_items;
            double sum = 0;
            for (uint32_t i = 0; i < n_items; i++)
                sum += a[i] * b[i];
            covariances[p * n_parts + q] = covariances[q * n_parts + p] = sum / n_items;
        }
}

static void gather_user(void *ctx, uint32_t block, uint32_t thread)
{
    struct gathering *gathering = ctx;
    struct scratch *scratch = &gathering->scratch[thread];
    const uint32_t n_parts = gathering->table->n_parts;
    if (vt_failed(scratch->err))
        return;
    scratch->err = score_parts(gathering, gathering->users[block], scratch);
    if (vt_failed(scratch->err))
        return;
    keep_candidates(gathering, block, list_candidates(gathering, gathering->users[block], scratch),
                    scratch);
    keep_covariances(gathering, block, scratch);
    memcpy(gathering->deviations + (size_t)block * n_parts, scratch->deviations,
           n_parts * sizeof *scratch->deviations);
}

/* ---- kernel parts over their scale ---- */

static void find_scales(const struct gathering *gathering)
{
    struct vt_blend_table *table = gathering->table;
    for (uint32_t p = 0; p < table->n_parts; p++) {
        double sum = 0;
        for (uint32_t at = 0; at < table->n_users; at++)
            sum += gathering->deviations[(size_t)at * table->n_parts + p];
        table->scale[p] = table->in_kernel[p] && sum > 0 ? sum / table->n_users : 1;
    }
}

static void apply_scales(struct vt_blend_table *table)
{
    const uint32_t n_parts = table->n_parts;
    const size_t n_cells = (size_t)table->n_users * table->width;
    for (size_t cell = 0; cell < n_cells; cell++)
        for (uint32_t p = 0; p < n_parts; p++)
            table->scores[cell * n_parts + p] /= (float)table->scale[p];
    for (uint32_t at = 0; at < table->n_users; at++)
        for (uint32_t pq = 0; pq < n_parts * n_parts; pq++)
            table->covariances[(size_t)at * n_parts * n_parts + pq] /=
                table->scale[pq / n_parts] * table->scale[pq % n_parts];
}

/* ---- memory ---- */

static struct vt_err scratch_init(const struct vt_blend_table_input *input, struct scratch *scratch)
{
    const size_t n_items = input->fit->n_cols;
    size_t bytes = SCRATCH_ALIGNMENT;
    for (uint32_t p = 0; p < input->n_parts; p++)
        if (input->parts[p].recommender->scratch_bytes + SCRATCH_ALIGNMENT > bytes)
            bytes = input->parts[p].recommender->scratch_bytes + SCRATCH_ALIGNMENT;
    scratch->err = vt_ok();
    scratch->scores = malloc((n_items + 1) * input->n_parts * sizeof *scratch->scores);
    scratch->is_listed = calloc(n_items + 1, sizeof *scratch->is_listed);
    scratch->listed = calloc((size_t)input->n_parts * VT_BLEND_DEPTH, sizeof *scratch->listed);
    scratch->recommenders =
        aligned_alloc(SCRATCH_ALIGNMENT, bytes / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT);
    VT_CHECK(scratch->scores != NULL && scratch->is_listed != NULL && scratch->listed != NULL &&
                 scratch->recommenders != NULL,
             VT_EXHAUSTED, "out of memory for a blend");
    return vt_ok();
}

static void scratch_fini(struct scratch *scratch)
{
    free(scratch->scores);
    free(scratch->is_listed);
    free(scratch->listed);
    free(scratch->recommenders);
}

static struct vt_err table_init(struct gathering *gathering)
{
    struct vt_blend_table *table = gathering->table;
    const size_t n = table->n_users, n_parts = table->n_parts;
    table->n_held = calloc(n, sizeof *table->n_held);
    table->n_candidates = calloc(n, sizeof *table->n_candidates);
    table->is_hit = calloc(n * table->width, sizeof *table->is_hit);
    table->scores = calloc(n * table->width * n_parts, sizeof *table->scores);
    table->covariances = calloc(n * n_parts * n_parts, sizeof *table->covariances);
    gathering->deviations = calloc(n * n_parts, sizeof *gathering->deviations);
    gathering->scratch = calloc(gathering->n_threads, sizeof *gathering->scratch);
    VT_CHECK(table->n_held != NULL && table->n_candidates != NULL && table->is_hit != NULL &&
                 table->scores != NULL && table->covariances != NULL &&
                 gathering->deviations != NULL && gathering->scratch != NULL,
             VT_EXHAUSTED, "out of memory for a blend");
    for (uint32_t t = 0; t < gathering->n_threads; t++)
        VT_TRY(scratch_init(gathering->input, &gathering->scratch[t]));
    return vt_ok();
}

static void gathering_fini(struct gathering *gathering)
{
    for (uint32_t t = 0; gathering->scratch != NULL && t < gathering->n_threads; t++)
        scratch_fini(&gathering->scratch[t]);
    free(gathering->scratch);
    free(gathering->deviations);
    free(gathering->users);
    free(gathering->is_known);
}

/* ---- all users ---- */

static struct vt_err find_users(struct gathering *gathering)
{
    const struct vt_sparse *fit = gathering->input->fit, *held = gathering->input->held;
    gathering->users = malloc(((size_t)fit->n_rows + 1) * sizeof *gathering->users);
    gathering->is_known = calloc((size_t)fit->n_cols + 1, sizeof *gathering->is_known);
    VT_CHECK(gathering->users != NULL && gathering->is_known != NULL, VT_EXHAUSTED,
             "out of memory for a blend");
    for (uint64_t e = 0; e < fit->n_entries; e++)
        gathering->is_known[fit->columns[e]] = true;
    for (uint32_t user = 0; user < fit->n_rows; user++)
        if (held->starts[user + 1] > held->starts[user] &&
            fit->starts[user + 1] > fit->starts[user])
            gathering->users[gathering->table->n_users++] = user;
    VT_CHECK(gathering->table->n_users > 0, VT_INVALID, "nobody has anything held out");
    return vt_ok();
}

static struct vt_err gather(struct gathering *gathering)
{
    VT_TRY(find_users(gathering));
    VT_TRY(table_init(gathering));
    vt_parallel(gathering->table->n_users, gathering->n_threads, gather_user, gathering);
    for (uint32_t t = 0; t < gathering->n_threads; t++)
        VT_TRY(gathering->scratch[t].err);
    find_scales(gathering);
    apply_scales(gathering->table);
    return vt_ok();
}

struct vt_err vt_blend_table_make(const struct vt_blend_table_input *input,
                                  struct vt_blend_table *ret_table)
{
    VT_ASSERT(input->n_parts >= 1 && input->n_parts <= VT_BLEND_PARTS_MAX);
    struct vt_blend_table table = {.n_parts = input->n_parts,
                                   .width = input->n_parts * VT_BLEND_DEPTH};
    struct gathering gathering = {
        .input = input, .table = &table, .n_threads = vt_threads_resolve(input->threads)};
    for (uint32_t p = 0; p < input->n_parts; p++)
        table.in_kernel[p] = input->parts[p].in_kernel;
    struct vt_err err = gather(&gathering);
    gathering_fini(&gathering);
    if (vt_failed(err))
        vt_blend_table_free(&table);
    else
        *ret_table = table;
    return err;
}

void vt_blend_table_free(struct vt_blend_table *table)
{
    free(table->n_held);
    free(table->n_candidates);
    free(table->is_hit);
    free(table->scores);
    free(table->covariances);
    *table = (struct vt_blend_table){0};
}

/* ---- the scale of one kernel ---- */

static struct vt_err sum_deviations(const struct vt_recommender *recommender,
                                    const struct vt_sparse *matrix, uint32_t step, void *scratch,
                                    double *scores, double *ret_scale)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user += step) {
        const struct vt_weighted_history history = history_of(matrix, user);
        double mean, deviation;
        if (history.n == 0)
            continue;
        VT_TRY(recommender->score(recommender->self, &history, scratch, scores));
        vt_blend_moments(scores, matrix->n_cols, &mean, &deviation);
        sum += deviation;
        n++;
    }
    *ret_scale = n > 0 && sum > 0 ? sum / n : 1;
    return vt_ok();
}

struct vt_err vt_blend_scale(const struct vt_recommender *recommender,
                             const struct vt_sparse *matrix, uint32_t users_max, double *ret_scale)
{
    const uint32_t step = matrix->n_rows / (users_max > 0 ? users_max : 1) + 1;
    const size_t bytes = recommender->scratch_bytes + SCRATCH_ALIGNMENT;
    double *scores = malloc(((size_t)matrix->n_cols + 1) * sizeof *scores);
    void *scratch = aligned_alloc(SCRATCH_ALIGNMENT, bytes / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for a blend");
    if (scores != NULL && scratch != NULL)
        err = sum_deviations(recommender, matrix, step, scratch, scores, ret_scale);
    free(scores);
    free(scratch);
    return err;
}
