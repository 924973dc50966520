/*
 * The exact search. Blocks of byte rows are scanned in descending order of their norms; a row whose
 * byte score plus the proven error bound stays below the worst of a full list is skipped, every
 * other one gets the defined score and goes through a heap. When no row that is left can reach the
 * worst by Cauchy-Schwarz, the scan ends. Where rows stand in groups (groups.c) only the blocks of
 * those groups are scanned whose middles let a row in. docs/numerics.md, "Exact retrieval", has the
 * proof.
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
    WORD_ROWS = 64,
    AHEAD = 16, /* rows asked of memory before they are scored */
    LINE_FLOATS = 16,
    PREFETCH_FLOATS = 64,
    SEED_BLOCKS = 64, /* whose products are looked at together first: 8 KiB */
    SEED_LIST_MAX = SEED_BLOCKS * VT_SCAN_ROWS / 4,
    SEED_SHARE = 20, /* rows looked at for each that is wanted */
    SEED_HALVINGS = 16,
    SEED_SLACK = 8, /* an eighth more than wanted is near enough */
};

/* A search in progress: the query, and the list as a heap, worst on top. */
struct search {
    const struct vt_index *index;
    const struct vt_index_query *query;
    const struct vt_kernels *kernels;
    struct vt_top top;
    struct vt__asked rows, groups;
    uint64_t n_scanned, n_scored;
    uint32_t waiting[RUN_BLOCKS * VT_SCAN_ROWS], n_waiting; /* rows that memory is asked for */
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
    bool all_tie = search->rows.scale <= 0;
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

/* No byte score of the block below it can enter. docs/numerics.md, steps 4 and 5. */
static float threshold_of(const struct search *search, const struct vt__asked *asked,
                          const struct vt__block_bound *bound)
{
    if (!is_full(search))
        return -INFINITY;
    double away = (double)bound->norm_max * asked->away_per_norm +
                  (double)bound->error * asked->away_per_error + asked->away_least;
    double threshold = (least_dot(search, bound) - away) * asked->per_scale;
    /* Below by more than any rounding on the way, that to float included. */
    return (float)(threshold - fabs(threshold) * 0x1p-22 - 0x1p-148);
}

/* True when no row of this norm or below can enter a full list. */
static bool is_out_of_reach(const struct search *search, float norm)
{
    if (!is_full(search) || search->query->measure != VT_INDEX_DOT)
        return false;
    double reach = (double)norm * search->rows.norm * (1 + search->rows.rounding + 0x1p-40);
    return reach < search->top.hits[0].score;
}

static bool is_excluded(const struct search *search, uint32_t row)
{
    const uint64_t *excluded = search->query->excluded;
    return excluded != NULL && (excluded[row / WORD_ROWS] >> (row % WORD_ROWS) & 1) != 0;
}

static void offer_waiting(struct search *search)
{
    for (uint32_t i = 0; i < search->n_waiting; i++)
        offer(search, search->waiting[i]);
    search->n_waiting = 0;
}

/* Asks memory for those of the blocks' rows whose bit is set and that the filter leaves. They are
 * offered after the next run's scan, which is about as long as memory takes; until then the list
 * only skips less than it could. */
static void await_run(struct search *search, uint32_t first_block, uint32_t n_blocks,
                      const uint32_t *masks)
{
    offer_waiting(search);
    for (uint32_t b = 0; b < n_blocks; b++)
        for (uint32_t left = masks[b]; left != 0; left &= left - 1) {
            size_t place = (size_t)(first_block + b) * VT_SCAN_ROWS + (size_t)__builtin_ctz(left);
            uint32_t row = search->index->blocks.rows[place];
            if (row == UINT32_MAX || is_excluded(search, row))
                continue;
            prefetch(search, row);
            search->waiting[search->n_waiting++] = row;
        }
}

/* A stretch of blocks, of rows or of groups. */
struct stretch {
    const struct vt__blocks *blocks;
    const struct vt__asked *asked;
    uint32_t first_block, n_blocks;
};

static void scan_blocks(struct search *search, const struct stretch *stretch,
                        const float *thresholds, uint32_t *ret_masks, float *ret_products)
{
    const struct vt__blocks *blocks = stretch->blocks;
    const struct vt_scan scan = {
        .values = blocks->values +
                  (size_t)stretch->first_block * blocks->n_steps * VT_SCAN_ROWS * VT_SCAN_STEP,
        .scales = blocks->scales + (size_t)stretch->first_block * VT_SCAN_ROWS,
        .n_blocks = stretch->n_blocks,
        .n_steps = blocks->n_steps,
        .query = stretch->asked->bytes,
    };
    search->kernels->scan(&scan, thresholds, ret_masks, ret_products);
    search->n_scanned += (uint64_t)stretch->n_blocks * VT_SCAN_ROWS;
}

/* Which of at most RUN_BLOCKS blocks' rows, or groups, could enter. */
static void scan_for_entries(struct search *search, const struct stretch *stretch,
                             uint32_t *ret_masks)
{
    float thresholds[RUN_BLOCKS];
    for (uint32_t b = 0; b < stretch->n_blocks; b++)
        thresholds[b] = threshold_of(search, stretch->asked,
                                     &stretch->blocks->bounds[stretch->first_block + b]);
    scan_blocks(search, stretch, thresholds, ret_masks, NULL);
}

static void scan_run(struct search *search, uint32_t first_block, uint32_t n_blocks)
{
    uint32_t masks[RUN_BLOCKS];
    scan_for_entries(
        search, &(struct stretch){&search->index->blocks, &search->rows, first_block, n_blocks},
        masks);
    await_run(search, first_block, n_blocks, masks);
}

/* From first_block to the end of the band. */
static void scan_plainly(struct search *search, const struct vt__band *band, uint32_t first_block)
{
    bool descends = band->end_group_block == 0;
    for (uint32_t block = first_block; block < band->end_block; block += RUN_BLOCKS) {
        if (descends && is_out_of_reach(search, search->index->blocks.bounds[block].norm_max))
            return;
        uint32_t left = band->end_block - block;
        scan_run(search, block, left < RUN_BLOCKS ? left : RUN_BLOCKS);
    }
}

/* ---- groups ---- */

/* Blocks to look into, gathered while they are neighbours. */
struct run {
    uint32_t first_block, n_blocks;
    uint32_t next_block; /* what is below was looked into */
};

static void finish_run(struct search *search, struct run *run)
{
    if (run->n_blocks > 0)
        scan_run(search, run->first_block, run->n_blocks);
    run->n_blocks = 0;
}

static void look_into(struct search *search, struct run *run, uint32_t block)
{
    if (block < run->next_block)
        return;
    if (run->n_blocks == RUN_BLOCKS || run->first_block + run->n_blocks != block)
        finish_run(search, run);
    if (run->n_blocks == 0)
        run->first_block = block;
    run->n_blocks++;
    run->next_block = block + 1;
}

static void look_into_groups(struct search *search, struct run *run, uint32_t first_block,
                             uint32_t n_blocks, const uint32_t *masks)
{
    const struct vt__groups *groups = &search->index->groups;
    for (uint32_t b = 0; b < n_blocks; b++)
        for (uint32_t left = masks[b]; left != 0; left &= left - 1) {
            size_t at = (size_t)(first_block + b) * VT_SCAN_ROWS + (size_t)__builtin_ctz(left);
            uint32_t place = groups->blocks.rows[at];
            if (place == UINT32_MAX)
                continue;
            uint32_t last = (place + groups->n_rows[at] - 1) / VT_SCAN_ROWS;
            for (uint32_t block = place / VT_SCAN_ROWS; block <= last; block++)
                look_into(search, run, block);
        }
    finish_run(search, run);
}

static void scan_groups(struct search *search, const struct vt__band *band, uint32_t first_block)
{
    struct run run = {.next_block = first_block};
    for (uint32_t at = band->first_group_block; at < band->end_group_block; at += RUN_BLOCKS) {
        uint32_t masks[RUN_BLOCKS], left = band->end_group_block - at;
        uint32_t n_blocks = left < RUN_BLOCKS ? left : RUN_BLOCKS;
        scan_for_entries(
            search, &(struct stretch){&search->index->groups.blocks, &search->groups, at, n_blocks},
            masks);
        look_into_groups(search, &run, at, n_blocks, masks);
    }
    scan_plainly(search, band,
                 run.next_block > band->rest_block ? run.next_block : band->rest_block);
}

/* ---- a first threshold ---- */

static uint32_t count_reaching(const float *products, uint32_t n, float least)
{
    uint32_t n_reaching = 0;
    for (uint32_t i = 0; i < n; i++)
        n_reaching += products[i] >= least ? 1 : 0;
    return n_reaching;
}

/* A value that `wanted` of the products reach, or somewhat more; NaN reaches nothing. Halving an
 * interval takes a few vector passes over what lies in the first cache. */
static float value_reached_by(const float *products, uint32_t n, uint32_t wanted)
{
    float low = FLT_MAX, high = -FLT_MAX;
    for (uint32_t i = 0; i < n; i++) {
        low = products[i] < low ? products[i] : low;
        high = products[i] > high ? products[i] : high;
    }
    low = fmaxf(low, -FLT_MAX);
    high = fminf(high, FLT_MAX);
    for (int halving = 0; halving < SEED_HALVINGS; halving++) {
        float middle = low / 2 + high / 2;
        uint32_t n_reaching = count_reaching(products, n, middle);
        if (n_reaching >= wanted && n_reaching <= wanted + wanted / SEED_SLACK)
            return middle;
        *(n_reaching < wanted ? &high : &low) = middle;
    }
    return low;
}

/* Moves the block's rows whose products reach `least` to ret_rows, and how many: without a branch,
 * which would be guessed wrong for each of them. */
static uint32_t take_reaching(const uint32_t *rows, float *products, float least,
                              uint32_t *ret_rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < VT_SCAN_ROWS; i++) {
        bool reaches = products[i] >= least;
        ret_rows[n] = rows[i];
        n += reaches ? 1 : 0;
        products[i] = reaches ? NAN : products[i];
    }
    return n;
}

