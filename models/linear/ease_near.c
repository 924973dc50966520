/*
 * EASE for many items: column j is not read from an inverse of everything but fitted on the
 * `support` items that go with j most, S, as ridge regression on these alone:
 *
 *   (G_SS + ridge_S) · b = G_Sj,   B_Sj = b,   nothing else in column j
 *
 * where G = XᵀWX. j is not in S, so its own weight is 0 as EASE asks. This is the sparse form of
 * Steck, "Markov Random Fields for Collaborative Filtering" (2019), with a support for each column,
 * and the sparse approximate inverse of Grote and Huckle (1997) seen column by column. A small
 * Cholesky for each item instead of one large one: time grows with items · support³, and the only
 * large thing in memory is the sparse G. Nearest is by |G_ij| / √(G_ii + ridge_i), which orders
 * items as their correlation with j does.
 *
 * Inside, items are numbered by popularity: a row of G below its diagonal then holds only more
 * popular items, which keeps every row short and gathering G_SS a walk over a few thousand entries.
 *
 * Leaving out what hardly goes with j also keeps its noise out: on sparse data this form finds more
 * than the exact one (docs/adr/0100).
 */
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_PER_BLOCK = 16, BLOCKS_PER_STEP = 128 };

struct near_thread {
    struct vt__gram_row row;
    uint32_t *columns;         /* n_items: of the row */
    float *values;             /* n_items */
    uint32_t *places;          /* n_items: of a rank in the support, + 1; 0: not there */
    struct vt_index_hit *hits; /* support, or rows.per_row if that is more */
    double *normal;            /* support × support */
    double *solution;          /* support */
};

struct near {
    struct vt__ease *ease;
    uint32_t support;
    uint32_t *items; /* n_items: by rank of popularity */
    struct vt_sparse by_rank,
        by_user;             /* the matrix with ranks for items: ranks × users, users × ranks */
    struct vt_sparse below;  /* G of ranks below the diagonal */
    struct vt_sparse fitted; /* row j: column j of B; `support` places each */
    uint32_t *n_fitted;      /* n_items */
    struct vt_sparse by_row; /* B */
    struct near_thread *threads;
    uint32_t first_block; /* of this step */
    atomic_bool singular; /* relaxed: only ever set, read after the join */
};

/* ---- one column ---- */

/* S, by rank, and G_Sj. */
static uint32_t choose_support(const struct near *near, uint32_t rank, struct near_thread *thread)
{
    const struct vt__ease *ease = near->ease;
    vt__gram_row_fill(&near->by_user, &near->by_rank, rank, UINT32_MAX, &thread->row);
    uint32_t n = vt__gram_row_take(&thread->row, thread->columns, thread->values);
    struct vt_top top = {.hits = thread->hits, .capacity = near->support};
    for (uint32_t e = 0; e < n; e++) {
        uint32_t i = near->items[thread->columns[e]];
        double near_j = fabs((double)thread->values[e]) / sqrt(ease->squares[i] + ease->ridge[i]);
        if (thread->columns[e] != rank && near_j > 0)
            vt_top_offer(&top, (struct vt_index_hit){.score = near_j, .row = e});
    }
    for (uint32_t s = 0; s < top.n; s++)
        thread->places[thread->columns[top.hits[s].row]] = 1;
    uint32_t n_support = 0;
    for (uint32_t e = 0; e < n; e++)
        if (thread->places[thread->columns[e]] != 0) {
            thread->columns[n_support] = thread->columns[e];
            thread->values[n_support++] = thread->values[e];
            thread->places[thread->columns[e]] = n_support;
        }
    return n_support;
}

/* Row s of G_SS below the diagonal. */
static void gather_row(const struct near *near, uint32_t s, const struct near_thread *thread,
                       double *ret_row)
{
    const struct vt_sparse *below = &near->below;
    uint32_t rank = thread->columns[s];
    for (uint64_t e = below->starts[rank]; e < below->starts[rank + 1]; e++) {
        uint32_t place = thread->places[below->columns[e]];
        if (place != 0)
            ret_row[place - 1] = (double)below->values[e];
    }
}

static bool fit(const struct near *near, uint32_t n_support, struct near_thread *thread)
{
    const struct vt__ease *ease = near->ease;
    for (uint32_t s = 0; s < n_support; s++) {
        uint32_t i = near->items[thread->columns[s]];
        double *row = thread->normal + (size_t)s * n_support;
        memset(row, 0, n_support * sizeof *row);
        gather_row(near, s, thread, row);
        row[s] = ease->squares[i] + ease->ridge[i];
        thread->solution[s] = (double)thread->values[s];
    }
    return vt_kernels()->solve_f64(thread->normal, n_support, thread->solution);
}

