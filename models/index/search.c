/*
 * The exact search. Blocks of byte rows are scanned in descending order of their norms; a row whose
 * byte score plus the proven error bound stays below the worst of a full list is skipped, every
 * other one gets the defined score and goes through a heap. When no row that is left can reach the
 * worst by Cauchy-Schwarz, the scan ends. docs/numerics.md, "Exact retrieval", has the proof.
 *
 * Few rows, or few that the filter leaves, are scored directly: that is the better plan below some
 * hundreds of rows, and with a filter where hardly a block would be without a row that is in.
 */
#include "models/index/index_internal.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

enum {
    RUN_BLOCKS = 8,    /* scanned with one threshold; the list improves between runs */
    DIRECT_ROWS = 512, /* so few are scored in the time of choosing and scanning */
    DIRECT_SHARE = 48, /* with a filter: a direct row costs as much as so many scanned ones */
    QUERY_LEVELS = 63, /* of struct vt_scan */
    WORD_ROWS = 64,
    AHEAD = 6, /* rows asked of memory before they are scored */
    LINE_FLOATS = 16,
    PREFETCH_FLOATS = 64,
};

/* A search in progress: the query as bytes, its bounds, and the list as a heap, worst on top. */
struct search {
    const struct vt_index *index;
    const struct vt_index_query *query;
    const struct vt_kernels *kernels;
    struct vt_top top;
    int8_t bytes[VT_INDEX_DIM_MAX];
    double scale;       /* a byte's worth */
    double norm, error; /* of the query, and of what its bytes stand for */
    double rounding;    /* relative error of a defined score, against |x||y| */
    uint64_t n_scanned, n_scored;
};

double vt__index_measure(const struct vt_index *index, const struct vt_kernels *kernels,
                         enum vt_index_measure measure, const float *vector, uint32_t row)
{
    const struct vt_index_rows *rows = &index->rows;
    double dot = kernels->dot(rows->factors + (size_t)row * rows->row_stride, vector, rows->dim);
    if (measure == VT_INDEX_DOT)
        return dot;
    float norm = index->norms[row];
    return norm > 0 ? dot / (double)norm : 0;
}

/* ---- the list ---- */

static void offer(struct search *search, uint32_t row)
{
    const struct vt_index_query *query = search->query;
    struct vt_index_hit hit = {
        .score =
            vt__index_measure(search->index, search->kernels, query->measure, query->vector, row),
        .row = row,
    };
    search->n_scored++;
    if (!vt_top_would_enter(&search->top, hit))
        return;
    if (query->allowed == NULL || query->allowed(query->allowed_ctx, row))
        vt_top_offer(&search->top, hit);
}

static void prefetch(const struct search *search, uint32_t row)
{
    const struct vt_index_rows *rows = &search->index->rows;
    const float *values = rows->factors + (size_t)row * rows->row_stride;
    for (uint32_t d = 0; d < rows->dim && d < PREFETCH_FLOATS; d += LINE_FLOATS)
        __builtin_prefetch(values + d);
}

static void offer_all(struct search *search, const uint32_t *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < AHEAD; i++)
        prefetch(search, rows[i]);
    for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            prefetch(search, rows[i + AHEAD]);
        offer(search, rows[i]);
    }
}

static bool is_full(const struct search *search)
{
    return search->top.n == search->top.capacity;
}

/* ---- directly ---- */

/* Rows of the word's 64 that the filter leaves, as bits. */
static uint64_t rows_left(const struct search *search, uint32_t word)
{
    uint32_t first = word * WORD_ROWS, n_rows = search->index->rows.n_rows;
    const uint64_t *excluded = search->query->excluded;
    uint64_t left = excluded != NULL ? ~excluded[word] : ~UINT64_C(0);
    if (n_rows - first < WORD_ROWS)
        left &= (UINT64_C(1) << (n_rows - first)) - 1;
    return left;
}

static uint64_t count_left(const struct search *search)
{
    uint32_t n_rows = search->index->rows.n_rows;
    uint64_t n = 0;
    if (search->query->excluded == NULL)
        return n_rows;
    for (uint32_t word = 0; (uint64_t)word * WORD_ROWS < n_rows; word++)
        n += (uint64_t)__builtin_popcountll(rows_left(search, word));
    return n;
}

/* Ascending rows, so against a query of zeros, which ties them all, the first n are the list. */
static void score_directly(struct search *search)
{
    bool all_tie = search->scale <= 0;
    for (uint32_t word = 0; (uint64_t)word * WORD_ROWS < search->index->rows.n_rows; word++) {
        uint32_t rows[WORD_ROWS], n = 0;
        for (uint64_t left = rows_left(search, word); left != 0; left &= left - 1)
            rows[n++] = word * WORD_ROWS + (uint32_t)__builtin_ctzll(left);
        offer_all(search, rows, n);
        if (all_tie && is_full(search))
            return;
    }
}

/* ---- the scan ---- */

/* The least dot product that could still enter, for a row of the block; cosine's worst entry times
 * the norm that makes it least. */
static double least_dot(const struct search *search, const struct vt__block_bound *bound)
{
    double worst = search->top.hits[0].score;
    if (search->query->measure == VT_INDEX_DOT)
        return worst;
    double product = worst * (double)(worst > 0 ? bound->norm_min : bound->norm_max);
    return product - fabs(product) * 0x1p-40;
}

