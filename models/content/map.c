/*
 * The normal equations (XᵀCX + ridge·I) W = XᵀCY by conjugate gradients, preconditioned by their
 * diagonal: X is sparse with tens of terms a row and tens of thousands of columns, so the matrix
 * itself is never made, and a step costs two passes over X's entries. The columns of W are
 * independent; they are taken COLUMNS at a time as one block of work, so that no sum ever depends
 * on how many threads there are. Double inside, floats at the end.
 */
#include "models/content/map.h"

#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, STEPS_MAX = 100, HELD_OUT_EVERY = 10, HELD_OUT_PLACE = 7 };
#define TOLERANCE 1e-7
#define CERTAINTY_HALF 10.0

/* Half a decade apart: the error is flat around its least. */
static const double ridges[] = {0.03, 0.1, 0.3, 1, 3, 10, 30, 100};
enum { N_RIDGES = sizeof ridges / sizeof ridges[0] };

/* One system: which items count how much, and the ridge. */
struct system {
    const struct vt_content_map_input *input;
    const double *certainties; /* one an item; 0: held out */
    const double *diagonal;    /* one a term, with the ridge */
    double ridge;
    float *rows;  /* the solution */
    bool *failed; /* one a block: no memory */
};

/* The vectors of conjugate gradients, each n_terms × COLUMNS. */
struct state {
    double *solution, *residual, *direction, *image;
    double weight[COLUMNS]; /* residual · preconditioned residual */
    double first[COLUMNS];  /* the same at the start */
};

void vt_content_map_free(struct vt_content_map *map)
{
    if (map == NULL)
        return;
    free(map->rows);
    *map = (struct vt_content_map){0};
}

float vt_content_certainty(double n_events)
{
    return n_events > 0 ? (float)(n_events / (n_events + CERTAINTY_HALF)) : 0;
}

void vt_content_factor(const float *map_rows, uint32_t dim, uint32_t row_stride,
                       const struct vt_content_term *terms, uint32_t n, float *ret_factor)
{
    memset(ret_factor, 0, dim * sizeof *ret_factor);
    for (uint32_t i = 0; i < n; i++) {
        const float *row = map_rows + (size_t)terms[i].term * row_stride;
        for (uint32_t d = 0; d < dim; d++)
            ret_factor[d] += terms[i].weight * row[d];
    }
}

/* ---- products with X ---- */

/* ret[c] = Σ over the row's terms of value · in[term][c]. */
static void row_times(const struct vt_sparse *content, uint32_t row, const double *in,
                      double ret[COLUMNS])
{
    memset(ret, 0, COLUMNS * sizeof *ret);
    for (uint64_t e = content->starts[row]; e < content->starts[row + 1]; e++) {
        const double *at = in + (size_t)content->columns[e] * COLUMNS;
        double value = (double)content->values[e];
        for (int c = 0; c < COLUMNS; c++)
            ret[c] += value * at[c];
    }
}

/* out[term][c] += value · weights[c] for the row's terms. */
static void add_row(const struct vt_sparse *content, uint32_t row, const double weights[COLUMNS],
                    double *out)
{
    for (uint64_t e = content->starts[row]; e < content->starts[row + 1]; e++) {
        double *at = out + (size_t)content->columns[e] * COLUMNS;
        double value = (double)content->values[e];
        for (int c = 0; c < COLUMNS; c++)
            at[c] += value * weights[c];
    }
}

/* image = (XᵀCX + ridge) direction. */
static void apply(const struct system *system, const double *direction, double *image)
{
    const struct vt_sparse *content = system->input->content;
    for (size_t i = 0; i < (size_t)content->n_cols * COLUMNS; i++)
        image[i] = system->ridge * direction[i];
    for (uint32_t row = 0; row < content->n_rows; row++) {
        double products[COLUMNS];
        if (!(system->certainties[row] > 0))
            continue;
        row_times(content, row, direction, products);
        for (int c = 0; c < COLUMNS; c++)
            products[c] *= system->certainties[row];
        add_row(content, row, products, image);
    }
}

/* residual = XᵀCY of the columns from `first_column` on. */
static void right_side(const struct system *system, uint32_t first_column, double *residual)
{
    const struct vt_content_map_input *input = system->input;
    for (uint32_t row = 0; row < input->content->n_rows; row++) {
        double targets[COLUMNS] = {0};
        const float *factors = input->factors + (size_t)row * input->row_stride + first_column;
        for (uint32_t c = 0; c < COLUMNS && first_column + c < input->dim; c++)
            targets[c] = system->certainties[row] * (double)factors[c];
        add_row(input->content, row, targets, residual);
    }
}

/* ---- conjugate gradients ---- */

