/*
 * The sources of candidates, each with its own score:
 *   factor      exact search for the folded-in vector (for "alike": cosine)
 *   neighbours  Σ weight of a taste item × its similarity to the candidate; what was disliked takes
 *               away, at most as much as the best candidate has
 *   popular     ln(1 + popularity); an item that the model does not know yet: ln(1 + live count)
 *   kernel      Σ weight of a taste item × its row of the item-item kernel
 *   model       what the version's mix makes of its members (model_score.h); orders where it is
 *   new         1 / (1 + place), the newest recommendable items that the model does not know yet
 * All work on rows and one cell per row; whatever is set is listed, so cleaning costs what was
 * touched and not the size of the catalog.
 */
#include "services/candidate/sources.h"

#include "models/factor/fold_in.h"
#include "services/candidate/because.h"
#include "services/candidate/model_score.h"
#include "services/candidate/sources_content.h"
#include "services/candidate/sources_goods.h"
#include "services/candidate/sources_known.h"

#include <math.h>
#include <string.h>

enum {
    NEW_SCAN_MAX = 1000, /* newest numbers looked at for new arrivals */
    ROW_BITS = 64,       /* rows of a word of the bitmap */
};

/* ---- the filter ---- */

static void set_excluded(struct vt__gathering *gathering, uint32_t item)
{
    uint32_t row = vt_bundle_row(gathering->bundle, item);
    if (row != UINT32_MAX)
        gathering->scratch->excluded[row / 64] |= UINT64_C(1) << (row % 64);
}

static void exclude_all(struct vt__gathering *gathering, const uint32_t *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        set_excluded(gathering, items[i]);
}