/* Offers what of the products reaches the threshold of its block, or one for all; once each. */
static void offer_reaching(struct search *search, float *products, uint32_t n_blocks,
                           const float *thresholds)
{
    for (uint32_t block = 0; block < n_blocks; block += RUN_BLOCKS) {
        uint32_t rows[RUN_BLOCKS * VT_SCAN_ROWS + 1], n = 0;
        uint32_t end = (n_blocks - block < RUN_BLOCKS ? n_blocks : block + RUN_BLOCKS);
        for (uint32_t b = block; b < end; b++) {
            size_t place = (size_t)b * VT_SCAN_ROWS;
            n += take_reaching(search->index->blocks.rows + place, products + place, thresholds[b],
                               rows + n);
        }
        offer_all(search, rows, n);
    }
}

/* The byte products of the blocks; NaN where there is no row, or the filter has it out. */
static void make_products(struct search *search, uint32_t n_blocks, float *ret_products)
{
    const struct vt__blocks *blocks = &search->index->blocks;
    float thresholds[SEED_BLOCKS];
    uint32_t masks[SEED_BLOCKS], n_rows = search->index->rows.n_rows;
    for (uint32_t b = 0; b < n_blocks; b++)
        thresholds[b] = -INFINITY;
    scan_blocks(search, &(struct stretch){blocks, &search->rows, 0, n_blocks}, thresholds, masks,
                ret_products);
    for (uint32_t place = n_rows; place < n_blocks * VT_SCAN_ROWS; place++)
        ret_products[place] = NAN;
    if (search->query->excluded == NULL)
        return;
    for (uint32_t place = 0; place < n_blocks * VT_SCAN_ROWS && place < n_rows; place++)
        if (is_excluded(search, blocks->rows[place]))
            ret_products[place] = NAN;
}

