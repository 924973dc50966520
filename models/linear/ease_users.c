/*
 * EASE through the inverse of a users × users matrix, for data with fewer users than items. With
 * Y = X·D^(−1/2), D the ridge, the Woodbury identity says
 *
 *   P = (XᵀX + D)⁻¹ = D^(−1/2) · (I − Yᵀ·K·Y) · D^(−1/2),   K = (I + Y·Yᵀ)⁻¹
 *
 * and K is the only dense matrix. Rows of P are made for a block of items at a time: K·Y for the
 * block, tile by tile of K, since an item has few users; then Yᵀ times that, item by item.
 */
#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ITEMS = 128 };

/* An entry of the block's part of Y. */
struct block_entry {
    uint32_t item, user; /* within the block; of all */
    float value;
};

struct thread_scratch {
    float *by_item;              /* BLOCK_ITEMS × padded users: (K·Y)ᵀ of the block */
    float *by_user;              /* its transpose */
    float *rows;                 /* BLOCK_ITEMS × n_items, of P */
    float *tile;                 /* a tile, transposed */
    struct block_entry *entries; /* the block's, by user */
    uint64_t *tile_starts;       /* n_tiles + 1: of the entries, by tile of users */
    struct vt_index_hit *hits;   /* rows.per_row */
};

struct users {
    struct vt__ease *ease;
    struct vt_symmetric matrix; /* K */
    double *roots;              /* n_items: ridge^(−1/2) */
    uint64_t block_entries_max;
    struct thread_scratch *threads;
};

static uint32_t block_end(const struct users *users, uint32_t first)
{
    uint32_t n_items = users->ease->matrix.n_cols;
    return n_items - first < BLOCK_ITEMS ? n_items : first + BLOCK_ITEMS;
}

static size_t padded_users(const struct users *users)
{
    return (size_t)users->matrix.n_tiles * VT_TILE;
}

/* ---- K ---- */

static struct vt_err invert(struct users *users)
{
    struct vt__ease *ease = users->ease;
    double *weights = users->roots; /* 1/ridge first, its root afterwards */
    for (uint32_t i = 0; i < ease->matrix.n_cols; i++)
        weights[i] = 1 / ease->ridge[i];
    VT_TRY(vt__gram_add(&ease->by_item, &ease->matrix, weights, ease->n_threads, &users->matrix));
    for (uint32_t i = 0; i < ease->matrix.n_cols; i++)
        users->roots[i] = sqrt(weights[i]);
    for (uint32_t u = 0; u < ease->matrix.n_rows; u++)
        *vt_symmetric_at(&users->matrix, u, u) += 1;
    return vt_symmetric_invert(&users->matrix, ease->n_threads, ease->options->progress,
                               ease->options->progress_ctx);
}

/* P_ii = (1 − y_iᵀ·K·y_i) / ridge_i; quadratic in the item's users. */
static void invert_diagonal(void *ctx, uint32_t block, uint32_t thread)
{
    (void)thread;
    struct users *users = ctx;
    struct vt__ease *ease = users->ease;
    const struct vt_sparse *by_item = &ease->by_item;
    uint32_t first = block * BLOCK_ITEMS;
    for (uint32_t i = first; i < block_end(users, first); i++) {
        double form = 0;
        for (uint64_t a = by_item->starts[i]; a < by_item->starts[i + 1]; a++)
            for (uint64_t b = by_item->starts[i]; b < by_item->starts[i + 1]; b++)
                form += (double)by_item->values[a] * (double)by_item->values[b] *
                        (double)*vt_symmetric_at(&users->matrix, by_item->columns[a],
                                                 by_item->columns[b]);
        ease->inverse_diag[i] = (1 - form / ease->ridge[i]) / ease->ridge[i];
    }
}

/* ---- rows of P ---- */

