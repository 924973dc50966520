/*
 * Candidates and their features. All sums are double and in the order of items, so that a row has
 * the same bits wherever it is made. O(sources · items) for a customer, and a sort of the
 * candidates by each source.
 */
#include "models/rank/features.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { OF_SOURCE = 2, OF_REST = 6 };

uint32_t vt_rank_n_features(uint32_t n_sources)
{
    return OF_SOURCE * n_sources + OF_REST;
}

static void standardise(double *scores, uint32_t n)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += scores[i];
    const double mean = sum / n;
    for (uint32_t i = 0; i < n; i++)
        squares += (scores[i] - mean) * (scores[i] - mean);
    const double deviation = sqrt(squares / n);
    for (uint32_t i = 0; i < n; i++)
        scores[i] = deviation > 0 ? (scores[i] - mean) / deviation : 0;
}

static void add_up(const struct vt_rank_pool *pool, const double *z, double *ret_sums)
{
    for (uint32_t item = 0; item < pool->n_items; item++)
        ret_sums[item] = 0;
    for (uint32_t source = 0; source < pool->n_sources; source++)
        for (uint32_t item = 0; item < pool->n_items; item++)
            ret_sums[item] +=
                (double)pool->weights[source] * z[(size_t)source * pool->n_items + item];
}

uint32_t vt_rank_candidates(const struct vt_rank_pool *pool, const struct vt_rank_history *history,
                            double *scores, double *ret_sums, struct vt_index_hit *ret_hits)
{
    struct vt_top top = {.hits = ret_hits, .capacity = pool->n_candidates};
    uint32_t at = 0; /* in the history */
    for (uint32_t source = 0; source < pool->n_sources; source++)
        standardise(scores + (size_t)source * pool->n_items, pool->n_items);
    add_up(pool, scores, ret_sums);
    for (uint32_t item = 0; item < pool->n_items; item++) {
        while (at < history->n && history->columns[at] < item)
            at++;
        if (at == history->n || history->columns[at] != item)
            vt_top_offer(&top, (struct vt_index_hit){ret_sums[item], item});
    }
    vt_top_sort(&top);
    return top.n;
}

static int compare_hits(const void *a, const void *b)
{
    const struct vt_index_hit *x = a, *y = b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The z-scores of one source and the places by them; `order` is scratch. */
static void fill_source(const double *z, const struct vt_index_hit *hits, uint32_t n,
                        uint32_t n_features, struct vt_index_hit *order, float *ret_column)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = (struct vt_index_hit){z[hits[i].row], i};
        ret_column[(size_t)i * n_features] = (float)z[hits[i].row];
    }
    qsort(order, n, sizeof *order, compare_hits);
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || order[i].score < order[i - 1].score)
            place = i;
        ret_column[(size_t)order[i].row * n_features + 1] = (float)place;
    }
}

/* NaN when nothing is wanted. */
static double mean_popularity(const struct vt_rank_pool *pool,
                              const struct vt_rank_history *history, uint32_t *ret_n_wanted)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t e = 0; e < history->n; e++) {
        if (!(history->weights[e] > 0))
            continue;
        sum += (double)pool->popularity_log[history->columns[e]];
        n++;
    }
    *ret_n_wanted = n;
    return n > 0 ? sum / n : (double)NAN;
}

void vt_rank_features(const struct vt_rank_pool *pool, const struct vt_rank_history *history,
                      const double *z, const struct vt_index_hit *hits, uint32_t n,
                      struct vt_index_hit *scratch, float *ret_rows)
{
    const uint32_t n_features = vt_rank_n_features(pool->n_sources);
    uint32_t n_wanted;
    const double mean = mean_popularity(pool, history, &n_wanted);
    for (uint32_t source = 0; source < pool->n_sources; source++)
        fill_source(z + (size_t)source * pool->n_items, hits, n, n_features, scratch,
                    ret_rows + (size_t)OF_SOURCE * source);
    for (uint32_t i = 0; i < n; i++) {
        float *rest = ret_rows + (size_t)i * n_features + (size_t)OF_SOURCE * pool->n_sources;
        const float popularity = pool->popularity_log[hits[i].row];
        rest[0] = (float)hits[i].score;
        rest[1] = popularity;
        rest[2] = (float)log1p(history->n);
        rest[3] = (float)log1p(n_wanted);
        rest[4] = (float)mean;
        rest[5] = (float)((double)popularity - mean);
    }
}