static void fit_column(struct near *near, uint32_t rank, struct near_thread *thread)
{
    const struct vt__ease *ease = near->ease;
    uint32_t j = near->items[rank], n_support = choose_support(near, rank, thread);
    if (n_support > 0 && !fit(near, n_support, thread))
        atomic_store_explicit(&near->singular, true, memory_order_relaxed);
    size_t at = (size_t)j * near->support;
    for (uint32_t s = 0; s < n_support; s++) {
        near->fitted.columns[at + s] = near->items[thread->columns[s]];
        near->fitted.values[at + s] = (float)(thread->solution[s] * ease->column_scale[j]);
        thread->places[thread->columns[s]] = 0;
    }
    near->n_fitted[j] = n_support;
}

static void fit_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct near *near = ctx;
    uint32_t n_items = near->ease->matrix.n_cols;
    uint32_t first = (near->first_block + block) * COLUMNS_PER_BLOCK;
    uint32_t end = n_items - first < COLUMNS_PER_BLOCK ? n_items : first + COLUMNS_PER_BLOCK;
    for (uint32_t rank = first; rank < end; rank++)
        fit_column(near, rank, &near->threads[thread]);
}

static struct vt_err fit_columns(struct near *near)
{
    struct vt__ease *ease = near->ease;
    uint32_t n_blocks = (ease->matrix.n_cols + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK;
    for (uint32_t first = 0; first < n_blocks; first += BLOCKS_PER_STEP) {
        uint32_t n = n_blocks - first < BLOCKS_PER_STEP ? n_blocks - first : BLOCKS_PER_STEP;
        near->first_block = first;
        vt_parallel(n, ease->n_threads, fit_block, near);
        VT_CHECK(!atomic_load_explicit(&near->singular, memory_order_relaxed), VT_INVALID,
                 "the items that go with an item are sums of each other");
        VT_CHECK(ease->options->progress == NULL ||
                     ease->options->progress(ease->options->progress_ctx, first + n, n_blocks),
                 VT_CANCELLED, "ended by the caller");
    }
    return vt_ok();
}

/* ---- columns to rows ---- */

/* The gaps behind short columns are closed. */
static void close_gaps(struct near *near)
{
    struct vt_sparse *fitted = &near->fitted;
    for (uint32_t j = 0; j < fitted->n_rows; j++) {
        size_t from = (size_t)j * near->support, n = near->n_fitted[j];
        uint64_t to = fitted->starts[j];
        memmove(fitted->columns + to, fitted->columns + from, n * sizeof *fitted->columns);
        memmove(fitted->values + to, fitted->values + from, n * sizeof *fitted->values);
        fitted->starts[j + 1] = to + n;
    }
    fitted->n_entries = fitted->starts[fitted->n_rows];
}

static void keep_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct near *near = ctx;
    const struct vt_sparse *rows = &near->by_row;
    uint32_t first = block * COLUMNS_PER_BLOCK;
    uint32_t end =
        rows->n_rows - first < COLUMNS_PER_BLOCK ? rows->n_rows : first + COLUMNS_PER_BLOCK;
    for (uint32_t i = first; i < end; i++)
        vt_kernel_rows_cut(
            &near->ease->rows, i, rows->columns + rows->starts[i], rows->values + rows->starts[i],
            (uint32_t)(rows->starts[i + 1] - rows->starts[i]), near->threads[thread].hits);
}

