/*
 * The sources of a ranker are families of the same table, each trained as it would be alone; what
 * they say of a history becomes candidates and rows of features (models/rank/features.h). A new
 * source is a line in `sources`.
 */
#include "models/algorithm/boosted_internal.h"
#include "models/popularity/popularity.h"

#include <math.h>
#include <stdlib.h>

enum { ALIGN = 16 };

/* Candidates are the best by the equal sum of the strong; the others only say what they think. */
static const struct vt__family *const sources_table[] = {
    &vt__family_ials,   &vt__family_ease,       &vt__family_sharpened,
    &vt__family_itemcf, &vt__family_popularity,
};
static const float source_weights[] = {1, 1, 1, 0, 0};
enum { N_SOURCES = sizeof sources_table / sizeof sources_table[0] };

static struct vt_err measure_popularity(const struct vt_sparse *matrix, struct vt__sources *sources)
{
    sources->popularity_log = calloc(matrix->n_cols, sizeof *sources->popularity_log);
    VT_CHECK(sources->popularity_log != NULL, VT_EXHAUSTED, "out of memory for popularity");
    VT_TRY(vt_popularity_train(matrix, sources->popularity_log));
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        sources->popularity_log[item] = (float)log1p((double)sources->popularity_log[item]);
    return vt_ok();
}

static struct vt_err train_all(const struct vt_sparse *matrix,
                               const struct vt_algorithm_options *options, struct vt_diag *diag,
                               struct vt__sources *sources)
{
    struct vt_algorithm_options quiet = *options;
    quiet.progress = NULL; /* the rounds of the ranker are what is told */
    VT_TRY(measure_popularity(matrix, sources));
    for (uint32_t i = 0; i < N_SOURCES; i++) {
        VT_TRY(sources_table[i]->train(matrix, &quiet, diag, &sources->trained[i]));
        size_t scratch = sources->trained[i].recommender.scratch_bytes;
        if (scratch > sources->source_scratch_bytes)
            sources->source_scratch_bytes = scratch;
    }
    return vt_ok();
}

struct vt_err vt__sources_train(const struct vt_sparse *matrix,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt__sources *ret_sources)
{
    struct vt__sources sources = {0};
    struct vt_err err = train_all(matrix, options, diag, &sources);
    if (vt_failed(err)) {
        vt__sources_free(&sources);
        return err;
    }
    const uint32_t wanted = options->boosted.candidates;
    sources.pool = (struct vt_rank_pool){
        .n_items = matrix->n_cols,
        .n_sources = N_SOURCES,
        .n_candidates = wanted < matrix->n_cols ? wanted : matrix->n_cols,
        .weights = source_weights,
        .popularity_log = sources.popularity_log,
    };
    *ret_sources = sources;
    return vt_ok();
}

void vt__sources_free(struct vt__sources *sources)
{
    for (uint32_t i = 0; i < N_SOURCES; i++)
        vt_trained_free(&sources->trained[i]);
    free(sources->popularity_log);
    *sources = (struct vt__sources){0};
}

/* They are trained one after the other and all kept. */
struct vt_need vt__sources_need(const struct vt_shape *shape,
                                const struct vt_algorithm_options *options)
{
    struct vt_need need = {0};
    for (uint32_t i = 0; i < N_SOURCES; i++) {
        struct vt_need one = sources_table[i]->need(shape, options);
        need.memory_bytes += one.memory_bytes;
        need.gflop += one.gflop;
    }
    return need;
}

/* ---- candidates ---- */

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

size_t vt__candidates_bytes(const struct vt__sources *sources)
{
    const struct vt_rank_pool *pool = &sources->pool;
    const size_t per_candidate =
        2 * sizeof(struct vt_index_hit) + (vt_rank_n_features(pool->n_sources) + 1) * sizeof(float);
    return aligned(sources->source_scratch_bytes) +
           ((size_t)pool->n_sources + 1) * pool->n_items * sizeof(double) +
           pool->n_candidates * per_candidate;
}

/* Doubles first, then what wants less alignment. */
static struct vt__candidates lay_out(const struct vt_rank_pool *pool, char *memory)
{
    struct vt__candidates at = {.z = (double *)(void *)memory};
    at.sums = at.z + (size_t)pool->n_sources * pool->n_items;
    at.hits = (struct vt_index_hit *)(void *)(at.sums + pool->n_items);
    at.order = at.hits + pool->n_candidates;
    at.scores = (float *)(void *)(at.order + pool->n_candidates);
    at.rows = at.scores + pool->n_candidates;
    return at;
}

struct vt_err vt__sources_candidates(const struct vt__sources *sources,
                                     const struct vt_rank_history *history, void *scratch,
                                     struct vt__candidates *ret_candidates)
{
    const struct vt_rank_pool *pool = &sources->pool;
    const struct vt_weighted_history weighted = {history->columns, history->weights, history->n};
    struct vt__candidates at =
        lay_out(pool, (char *)scratch + aligned(sources->source_scratch_bytes));
    for (uint32_t i = 0; i < pool->n_sources; i++) {
        const struct vt_recommender *recommender = &sources->trained[i].recommender;
        VT_TRY(recommender->score(recommender->self, &weighted, scratch,
                                  at.z + (size_t)i * pool->n_items));
    }
    at.n = vt_rank_candidates(pool, history, at.z, at.sums, at.hits);
    vt_rank_features(pool, history, at.z, at.hits, at.n, at.order, at.rows);
    *ret_candidates = at;
    return vt_ok();
}
