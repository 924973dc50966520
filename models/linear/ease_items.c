/*
 * EASE through the inverse of the items × items matrix: the form of the paper. The inverse is held
 * once, as the tiles of its lower half; a block of whole rows at a time is put together from them
 * and cut.
 */
#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <stdlib.h>

struct items {
    struct vt__ease *ease;
    struct vt_symmetric matrix;
    float *rows;               /* VT_TILE rows per thread */
    struct vt_index_hit *hits; /* rows.per_row per thread */
};

static size_t padded_items(const struct items *items)
{
    return (size_t)items->matrix.n_tiles * VT_TILE;
}

static void keep_tile_row(void *ctx, uint32_t block, uint32_t thread)
{
    struct items *items = ctx;
    struct vt__ease *ease = items->ease;
    uint32_t n_items = ease->matrix.n_cols, first = block * VT_TILE;
    uint32_t n_rows = n_items - first < VT_TILE ? n_items - first : VT_TILE;
    float *rows = items->rows + (size_t)thread * VT_TILE * padded_items(items);
    vt_symmetric_tile_row(&items->matrix, block, rows);
    for (uint32_t r = 0; r < n_rows; r++)
        vt__ease_keep_row(ease, first + r, rows + r * padded_items(items),
                          items->hits + (size_t)thread * ease->rows.per_row);
}

static struct vt_err keep_rows(struct items *items)
{
    struct vt__ease *ease = items->ease;
    items->rows = malloc(ease->n_threads * VT_TILE * padded_items(items) * sizeof *items->rows);
    items->hits = calloc((size_t)ease->n_threads * ease->rows.per_row, sizeof *items->hits);
    VT_CHECK(items->rows != NULL && items->hits != NULL, VT_EXHAUSTED,
             "out of memory for the rows of a kernel");
    vt_parallel(items->matrix.n_tiles, ease->n_threads, keep_tile_row, items);
    return vt_ok();
}

static struct vt_err invert(struct items *items)
{
    struct vt__ease *ease = items->ease;
    uint32_t n_items = ease->matrix.n_cols;
    VT_TRY(vt__gram_add(&ease->matrix, &ease->by_item, ease->n_threads, &items->matrix));
    for (uint32_t i = 0; i < n_items; i++) {
        float *diagonal = vt_symmetric_at(&items->matrix, i, i);
        *diagonal = (float)((double)*diagonal + ease->ridge[i]);
    }
    VT_TRY(vt_symmetric_invert(&items->matrix, ease->n_threads, ease->options->progress,
                               ease->options->progress_ctx));
    for (uint32_t i = 0; i < n_items; i++)
        ease->inverse_diag[i] = (double)*vt_symmetric_at(&items->matrix, i, i);
    return vt__ease_check_inverse(ease);
}

struct vt_err vt__ease_by_items(struct vt__ease *ease)
{
    struct items items = {.ease = ease};
    VT_TRY(vt_symmetric_init(ease->matrix.n_cols, &items.matrix));
    struct vt_err err = invert(&items);
    if (!vt_failed(err))
        err = keep_rows(&items);
    free(items.rows);
    free(items.hits);
    vt_symmetric_fini(&items.matrix);
    return err;
}