/* No byte score of the block below it can enter. */
static float threshold_of(const struct search *search, const struct vt__block_bound *bound)
{
    if (!is_full(search))
        return -INFINITY;
    double stood_for = (double)bound->norm_max + (double)bound->error;
    double away = (double)bound->error * search->norm + stood_for * search->error +
                  search->rounding * (double)bound->norm_max * search->norm +
                  (double)FLT_EPSILON * stood_for * (search->norm + search->error);
    away = away * (1 + 0x1p-20) + search->scale * 0x1p-148;
    double threshold = (least_dot(search, bound) - away) / search->scale;
    threshold -= fabs(threshold) * 0x1p-40;
    float rounded = (float)threshold;
    return (double)rounded > threshold ? nextafterf(rounded, -INFINITY) : rounded;
}

/* True when no row of this norm or below can enter a full list. */
static bool is_out_of_reach(const struct search *search, float norm)
{
    if (!is_full(search) || search->query->measure != VT_INDEX_DOT)
        return false;
    double reach = (double)norm * search->norm * (1 + search->rounding + 0x1p-40);
    return reach < search->top.hits[0].score;
}

static bool is_excluded(const struct search *search, uint32_t row)
{
    const uint64_t *excluded = search->query->excluded;
    return excluded != NULL && (excluded[row / WORD_ROWS] >> (row % WORD_ROWS) & 1) != 0;
}

static void offer_run(struct search *search, uint32_t first_block, uint32_t n_blocks,
                      const uint32_t *masks)
{
    uint32_t rows[RUN_BLOCKS * VT_SCAN_ROWS], n = 0;
    for (uint32_t b = 0; b < n_blocks; b++)
        for (uint32_t left = masks[b]; left != 0; left &= left - 1) {
            size_t place = (size_t)(first_block + b) * VT_SCAN_ROWS + (size_t)__builtin_ctz(left);
            uint32_t row = search->index->blocks.rows[place];
            if (row != UINT32_MAX && !is_excluded(search, row))
                rows[n++] = row;
        }
    offer_all(search, rows, n);
}

static void scan_run(struct search *search, uint32_t first_block, uint32_t n_blocks)
{
    const struct vt__blocks *blocks = &search->index->blocks;
    float thresholds[RUN_BLOCKS];
    uint32_t masks[RUN_BLOCKS];
    for (uint32_t b = 0; b < n_blocks; b++)
        thresholds[b] = threshold_of(search, &blocks->bounds[first_block + b]);
    const struct vt_scan scan = {
        .values =
            blocks->values + (size_t)first_block * blocks->n_steps * VT_SCAN_ROWS * VT_SCAN_STEP,
        .scales = blocks->scales + (size_t)first_block * VT_SCAN_ROWS,
        .n_blocks = n_blocks,
        .n_steps = blocks->n_steps,
        .query = search->bytes,
    };
    search->kernels->scan(&scan, thresholds, masks);
    search->n_scanned += (uint64_t)n_blocks * VT_SCAN_ROWS;
    offer_run(search, first_block, n_blocks, masks);
}

static void scan_all(struct search *search)
{
    const struct vt__blocks *blocks = &search->index->blocks;
    for (uint32_t block = 0; block < blocks->n_blocks; block += RUN_BLOCKS) {
        if (is_out_of_reach(search, blocks->bounds[block].norm_max))
            return;
        uint32_t left = blocks->n_blocks - block;
        scan_run(search, block, left < RUN_BLOCKS ? left : RUN_BLOCKS);
    }
}

/* ---- the query ---- */

static void query_as_bytes(struct search *search)
{
    const float *vector = search->query->vector;
    uint32_t dim = search->index->rows.dim;
    double largest = 0, lost_square = 0;
    for (uint32_t d = 0; d < dim; d++)
        largest = fmax(largest, fabs((double)vector[d]));
    search->scale = largest / QUERY_LEVELS;
    for (uint32_t d = 0; d < dim && largest > 0; d++) {
        double level = nearbyint((double)vector[d] / search->scale);
        double lost = (double)vector[d] - search->scale * level;
        search->bytes[d] = (int8_t)level;
        lost_square += lost * lost;
    }
    search->error = sqrt(lost_square) * (1 + 0x1p-40);
}

static struct vt_err begin(struct search *search)
{
    uint32_t dim = search->index->rows.dim;
    double square = 0;
    for (uint32_t d = 0; d < dim; d++)
        square += (double)search->query->vector[d] * (double)search->query->vector[d];
    VT_CHECK(isfinite(square), VT_INVALID, "the query vector is not finite");
    search->norm = sqrt(square) * (1 + 0x1p-40);
    search->rounding = ((double)dim + 2) * DBL_EPSILON;
    query_as_bytes(search);
    return vt_ok();
}

struct vt_err vt_index_search(const struct vt_index *index, const struct vt_index_query *query,
                              struct vt_index_hit *ret_hits, uint32_t *ret_n)
{
    struct search search = {
        .index = index,
        .query = query,
        .kernels = query->kernels != NULL ? query->kernels : vt_kernels(),
        .top = {.hits = ret_hits, .capacity = query->n},
    };
    VT_TRY(begin(&search));
    uint64_t n_left = query->n > 0 ? count_left(&search) : 0;
    if (n_left < DIRECT_ROWS || search.scale <= 0 || n_left * DIRECT_SHARE < index->rows.n_rows)
        score_directly(&search);
    else
        scan_all(&search);
    vt_top_sort(&search.top);
    *ret_n = search.top.n;
    if (query->ret_work != NULL)
        *query->ret_work = (struct vt_index_work){search.n_scanned, search.n_scored};
    return vt_ok();
}