/* The block's entries of Y, counted into tiles of users. */
static void collect_entries(const struct users *users, uint32_t first,
                            struct thread_scratch *scratch)
{
    const struct vt_sparse *by_item = &users->ease->by_item;
    uint32_t end = block_end(users, first), n_tiles = users->matrix.n_tiles;
    memset(scratch->tile_starts, 0, ((size_t)n_tiles + 1) * sizeof *scratch->tile_starts);
    for (uint64_t e = by_item->starts[first]; e < by_item->starts[end]; e++)
        scratch->tile_starts[by_item->columns[e] / VT_TILE + 1]++;
    for (uint32_t t = 0; t < n_tiles; t++)
        scratch->tile_starts[t + 1] += scratch->tile_starts[t];
    for (uint32_t i = first; i < end; i++)
        for (uint64_t e = by_item->starts[i]; e < by_item->starts[i + 1]; e++) {
            uint64_t to = scratch->tile_starts[by_item->columns[e] / VT_TILE]++;
            scratch->entries[to] =
                (struct block_entry){i - first, by_item->columns[e],
                                     (float)((double)by_item->values[e] * users->roots[i])};
        }
    for (uint32_t t = n_tiles; t > 0; t--) /* each start has moved to its end */
        scratch->tile_starts[t] = scratch->tile_starts[t - 1];
    scratch->tile_starts[0] = 0;
}

/* by_item += the entries of user tile `from` times their rows of `tile`, whose columns are the
 * users of tile `to`. */
static void add_tile(const struct users *users, struct thread_scratch *scratch, const float *tile,
                     uint32_t from, uint32_t to)
{
    for (uint64_t e = scratch->tile_starts[from]; e < scratch->tile_starts[from + 1]; e++) {
        const struct block_entry *entry = &scratch->entries[e];
        const float *row = tile + (size_t)(entry->user % VT_TILE) * VT_TILE;
        float *sums = scratch->by_item + entry->item * padded_users(users) + (size_t)to * VT_TILE;
        for (uint32_t c = 0; c < VT_TILE; c++)
            sums[c] += entry->value * row[c];
    }
}

static void multiply_block(const struct users *users, struct thread_scratch *scratch)
{
    size_t n_padded = padded_users(users);
    memset(scratch->by_item, 0, BLOCK_ITEMS * n_padded * sizeof *scratch->by_item);
    for (uint32_t a = 0; a < users->matrix.n_tiles; a++)
        for (uint32_t b = 0; b <= a; b++) {
            const float *tile = vt_symmetric_tile(&users->matrix, a, b);
            add_tile(users, scratch, tile, a, b);
            if (a == b || scratch->tile_starts[b] == scratch->tile_starts[b + 1])
                continue;
            vt_tile_transpose(tile, scratch->tile);
            add_tile(users, scratch, scratch->tile, b, a);
        }
    for (size_t u = 0; u < n_padded; u++)
        for (size_t i = 0; i < BLOCK_ITEMS; i++)
            scratch->by_user[u * BLOCK_ITEMS + i] = scratch->by_item[i * n_padded + u];
}

/* Column j of the block's rows of P, without the part that only its diagonal has. */
static void finish_column(const struct users *users, uint32_t first, uint32_t j,
                          struct thread_scratch *scratch)
{
    const struct vt_sparse *by_item = &users->ease->by_item;
    float sums[BLOCK_ITEMS] = {0};
    for (uint64_t e = by_item->starts[j]; e < by_item->starts[j + 1]; e++) {
        const float *user = scratch->by_user + (size_t)by_item->columns[e] * BLOCK_ITEMS;
        float value = by_item->values[e];
        for (uint32_t i = 0; i < BLOCK_ITEMS; i++)
            sums[i] += value * user[i];
    }
    double inverse_ridge = users->roots[j] * users->roots[j];
    for (uint32_t i = first; i < block_end(users, first); i++)
        scratch->rows[(size_t)(i - first) * users->ease->matrix.n_cols + j] =
            (float)(-(double)sums[i - first] * inverse_ridge * users->roots[i]);
}