static bool is_in(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

/* Whether the history keeps an item out: it was seen, or (even when seen items are wanted) it is
 * disliked, or what was done with it is not positive and some of it is negative. */
static bool keeps_out(const struct vt__gathering *gathering, const struct vt_history_event *event)
{
    if (event->type >= VT_EVENT_TYPE_COUNT || event->item == 0)
        return false;
    const struct vt_candidate_query *query = gathering->query;
    bool viewed = query->include_seen || query->include_viewed;
    bool bought = query->include_seen || query->include_bought;
    if (vt_candidate_keeps_out(event->type, viewed, bought))
        return true;
    if (!viewed && !bought)
        return false;
    if (is_in(gathering->disliked, gathering->n_disliked, event->item))
        return true;
    return gathering->view->event_weights[event->type] < 0 &&
           !is_in(gathering->taste->items, gathering->taste->n, event->item);
}

/* Which of n rows from `row` on the filter keeps, as bits. Rows ascend by number, so where the last
 * number is as far away as the last row there is no gap between them, and their bits lie together.
 */
static uint64_t kept_rows(const struct vt__gathering *gathering, uint32_t row, uint32_t n)
{
    const struct vt_filter_set *set = gathering->filter->set;
    const uint32_t *numbers = gathering->view->item_numbers + row;
    uint64_t mask = n < ROW_BITS ? (UINT64_C(1) << n) - 1 : UINT64_MAX, kept = 0;
    if (numbers[n - 1] - numbers[0] == n - 1)
        return vt_filter_set_word(set, numbers[0]) & mask;
    for (uint32_t i = 0; i < n; i++)
        kept |= (vt_filter_set_word(set, numbers[i]) & 1) << i;
    return kept;
}

static void exclude_filtered(struct vt__gathering *gathering)
{
    uint32_t n_rows = gathering->view->n_items;
    for (uint32_t row = 0; row < n_rows; row += ROW_BITS) {
        uint32_t n = n_rows - row < ROW_BITS ? n_rows - row : ROW_BITS;
        gathering->scratch->excluded[row / ROW_BITS] |= ~kept_rows(gathering, row, n);
    }
}

void vt__sources_exclude(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    exclude_all(gathering, query->exclude, query->n_exclude);
    exclude_all(gathering, query->context, query->n_context);
    for (uint32_t e = 0; e < query->n_history; e++)
        if (keeps_out(gathering, &query->history[e]))
            set_excluded(gathering, query->history[e].item);
    if (gathering->filter->set != NULL)
        exclude_filtered(gathering);
}

static bool is_excluded(const struct vt__gathering *gathering, uint32_t row)
{
    return ((gathering->scratch->excluded[row / 64] >> (row % 64)) & 1) != 0;
}

/* What the bitmap does not know: stock and times, and a filter without a set. */
static bool is_recommendable(void *ctx, uint32_t row)
{
    const struct vt__gathering *gathering = ctx;
    uint32_t item = gathering->view->item_numbers[row];
    return vt_item_table_recommendable(gathering->items, item, gathering->now_ms) &&
           (gathering->filter->set != NULL ||
            vt_filter_passes(gathering->filter, gathering->items, item, gathering->now_ms));
}

bool vt__sources_allow(const struct vt__gathering *gathering, uint32_t row)
{
    return !is_excluded(gathering, row) && is_recommendable((void *)gathering, row);
}

/* For items without a row, which the bitmap cannot hold. */
bool vt__sources_allow_newcomer(const struct vt__gathering *gathering, uint32_t item)
{
    const struct vt_candidate_query *query = gathering->query;
    if (!vt_item_table_recommendable(gathering->items, item, gathering->now_ms) ||
        !vt_filter_passes(gathering->filter, gathering->items, item, gathering->now_ms) ||
        is_in(query->exclude, query->n_exclude, item) ||
        is_in(query->context, query->n_context, item))
        return false;
    for (uint32_t e = 0; e < query->n_history; e++)
        if (query->history[e].item == item && keeps_out(gathering, &query->history[e]))
            return false;
    return true;
}

/* ---- what was found ---- */

static struct vt__found *find_or_add(struct vt__gathering *gathering, uint32_t item, uint32_t row)
{
    struct vt__scratch *scratch = gathering->scratch;
    if (row != UINT32_MAX && scratch->cells[row].slot != 0)
        return &scratch->found[scratch->cells[row].slot - 1];
    for (uint32_t i = 0; row == UINT32_MAX && i < scratch->n_found; i++)
        if (scratch->found[i].item == item)
            return &scratch->found[i];
    if (scratch->n_found == VT__FOUND_MAX)
        return NULL;
    struct vt__found *found = &scratch->found[scratch->n_found++];
    *found = (struct vt__found){.item = item,
                                .row = row,
                                .best_rank = UINT32_MAX,
                                .new_rank = UINT32_MAX,
                                .factor = NAN,
                                .model = NAN};
    if (row != UINT32_MAX)
        scratch->cells[row].slot = scratch->n_found;
    return found;
}

struct vt__found *vt__sources_add(struct vt__gathering *gathering, uint32_t item, uint32_t row,
                                  uint32_t rank)
{
    struct vt__found *found = find_or_add(gathering, item, row);
    if (found != NULL && rank < found->best_rank)
        found->best_rank = rank;
    return found;
}

void vt__sources_add_hits(struct vt__gathering *gathering, uint32_t n_hits)
{
    for (uint32_t i = 0; i < n_hits; i++) {
        uint32_t row = gathering->scratch->hits[i].row;
        vt__sources_add(gathering, gathering->view->item_numbers[row], row, i);
    }
}

void vt__sources_clean(struct vt__gathering *gathering)
{
    struct vt__scratch *scratch = gathering->scratch;
    for (uint32_t i = 0; i < scratch->n_together_touched; i++)
        scratch->cells[scratch->together_touched[i]] = (struct vt__cell){0};
    for (uint32_t i = 0; i < scratch->n_touched; i++)
        scratch->cells[scratch->touched[i]] = (struct vt__cell){0};
    for (uint32_t i = 0; i < scratch->n_found; i++)
        if (scratch->found[i].row != UINT32_MAX)
            scratch->cells[scratch->found[i].row] = (struct vt__cell){0};
    for (uint32_t i = 0; i < scratch->n_kernel_touched; i++)
        scratch->kernel_cells[scratch->kernel_touched[i]] = (struct vt__kernel_cell){0};
    memset(scratch->excluded, 0, ((size_t)gathering->view->n_items + 63) / 64 * sizeof(uint64_t));
}

/* ---- factor ---- */

static void sum_directions(struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    float *vector = gathering->scratch->vector;
    memset(vector, 0, view->dim * sizeof *vector);
    for (uint32_t i = 0; i < gathering->taste->n; i++) {
        uint32_t row = gathering->taste->rows[i];
        float norm = vt_index_norm(view->index, row);
        for (uint32_t d = 0; norm > 0 && d < view->dim; d++)
            vector[d] += vt__row_factors(view, row)[d] / norm;
    }
    gathering->vector_scale = sqrt(vt_score_dot(vector, vector, view->dim));
    gathering->has_vector = gathering->vector_scale > 0;
}

struct vt_err vt__sources_fold_in(struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    const struct vt__taste *taste = gathering->taste;
    gathering->vector_scale = 1; /* nothing liked: no direction, whatever is disliked */
    if (taste->n == 0 || view->index == NULL)
        return vt_ok();
    if (gathering->query->similar) {
        sum_directions(gathering);
        return vt_ok();
    }
    if (view->gram == NULL)
        return vt_ok();
    struct vt_fold_in_model model = {
        .item_factors = view->item_factors,
        .gram = view->gram,
        .n_items = view->n_items,
        .dim = view->dim,
        .row_stride = view->factor_stride,
        .regularization = view->regularization,
        .regularization_exponent = view->regularization_exponent,
        .unobserved_weight = view->unobserved_weight,
    };
    VT_TRY(vt_fold_in(&model, taste->rows, taste->weights, taste->n + taste->n_disliked,
                      gathering->scratch->fold_in, gathering->scratch->vector));
    gathering->has_vector = true;
    return vt_ok();
}

/* A source looks for no more than the list holds. */
static uint32_t wanted_of(const struct vt__gathering *gathering, enum vt_source source)
{
    uint32_t budget = vt__budget(gathering->query, source);
    return gathering->query->n < budget ? gathering->query->n : budget;
}

static enum vt_index_measure measure_of(const struct vt__gathering *gathering)
{
    return gathering->query->similar ? VT_INDEX_COSINE : VT_INDEX_DOT;
}

struct vt_err vt__sources_find_factor(struct vt__gathering *gathering)
{
    uint32_t wanted = wanted_of(gathering, VT_SOURCE_FACTOR);
    if (!gathering->has_vector || wanted == 0)
        return vt_ok();
    struct vt_index_query query = {
        .vector = gathering->scratch->vector,
        .n = wanted,
        .measure = measure_of(gathering),
        .excluded = gathering->scratch->excluded,
        .allowed = is_recommendable,
        .allowed_ctx = gathering,
        .in_any_order = gathering->has_model, /* vt__model_rank_found gives the places */
    };
    uint32_t n_hits = 0;
    const struct vt_index_hit *hits = gathering->scratch->hits;
    VT_TRY(vt_index_search(gathering->view->index, &query, gathering->scratch->hits, &n_hits));
    for (uint32_t i = 0; i < n_hits; i++) {
        struct vt__found *found =
            vt__sources_add(gathering, gathering->view->item_numbers[hits[i].row], hits[i].row, i);
        if (found != NULL)
            found->factor = hits[i].score;
    }
    return vt_ok();
}

double vt__sources_factor(const struct vt__gathering *gathering, struct vt__found *found)
{
    if (isnan(found->factor))
        found->factor = vt_index_score(gathering->view->index, measure_of(gathering), found->row,
                                       gathering->scratch->vector);
    return found->factor;
}

/* ---- neighbours ---- */

static void add_share(struct vt__scratch *scratch, uint32_t row, float share, uint32_t taste_index)
{
    struct vt__cell *cell = &scratch->cells[row];
    if (!(cell->neighbor_score > 0))
        scratch->touched[scratch->n_touched++] = row;
    cell->neighbor_score += (double)share;
    if (share > cell->largest_share) {
        cell->largest_share = share;
        cell->because = taste_index;
    }
}

static double best_neighbor_score(const struct vt__scratch *scratch)
{
    double best = 0;
    for (uint32_t i = 0; i < scratch->n_touched; i++)
        best = fmax(best, scratch->cells[scratch->touched[i]].neighbor_score);
    return best;
}

/* After all shares: a cell that no share touched is below 0 from its first loss on. */
static void take_share(struct vt__scratch *scratch, uint32_t row, float share)
{
    struct vt__cell *cell = &scratch->cells[row];
    if (!(cell->largest_share > 0) && !(cell->neighbor_score < 0))
        scratch->touched[scratch->n_touched++] = row;
    cell->neighbor_score -= (double)share;
}

/* Neighbours of what is disliked, which is behind what is liked. */
static void subtract_neighbors(struct vt__gathering *gathering)
{
    const struct vt_csr *neighbors = &gathering->view->neighbors;
    const struct vt__taste *taste = gathering->taste;
    gathering->best_neighbor_score = best_neighbor_score(gathering->scratch);
    for (uint32_t i = taste->n; i < taste->n + taste->n_disliked; i++)
        for (uint64_t e = neighbors->starts[taste->rows[i]];
             e < neighbors->starts[taste->rows[i] + 1]; e++) {
            float share = -taste->weights[i] * neighbors->values[e];
            if (share > 0)
                take_share(gathering->scratch, neighbors->columns[e], share);
        }
}

void vt__sources_sum_neighbors(struct vt__gathering *gathering)
{
    const struct vt_csr *neighbors = &gathering->view->neighbors;
    const struct vt__taste *taste = gathering->taste;
    if (neighbors->n_rows == 0 ||
        (!gathering->query->similar && !vt__model_wants_neighbors(gathering->view)))
        return;
    for (uint32_t i = 0; i < taste->n; i++)
        for (uint64_t e = neighbors->starts[taste->rows[i]];
             e < neighbors->starts[taste->rows[i] + 1]; e++) {
            float share = taste->weights[i] * neighbors->values[e];
            if (share > 0)
                add_share(gathering->scratch, neighbors->columns[e], share, i);
        }
    if (taste->n_disliked > 0)
        subtract_neighbors(gathering);
}

void vt__sources_find_neighbors(struct vt__gathering *gathering)
{
    struct vt__scratch *scratch = gathering->scratch;
    struct vt_top top = {.hits = scratch->hits,
                         .capacity = wanted_of(gathering, VT_SOURCE_ITEM_NEIGHBOR)};
    for (uint32_t i = 0; i < scratch->n_touched && top.capacity > 0; i++) {
        uint32_t row = scratch->touched[i];
        struct vt_index_hit hit = {.score = scratch->cells[row].neighbor_score, .row = row};
        if (hit.score > 0 && vt_top_would_enter(&top, hit) && vt__sources_allow(gathering, row))
            vt_top_offer(&top, hit);
    }
    vt_top_sort(&top);
    vt__sources_add_hits(gathering, top.n);
}

/* ---- popular and new ---- */

static void find_popular_newcomers(struct vt__gathering *gathering)
{
    uint32_t n_popular = 0, n_found = 0, wanted = wanted_of(gathering, VT_SOURCE_POPULAR);
    const uint32_t *popular = vt_item_table_popular(gathering->items, &n_popular);
    for (uint32_t i = 0; i < n_popular && n_found < wanted; i++)
        if (vt_bundle_row(gathering->bundle, popular[i]) == UINT32_MAX &&
            vt__sources_allow_newcomer(gathering, popular[i]))
            vt__sources_add(gathering, popular[i], UINT32_MAX, n_found++);
}

void vt__sources_find_popular(struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    uint32_t n_found = 0, wanted = wanted_of(gathering, VT_SOURCE_POPULAR);
    for (uint32_t i = 0; i < view->n_items && n_found < wanted; i++) {
        uint32_t row = view->popular_rows[i];
        if (vt__sources_allow(gathering, row))
            vt__sources_add(gathering, view->item_numbers[row], row, n_found++);
    }
    find_popular_newcomers(gathering);
}

void vt__sources_find_new(struct vt__gathering *gathering)
{
    uint32_t newest = vt_item_table_max_number(gathering->items), n_found = 0;
    uint32_t budget = vt__budget(gathering->query, VT_SOURCE_NEW_ARRIVAL);
    for (uint32_t i = 0; i < NEW_SCAN_MAX && i < newest && n_found < budget; i++) {
        uint32_t item = newest - i;
        if (vt_bundle_row(gathering->bundle, item) != UINT32_MAX ||
            !vt__sources_allow_newcomer(gathering, item))
            continue;
        struct vt__found *found = find_or_add(gathering, item, UINT32_MAX);
        if (found == NULL)
            return;
        found->new_rank = n_found++;
        if (found->new_rank < found->best_rank)
            found->best_rank = found->new_rank;
    }
}

/* ---- scores ---- */

/* One dislike must not outweigh everything liked: scores of a source are divided by the largest. */
static double bounded_loss(const struct vt__gathering *gathering, const struct vt__cell *cell)
{
    double best = gathering->best_neighbor_score;
    return best > 0 ? fmax(cell->neighbor_score, -best) : cell->neighbor_score;
}

static void score_row(const struct vt__gathering *gathering, struct vt__found *found,
                      struct vt_candidate *candidate)
{
    const struct vt_bundle_view *view = gathering->view;
    uint32_t row = found->row;
    const struct vt__cell *cell = &gathering->scratch->cells[row];
    const struct vt__kernel_cell *kernel = &gathering->scratch->kernel_cells[row];
    vt__sources_set_score(candidate, VT_SOURCE_POPULAR, view->popular_scores[row]);
    if (gathering->has_vector)
        vt__sources_set_score(candidate, VT_SOURCE_FACTOR,
                              vt__sources_factor(gathering, found) / gathering->vector_scale);
    if (gathering->has_model)
        vt__sources_set_score(candidate, VT_SOURCE_MODEL, vt__model_score(gathering, found));
    if (kernel->because != 0)
        vt__sources_set_score(candidate, VT_SOURCE_KERNEL, kernel->score);
    if (cell->neighbor_score < 0)
        vt__sources_set_score(candidate, VT_SOURCE_ITEM_NEIGHBOR, bounded_loss(gathering, cell));
    if (cell->neighbor_score > 0) {
        vt__sources_set_score(candidate, VT_SOURCE_ITEM_NEIGHBOR, cell->neighbor_score);
        candidate->because = gathering->taste->items[cell->because];
    } else if (kernel->largest_share > 0) {
        candidate->because = gathering->taste->items[kernel->because - 1];
    } else if (gathering->has_vector) {
        candidate->because =
            vt__because(gathering, vt__row_factors(view, row), vt_index_norm(view->index, row));
    }
    vt__goods_score(gathering, row, candidate);
}

struct vt_candidate vt__sources_score(const struct vt__gathering *gathering,
                                      struct vt__found *found)
{
    struct vt_candidate candidate = {.item = found->item};
    vt__known_score(found, &candidate);
    if (found->row != UINT32_MAX) {
        score_row(gathering, found, &candidate);
        return candidate;
    }
    float count = vt_item_table_count(gathering->items, found->item);
    if (count > 0)
        vt__sources_set_score(&candidate, VT_SOURCE_POPULAR, log1p((double)count));
    if (found->new_rank != UINT32_MAX)
        vt__sources_set_score(&candidate, VT_SOURCE_NEW_ARRIVAL,
                              1.0 / (1 + (double)found->new_rank));
    vt__content_score(gathering, &candidate);
    return candidate;
}
