/*
 * Gram matrices too large to be dense: one row at a time, or what is below the diagonal as CSR. Two
 * passes, one to count and one to fill, so that the entries have their final place from the start
 * and threads need no lock. Which columns a row has met is kept as bits, which gives them back in
 * order without sorting.
 */
#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <stdlib.h>

enum { SPARSE_ROWS_PER_BLOCK = 32, WORD_BITS = 64 };

static uint32_t words_of(uint32_t n)
{
    return (n + WORD_BITS - 1) / WORD_BITS;
}

struct vt_err vt__gram_row_init(uint32_t n, struct vt__gram_row *ret_row)
{
    struct vt__gram_row row = {
        .n = n, .sums = calloc(n, sizeof *row.sums), .seen = calloc(words_of(n), sizeof *row.seen)};
    if (row.sums == NULL || row.seen == NULL) {
        vt__gram_row_fini(&row);
        return VT_ERR(VT_EXHAUSTED, "out of memory for a row of a Gram matrix");
    }
    *ret_row = row;
    return vt_ok();
}

void vt__gram_row_fini(struct vt__gram_row *row)
{
    free(row->sums);
    free(row->seen);
    *row = (struct vt__gram_row){0};
}

void vt__gram_row_fill(const struct vt_sparse *rows, const struct vt_sparse *columns, uint32_t i,
                       uint32_t end, struct vt__gram_row *row)
{
    for (uint64_t c = columns->starts[i]; c < columns->starts[i + 1]; c++) {
        uint32_t user = columns->columns[c];
        double weight = (double)columns->values[c];
        for (uint64_t e = rows->starts[user]; e < rows->starts[user + 1]; e++) {
            uint32_t column = rows->columns[e];
            if (column >= end)
                break;
            row->seen[column / WORD_BITS] |= UINT64_C(1) << column % WORD_BITS;
            row->sums[column] += weight * (double)rows->values[e];
        }
    }
}

uint32_t vt__gram_row_take(struct vt__gram_row *row, uint32_t *ret_columns, float *ret_values)
{
    uint32_t n = 0;
    for (uint32_t word = 0; word < words_of(row->n); word++) {
        for (uint64_t bits = row->seen[word]; bits != 0; bits &= bits - 1, n++) {
            uint32_t column = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            if (ret_columns != NULL) {
                ret_columns[n] = column;
                ret_values[n] = (float)row->sums[column];
            }
            row->sums[column] = 0;
        }
        row->seen[word] = 0;
    }
    return n;
}

/* ---- what is below the diagonal ---- */

struct below {
    const struct vt_sparse *rows, *columns;
    struct vt__gram_row *threads;
    struct vt_sparse ret;
};

static void fill_rows(struct below *below, uint32_t block, uint32_t thread, bool count)
{
    uint32_t n = below->ret.n_rows, first = block * SPARSE_ROWS_PER_BLOCK;
    uint32_t end = n - first < SPARSE_ROWS_PER_BLOCK ? n : first + SPARSE_ROWS_PER_BLOCK;
    struct vt__gram_row *row = &below->threads[thread];
    for (uint32_t i = first; i < end; i++) {
        vt__gram_row_fill(below->rows, below->columns, i, i, row);
        if (count) { /* starts[i] belongs to whoever counts row i - 1 */
            below->ret.starts[i + 1] = vt__gram_row_take(row, NULL, NULL);
        } else {
            uint64_t at = below->ret.starts[i];
            vt__gram_row_take(row, below->ret.columns + at, below->ret.values + at);
        }
    }
}

static void count_block(void *ctx, uint32_t block, uint32_t thread)
{
    fill_rows(ctx, block, thread, true);
}

static void fill_block(void *ctx, uint32_t block, uint32_t thread)
{
    fill_rows(ctx, block, thread, false);
}

static struct vt_err build_below(struct below *below, uint32_t n_threads)
{
    struct vt_sparse *ret = &below->ret;
    uint32_t n_blocks = (ret->n_rows + SPARSE_ROWS_PER_BLOCK - 1) / SPARSE_ROWS_PER_BLOCK;
    below->threads = calloc(n_threads, sizeof *below->threads);
    ret->starts = calloc((size_t)ret->n_rows + 1, sizeof *ret->starts);
    VT_CHECK(below->threads != NULL && ret->starts != NULL, VT_EXHAUSTED,
             "out of memory for a Gram matrix");
    for (uint32_t t = 0; t < n_threads; t++)
        VT_TRY(vt__gram_row_init(ret->n_rows, &below->threads[t]));
    vt_parallel(n_blocks, n_threads, count_block, below);
    for (uint32_t i = 0; i < ret->n_rows; i++)
        ret->starts[i + 1] += ret->starts[i];
    ret->n_entries = ret->starts[ret->n_rows];
    ret->columns = calloc(ret->n_entries + 1, sizeof *ret->columns); /* + 1: never of size 0 */
    ret->values = calloc(ret->n_entries + 1, sizeof *ret->values);
    VT_CHECK(ret->columns != NULL && ret->values != NULL, VT_EXHAUSTED,
             "out of memory for a Gram matrix");
    vt_parallel(n_blocks, n_threads, fill_block, below);
    return vt_ok();
}

struct vt_err vt__gram_sparse(const struct vt_sparse *rows, const struct vt_sparse *columns,
                              uint32_t n_threads, struct vt_sparse *ret_below)
{
    struct below below = {.rows = rows,
                          .columns = columns,
                          .ret = {.n_rows = columns->n_rows, .n_cols = columns->n_rows}};
    struct vt_err err = build_below(&below, n_threads);
    for (uint32_t t = 0; below.threads != NULL && t < n_threads; t++)
        vt__gram_row_fini(&below.threads[t]);
    free(below.threads);
    if (vt_failed(err))
        vt_sparse_free(&below.ret);
    else
        *ret_below = below.ret;
    return err;
}
