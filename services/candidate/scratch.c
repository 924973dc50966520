/*
 * The pool of working memory. A request takes a scratch by exchanging its place with NULL and puts
 * it back the same way; there is no lock and, once each serving thread has had one request of the
 * largest model, no malloc. Every thread begins its search at its own place.
 */
#include "services/candidate/scratch.h"

#include "models/factor/fold_in.h"

#include <stdlib.h>

/* Relaxed: only spreads threads over places. */
static unsigned own_place(void)
{
    static atomic_uint n_threads;
    static _Thread_local unsigned place = VT__SCRATCH_POOL;
    if (place == VT__SCRATCH_POOL)
        place = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) % VT__SCRATCH_POOL;
    return place;
}

static void drop_arrays(struct vt__scratch *scratch)
{
    free(scratch->cells);
    free(scratch->touched);
    free(scratch->kernel_cells);
    free(scratch->kernel_touched);
    free(scratch->excluded);
    free(scratch->fold_in);
    free(scratch->vector);
    free(scratch->speaker_factors);
    scratch->cells = NULL;
    scratch->touched = NULL;
    scratch->kernel_cells = NULL;
    scratch->kernel_touched = NULL;
    scratch->excluded = NULL;
    scratch->fold_in = NULL;
    scratch->vector = NULL;
    scratch->speaker_factors = NULL;
    scratch->n_rows = scratch->dim = 0;
}

static void scratch_free(struct vt__scratch *scratch)
{
    if (scratch != NULL)
        drop_arrays(scratch);
    free(scratch);
}

static bool fit(struct vt__scratch *scratch, uint32_t n_rows, uint32_t dim)
{
    if (scratch->cells != NULL && scratch->n_rows >= n_rows && scratch->dim >= dim)
        return true;
    drop_arrays(scratch);
    size_t rows = (size_t)n_rows + 1, factors = (size_t)dim + 1; /* never zero bytes */
    scratch->cells = calloc(rows, sizeof *scratch->cells);
    scratch->touched = calloc(rows, sizeof *scratch->touched);
    scratch->kernel_cells = calloc(rows, sizeof *scratch->kernel_cells);
    scratch->kernel_touched = calloc(rows, sizeof *scratch->kernel_touched);
    scratch->excluded = calloc(rows / 64 + 1, sizeof *scratch->excluded);
    scratch->fold_in = malloc(vt_fold_in_scratch_bytes(dim) + 1);
    scratch->vector = calloc(factors, sizeof *scratch->vector);
    scratch->speaker_factors = calloc(VT__SPEAKERS_MAX * factors, sizeof *scratch->speaker_factors);
    if (scratch->cells == NULL || scratch->touched == NULL || scratch->kernel_cells == NULL ||
        scratch->kernel_touched == NULL || scratch->excluded == NULL || scratch->fold_in == NULL ||
        scratch->vector == NULL || scratch->speaker_factors == NULL) {
        drop_arrays(scratch);
        return false;
    }
    scratch->n_rows = n_rows;
    scratch->dim = dim;
    return true;
}

/* Acquire and release hand the scratch's contents from one thread to the next. */
struct vt__scratch *vt__scratch_take(struct vt__scratch_pool *pool,
                                     const struct vt_bundle_view *view)
{
    struct vt__scratch *scratch = NULL;
    for (unsigned i = 0; i < VT__SCRATCH_POOL && scratch == NULL; i++)
        scratch =
            atomic_exchange_explicit(&pool->places[(own_place() + i) % VT__SCRATCH_POOL].scratch,
                                     NULL, memory_order_acquire);
    if (scratch == NULL)
        scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL || !fit(scratch, view->n_items, view->dim)) {
        scratch_free(scratch);
        return NULL;
    }
    scratch->n_found = scratch->n_touched = scratch->n_kernel_touched = 0;
    scratch->n_together_touched = scratch->n_speakers = 0;
    return scratch;
}

void vt__scratch_give(struct vt__scratch_pool *pool, struct vt__scratch *scratch)
{
    for (unsigned i = 0; i < VT__SCRATCH_POOL; i++) {
        struct vt__scratch *none = NULL;
        if (atomic_compare_exchange_strong_explicit(
                &pool->places[(own_place() + i) % VT__SCRATCH_POOL].scratch, &none, scratch,
                memory_order_release, memory_order_relaxed))
            return;
    }
    scratch_free(scratch); /* more threads than places */
}

void vt__scratch_pool_fini(struct vt__scratch_pool *pool)
{
    for (unsigned i = 0; i < VT__SCRATCH_POOL; i++)
        scratch_free(
            atomic_exchange_explicit(&pool->places[i].scratch, NULL, memory_order_acquire));
}