static struct vt_err keep_rows(struct near *near)
{
    close_gaps(near);
    VT_TRY(vt_sparse_transpose(&near->fitted, &near->by_row));
    vt_parallel((near->by_row.n_rows + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK,
                near->ease->n_threads, keep_block, near);
    return vt_ok();
}

/* ---- the whole ---- */

struct ranked {
    uint64_t n_users;
    uint32_t item;
};

/* The most popular first, ties by number. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->n_users != y->n_users)
        return x->n_users < y->n_users ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static struct vt_err rank_items(struct near *near)
{
    const struct vt_sparse *by_item = &near->ease->by_item;
    struct ranked *ranked = calloc(by_item->n_rows, sizeof *ranked);
    VT_CHECK(ranked != NULL, VT_EXHAUSTED, "out of memory for the order of items");
    for (uint32_t i = 0; i < by_item->n_rows; i++)
        ranked[i] = (struct ranked){by_item->starts[i + 1] - by_item->starts[i], i};
    qsort(ranked, by_item->n_rows, sizeof *ranked, compare_ranked);
    for (uint32_t i = 0; i < by_item->n_rows; i++)
        near->items[i] = ranked[i].item;
    free(ranked);
    return vt_ok();
}

/* by_item with its rows in the order of ranks, and its transpose. */
static struct vt_err renumber(struct near *near)
{
    const struct vt_sparse *by_item = &near->ease->by_item;
    struct vt_sparse *by_rank = &near->by_rank;
    *by_rank = (struct vt_sparse){.n_rows = by_item->n_rows, .n_cols = by_item->n_cols};
    by_rank->starts = calloc((size_t)by_item->n_rows + 1, sizeof *by_rank->starts);
    by_rank->columns = calloc(by_item->n_entries, sizeof *by_rank->columns);
    by_rank->values = calloc(by_item->n_entries, sizeof *by_rank->values);
    VT_CHECK(by_rank->starts != NULL && by_rank->columns != NULL && by_rank->values != NULL,
             VT_EXHAUSTED, "out of memory for the order of items");
    for (uint32_t rank = 0; rank < by_rank->n_rows; rank++) {
        uint64_t from = by_item->starts[near->items[rank]];
        size_t n = by_item->starts[near->items[rank] + 1] - from;
        memcpy(by_rank->columns + by_rank->n_entries, by_item->columns + from,
               n * sizeof *by_rank->columns);
        memcpy(by_rank->values + by_rank->n_entries, by_item->values + from,
               n * sizeof *by_rank->values);
        by_rank->n_entries += n;
        by_rank->starts[rank + 1] = by_rank->n_entries;
    }
    return vt_sparse_transpose(by_rank, &near->by_user);
}

static struct vt_err init_thread(const struct near *near, struct near_thread *thread)
{
    uint32_t n_items = near->ease->matrix.n_cols, per_row = near->ease->rows.per_row;
    size_t support = near->support;
    VT_TRY(vt__gram_row_init(n_items, &thread->row));
    thread->columns = calloc(n_items, sizeof *thread->columns);
    thread->values = calloc(n_items, sizeof *thread->values);
    thread->places = calloc(n_items, sizeof *thread->places);
    thread->hits = calloc(support > per_row ? support : per_row, sizeof *thread->hits);
    thread->normal = calloc(support * support, sizeof *thread->normal);
    thread->solution = calloc(support, sizeof *thread->solution);
    VT_CHECK(thread->columns != NULL && thread->values != NULL && thread->places != NULL &&
                 thread->hits != NULL && thread->normal != NULL && thread->solution != NULL,
             VT_EXHAUSTED, "out of memory for the columns of a kernel");
    return vt_ok();
}

static void fini_thread(struct near_thread *thread)
{
    vt__gram_row_fini(&thread->row);
    free(thread->columns);
    free(thread->values);
    free(thread->places);
    free(thread->hits);
    free(thread->normal);
    free(thread->solution);
}

static struct vt_err alloc_near(struct near *near)
{
    uint32_t n_items = near->ease->matrix.n_cols;
    struct vt_sparse *fitted = &near->fitted;
    fitted->n_rows = fitted->n_cols = n_items;
    fitted->starts = calloc((size_t)n_items + 1, sizeof *fitted->starts);
    fitted->columns = calloc((size_t)n_items * near->support, sizeof *fitted->columns);
    fitted->values = calloc((size_t)n_items * near->support, sizeof *fitted->values);
    near->n_fitted = calloc(n_items, sizeof *near->n_fitted);
    near->items = calloc(n_items, sizeof *near->items);
    near->threads = calloc(near->ease->n_threads, sizeof *near->threads);
    VT_CHECK(fitted->starts != NULL && fitted->columns != NULL && fitted->values != NULL &&
                 near->n_fitted != NULL && near->items != NULL && near->threads != NULL,
             VT_EXHAUSTED, "out of memory for the columns of a kernel");
    for (uint32_t t = 0; t < near->ease->n_threads; t++)
        VT_TRY(init_thread(near, &near->threads[t]));
    return vt_ok();
}

static void free_near(struct near *near)
{
    for (uint32_t t = 0; near->threads != NULL && t < near->ease->n_threads; t++)
        fini_thread(&near->threads[t]);
    free(near->threads);
    free(near->n_fitted);
    free(near->items);
    vt_sparse_free(&near->by_rank);
    vt_sparse_free(&near->by_user);
    vt_sparse_free(&near->below);
    vt_sparse_free(&near->fitted);
    vt_sparse_free(&near->by_row);
}

static struct vt_err run(struct near *near)
{
    VT_TRY(alloc_near(near));
    VT_TRY(rank_items(near));
    VT_TRY(renumber(near));
    VT_TRY(vt__gram_sparse(&near->by_user, &near->by_rank, near->ease->n_threads, &near->below));
    VT_TRY(fit_columns(near));
    return keep_rows(near);
}

struct vt_err vt__ease_near(struct vt__ease *ease)
{
    uint32_t n_items = ease->matrix.n_cols, support = ease->options->support;
    struct near near = {.ease = ease, .support = support < n_items ? support : n_items};
    struct vt_err err = run(&near);
    free_near(&near);
    return err;
}