static void keep_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct users *users = ctx;
    struct thread_scratch *scratch = &users->threads[thread];
    uint32_t first = block * BLOCK_ITEMS, n_items = users->ease->matrix.n_cols;
    collect_entries(users, first, scratch);
    multiply_block(users, scratch);
    for (uint32_t j = 0; j < n_items; j++)
        finish_column(users, first, j, scratch);
    for (uint32_t i = first; i < block_end(users, first); i++)
        vt__ease_keep_row(users->ease, i, scratch->rows + (size_t)(i - first) * n_items,
                          scratch->hits);
}

/* ---- the whole ---- */

static uint64_t max_block_entries(const struct users *users)
{
    const uint64_t *starts = users->ease->by_item.starts;
    uint64_t max = 1;
    for (uint32_t first = 0; first < users->ease->matrix.n_cols; first += BLOCK_ITEMS) {
        uint64_t n = starts[block_end(users, first)] - starts[first];
        max = n > max ? n : max;
    }
    return max;
}

static bool alloc_thread(const struct users *users, struct thread_scratch *scratch)
{
    size_t panel = BLOCK_ITEMS * padded_users(users), n_items = users->ease->matrix.n_cols;
    scratch->by_item = malloc(panel * sizeof *scratch->by_item);
    scratch->by_user = malloc(panel * sizeof *scratch->by_user);
    scratch->rows = malloc(BLOCK_ITEMS * n_items * sizeof *scratch->rows);
    scratch->tile = malloc(VT_TILE_FLOATS * sizeof *scratch->tile);
    scratch->entries = calloc(users->block_entries_max, sizeof *scratch->entries);
    scratch->tile_starts = calloc((size_t)users->matrix.n_tiles + 1, sizeof *scratch->tile_starts);
    scratch->hits = calloc(users->ease->rows.per_row, sizeof *scratch->hits);
    return scratch->by_item != NULL && scratch->by_user != NULL && scratch->rows != NULL &&
           scratch->tile != NULL && scratch->entries != NULL && scratch->tile_starts != NULL &&
           scratch->hits != NULL;
}

static void free_thread(struct thread_scratch *scratch)
{
    free(scratch->by_item);
    free(scratch->by_user);
    free(scratch->rows);
    free(scratch->tile);
    free(scratch->entries);
    free(scratch->tile_starts);
    free(scratch->hits);
}

static struct vt_err keep_rows(struct users *users)
{
    struct vt__ease *ease = users->ease;
    users->block_entries_max = max_block_entries(users);
    users->threads = calloc(ease->n_threads, sizeof *users->threads);
    bool whole = users->threads != NULL;
    for (uint32_t t = 0; whole && t < ease->n_threads; t++)
        whole = alloc_thread(users, &users->threads[t]);
    if (whole)
        vt_parallel((ease->matrix.n_cols + BLOCK_ITEMS - 1) / BLOCK_ITEMS, ease->n_threads,
                    keep_block, users);
    for (uint32_t t = 0; users->threads != NULL && t < ease->n_threads; t++)
        free_thread(&users->threads[t]);
    free(users->threads);
    VT_CHECK(whole, VT_EXHAUSTED, "out of memory for the rows of a kernel");
    return vt_ok();
}

static struct vt_err run(struct users *users)
{
    struct vt__ease *ease = users->ease;
    users->roots = calloc(ease->matrix.n_cols, sizeof *users->roots);
    VT_CHECK(users->roots != NULL, VT_EXHAUSTED, "out of memory for a linear model");
    VT_TRY(invert(users));
    vt_parallel((ease->matrix.n_cols + BLOCK_ITEMS - 1) / BLOCK_ITEMS, ease->n_threads,
                invert_diagonal, users);
    VT_TRY(vt__ease_check_inverse(ease));
    return keep_rows(users);
}

struct vt_err vt__ease_by_users(struct vt__ease *ease)
{
    struct users users = {.ease = ease};
    VT_TRY(vt_symmetric_init(ease->matrix.n_rows, &users.matrix));
    struct vt_err err = run(&users);
    free(users.roots);
    vt_symmetric_fini(&users.matrix);
    return err;
}