/*
 * The rows with the largest norms hold most of a list. Those of them with the largest products are
 * offered first: the list is then full of nearly the best, and few of the others pass its bound.
 * Only an order in which rows are offered, so nothing needs proof.
 */
static uint32_t offer_seed(struct search *search)
{
    uint32_t n_blocks = search->index->blocks.n_blocks;
    float products[SEED_BLOCKS * VT_SCAN_ROWS], thresholds[SEED_BLOCKS];
    if (search->query->measure != VT_INDEX_DOT || search->query->n > SEED_LIST_MAX)
        return 0;
    uint32_t wanted = RUN_BLOCKS + search->query->n * SEED_SHARE / VT_SCAN_ROWS;
    if (wanted > SEED_BLOCKS)
        wanted = SEED_BLOCKS;
    if (n_blocks > wanted)
        n_blocks = wanted;
    make_products(search, n_blocks, products);
    float first = value_reached_by(products, n_blocks * VT_SCAN_ROWS, search->query->n);
    for (uint32_t b = 0; b < n_blocks; b++)
        thresholds[b] = first;
    offer_reaching(search, products, n_blocks, thresholds);
    for (uint32_t b = 0; b < n_blocks; b++)
        thresholds[b] = threshold_of(search, &search->rows, &search->index->blocks.bounds[b]);
    offer_reaching(search, products, n_blocks, thresholds);
    return n_blocks;
}

/* ---- all of it ---- */

static bool can_use_groups(const struct search *search, const struct vt__band *band)
{
    return band->end_group_block > 0 && is_full(search) && search->groups.scale > 0 &&
           search->query->measure == VT_INDEX_DOT;
}

static void scan_all(struct search *search)
{
    uint32_t n_seeded = offer_seed(search);
    for (uint32_t b = 0; b < search->index->n_bands; b++) {
        const struct vt__band *band = &search->index->bands[b];
        if (is_out_of_reach(search, band->norm_max))
            continue;
        uint32_t first = n_seeded > band->first_block ? n_seeded : band->first_block;
        if (can_use_groups(search, band))
            scan_groups(search, band, first);
        else
            scan_plainly(search, band, first);
    }
    offer_waiting(search);
}

/* ---- the query ---- */

static struct vt_err begin(struct search *search)
{
    vt__ask(&search->rows, search->query->vector, search->index->rows.dim);
    VT_CHECK(isfinite(search->rows.norm), VT_INVALID, "the query vector is not finite");
    if (search->index->n_grouped > 0)
        vt__ask_groups(&search->groups, search->query->vector, search->index->rows.dim);
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
    if (n_left < DIRECT_ROWS || search.rows.scale <= 0 ||
        n_left * DIRECT_SHARE < index->rows.n_rows)
        score_directly(&search);
    else
        scan_all(&search);
    if (!query->in_any_order)
        vt_top_sort(&search.top);
    *ret_n = search.top.n;
    if (query->ret_work != NULL)
        *query->ret_work = (struct vt_index_work){search.n_scanned, search.n_scored};
    return vt_ok();
}