/* ret[c] = Σ a[term][c] · b[term][c] / divisor[term], or without when it is NULL. */
static void dots(uint32_t n_terms, const double *a, const double *b, const double *divisor,
                 double ret[COLUMNS])
{
    memset(ret, 0, COLUMNS * sizeof *ret);
    for (uint32_t t = 0; t < n_terms; t++)
        for (int c = 0; c < COLUMNS; c++) {
            size_t at = (size_t)t * COLUMNS + (size_t)c;
            ret[c] += a[at] * b[at] / (divisor != NULL ? divisor[t] : 1);
        }
}

/* A column that is solved stands still: its step is 0. */
static void step(const struct system *system, struct state *state)
{
    uint32_t n_terms = system->input->content->n_cols;
    double curvature[COLUMNS], lengths[COLUMNS], weights[COLUMNS];
    apply(system, state->direction, state->image);
    dots(n_terms, state->direction, state->image, NULL, curvature);
    for (int c = 0; c < COLUMNS; c++)
        lengths[c] = curvature[c] > 0 ? state->weight[c] / curvature[c] : 0;
    for (size_t i = 0; i < (size_t)n_terms * COLUMNS; i++) {
        state->solution[i] += lengths[i % COLUMNS] * state->direction[i];
        state->residual[i] -= lengths[i % COLUMNS] * state->image[i];
    }
    dots(n_terms, state->residual, state->residual, system->diagonal, weights);
    for (size_t i = 0; i < (size_t)n_terms * COLUMNS; i++) {
        size_t c = i % COLUMNS;
        double turn = state->weight[c] > 0 ? weights[c] / state->weight[c] : 0;
        state->direction[i] =
            state->residual[i] / system->diagonal[i / COLUMNS] + turn * state->direction[i];
    }
    memcpy(state->weight, weights, sizeof weights);
}

static bool is_solved(const struct state *state)
{
    for (int c = 0; c < COLUMNS; c++)
        if (state->weight[c] > state->first[c] * TOLERANCE * TOLERANCE)
            return false;
    return true;
}

static void solve_columns(const struct system *system, uint32_t first_column, struct state *state)
{
    uint32_t n_terms = system->input->content->n_cols;
    right_side(system, first_column, state->residual);
    for (size_t i = 0; i < (size_t)n_terms * COLUMNS; i++)
        state->direction[i] = state->residual[i] / system->diagonal[i / COLUMNS];
    dots(n_terms, state->residual, state->direction, NULL, state->weight);
    memcpy(state->first, state->weight, sizeof state->first);
    for (int i = 0; i < STEPS_MAX && !is_solved(state); i++)
        step(system, state);
}

static void solve_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct system *system = ctx;
    const struct vt_content_map_input *input = system->input;
    uint32_t first = block * COLUMNS, n_terms = input->content->n_cols;
    size_t n = (size_t)n_terms * COLUMNS;
    (void)thread;
    double *memory = calloc(4 * n, sizeof *memory);
    system->failed[block] = memory == NULL;
    if (memory == NULL)
        return;
    struct state state = {memory, memory + n, memory + 2 * n, memory + 3 * n, {0}, {0}};
    solve_columns(system, first, &state);
    for (uint32_t t = 0; t < n_terms; t++)
        for (uint32_t c = 0; c < COLUMNS && first + c < input->dim; c++)
            system->rows[(size_t)t * input->row_stride + first + c] =
                (float)state.solution[(size_t)t * COLUMNS + c];
    free(memory);
}

static void fill_diagonal(const struct vt_sparse *content, const double *certainties, double ridge,
                          double *diagonal)
{
    for (uint32_t t = 0; t < content->n_cols; t++)
        diagonal[t] = ridge;
    for (uint32_t row = 0; row < content->n_rows; row++)
        for (uint64_t e = content->starts[row]; e < content->starts[row + 1]; e++)
            diagonal[content->columns[e]] +=
                certainties[row] * (double)content->values[e] * (double)content->values[e];
}

/* Into rows, which is zeroed. */
static struct vt_err solve(const struct vt_content_map_input *input, const double *certainties,
                           double ridge, uint32_t threads, float *rows)
{
    uint32_t n_terms = input->content->n_cols, n_blocks = (input->dim + COLUMNS - 1) / COLUMNS;
    double *diagonal = calloc((size_t)n_terms + 1, sizeof *diagonal);
    bool *failed = calloc(n_blocks, sizeof *failed);
    bool whole = diagonal != NULL && failed != NULL;
    if (whole) {
        struct system system = {input, certainties, diagonal, ridge, rows, failed};
        fill_diagonal(input->content, certainties, ridge, diagonal);
        vt_parallel(n_blocks, vt_threads_resolve(threads), solve_block, &system);
        for (uint32_t block = 0; block < n_blocks; block++)
            whole = whole && !failed[block];
    }
    free(diagonal);
    free(failed);
    VT_CHECK(whole, VT_EXHAUSTED, "out of memory for the content map");
    return vt_ok();
}

/* ---- choosing the ridge ---- */

static bool is_held_out(uint32_t row)
{
    return row % HELD_OUT_EVERY == HELD_OUT_PLACE;
}

/* 1 - the weighted squares that the map misses on the items held out, over all their squares. */
static double explained_by(const struct vt_content_map_input *input, const float *rows)
{
    const struct vt_sparse *content = input->content;
    double missed = 0, all = 0;
    for (uint32_t row = HELD_OUT_PLACE; row < content->n_rows; row += HELD_OUT_EVERY) {
        const float *factors = input->factors + (size_t)row * input->row_stride;
        double certainty = (double)input->certainties[row];
        for (uint32_t d = 0; d < input->dim; d++) {
            double said = 0, is = (double)factors[d];
            for (uint64_t e = content->starts[row]; e < content->starts[row + 1]; e++)
                said += (double)content->values[e] *
                        (double)rows[(size_t)content->columns[e] * input->row_stride + d];
            missed += certainty * (is - said) * (is - said);
            all += certainty * is * is;
        }
    }
    return all > 0 ? 1 - missed / all : 0;
}

static size_t rows_bytes(const struct vt_content_map_input *input)
{
    return (size_t)input->content->n_cols * input->row_stride * sizeof(float);
}

/* The ridge that explains most; of equals the larger. */
static struct vt_err choose_ridge(const struct vt_content_map_input *input,
                                  const double *certainties, uint32_t threads,
                                  struct vt_content_map *map)
{
    map->explained = -INFINITY;
    for (int i = 0; i < N_RIDGES; i++) {
        memset(map->rows, 0, rows_bytes(input));
        VT_TRY(solve(input, certainties, ridges[i], threads, map->rows));
        double explained = explained_by(input, map->rows);
        if (explained >= map->explained) {
            map->explained = explained;
            map->ridge = ridges[i];
        }
    }
    return vt_ok();
}

/* ---- the whole ---- */

static void fill_certainties(const struct vt_content_map_input *input, bool hold_out,
                             double *certainties)
{
    for (uint32_t row = 0; row < input->content->n_rows; row++)
        certainties[row] = hold_out && is_held_out(row) ? 0 : (double)input->certainties[row];
}

static struct vt_err check_input(const struct vt_content_map_input *input, double ridge,
                                 struct vt_diag *diag)
{
    if (!(ridge >= 0) || !isfinite(ridge)) {
        vt_diag_set(diag, "content_ridge", "the ridge is %g; a number of 0 (chosen) or more",
                    ridge);
        return VT_ERR(VT_INVALID, "the ridge is out of range");
    }
    for (uint32_t row = 0; row < input->content->n_rows; row++)
        for (uint32_t d = 0; d < input->dim; d++)
            if (!isfinite(input->factors[(size_t)row * input->row_stride + d])) {
                vt_diag_set(diag, "factors", "the factor of row %u is not finite", row);
                return VT_ERR(VT_CORRUPT, "a factor is not finite");
            }
    return vt_ok();
}

static struct vt_err train(const struct vt_content_map_input *input,
                           const struct vt_content_options *options, double *certainties,
                           struct vt_content_map *map)
{
    map->ridge = options->ridge;
    map->explained = NAN;
    if (!(options->ridge > 0)) {
        fill_certainties(input, true, certainties);
        VT_TRY(choose_ridge(input, certainties, options->threads, map));
    }
    memset(map->rows, 0, rows_bytes(input));
    fill_certainties(input, false, certainties);
    return solve(input, certainties, map->ridge, options->threads, map->rows);
}

struct vt_err vt_content_map_train(const struct vt_content_map_input *input,
                                   const struct vt_content_options *options, struct vt_diag *diag,
                                   struct vt_content_map *ret_map)
{
    VT_TRY(check_input(input, options->ridge, diag));
    VT_CHECK(input->dim > 0 && input->content->n_cols > 0, VT_INVALID,
             "no terms or no factors to map");
    struct vt_content_map map = {.rows = malloc(rows_bytes(input))};
    double *certainties = malloc(((size_t)input->content->n_rows + 1) * sizeof *certainties);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the content map");
    if (map.rows != NULL && certainties != NULL)
        err = train(input, options, certainties, &map);
    free(certainties);
    if (vt_failed(err))
        vt_content_map_free(&map);
    else
        *ret_map = map;
    return err;
}
