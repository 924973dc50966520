/*
 * Members are brought to one scale by their deviation over all rows of the version. None of that
 * scores every row: factor moments come with the bundle, the sums over a kernel's or the
 * neighbours' rows are those of the touched cells (all others are 0), and popularity's are made
 * when a version is opened. So the price is that of the taste's rows in the kernel, once.
 *
 * Candidates are the best of each member; their order is the model's. A row that is best in the sum
 * and outside the best n of every member would be missed: with lists of hundreds behind an answer
 * of ten that is a row that no member puts among its first hundreds.
 */
#include "services/candidate/model_score.h"

#include "models/factor/moments.h"

#include <math.h>

/* Of a cell's because: touched, but nothing speaks for it. */
#define TOUCHED_BY_NOBODY UINT32_MAX

/* A weight may be below 0: of popularity it then makes lists less so. */
static bool counts(double weight)
{
    return weight < 0 || weight > 0;
}

bool vt__model_wants_neighbors(const struct vt_bundle_view *view)
{
    const struct vt_bundle_mix *mix = &view->mix;
    bool has_mix = counts((double)mix->factor) || counts((double)mix->kernel) ||
                   counts((double)mix->neighbor) || counts((double)mix->popular);
    return !has_mix || counts((double)mix->neighbor) ||
           vt_rank_features_use(&view->ranker.features, VT_RANK_SCORE_NEIGHBOR);
}

/* ---- the kernel's sums ---- */

static void add_to_cell(struct vt__scratch *scratch, uint32_t row, double share, uint32_t place,
                        bool liked)
{
    struct vt__kernel_cell *cell = &scratch->kernel_cells[row];
    if (cell->because == 0) {
        scratch->kernel_touched[scratch->n_kernel_touched++] = row;
        cell->because = TOUCHED_BY_NOBODY;
    }
    cell->score += share;
    if (liked && (float)share > cell->largest_share) {
        cell->largest_share = (float)share;
        cell->because = place + 1;
    }
}

void vt__model_sum_kernel(struct vt__gathering *gathering)
{
    const struct vt_csr *kernel = &gathering->view->kernel;
    const struct vt__taste *taste = gathering->taste;
    if (kernel->n_rows == 0 || !counts((double)gathering->view->mix.kernel) ||
        gathering->query->similar)
        return;
    for (uint32_t i = 0; i < taste->n + taste->n_disliked; i++)
        for (uint64_t e = kernel->starts[taste->rows[i]]; e < kernel->starts[taste->rows[i] + 1];
             e++)
            add_to_cell(gathering->scratch, kernel->columns[e],
                        (double)taste->weights[i] * (double)kernel->values[e], i, i < taste->n);
}

/* ---- bringing members to scale ---- */

static struct vt__scale scale_of(float weight, double mean, double deviation)
{
    bool tells = deviation > 0 && isfinite(deviation);
    return (struct vt__scale){.mean = mean, .by = tells ? (double)weight / deviation : 0};
}

/* Of n rows, of which all but those summed are 0. */
static struct vt__scale scale_of_sums(float weight, double sum, double squares, uint32_t n)
{
    double mean = sum / n, variance = squares / n - mean * mean;
    return scale_of(weight, mean, variance > 0 ? sqrt(variance) : 0);
}

static struct vt__scale kernel_scale(const struct vt__gathering *gathering)
{
    const struct vt__scratch *scratch = gathering->scratch;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < scratch->n_kernel_touched; i++) {
        double score = scratch->kernel_cells[scratch->kernel_touched[i]].score;
        sum += score;
        squares += score * score;
    }
    return scale_of_sums(gathering->view->mix.kernel, sum, squares, gathering->view->n_items);
}

static struct vt__scale neighbor_scale(const struct vt__gathering *gathering)
{
    const struct vt__scratch *scratch = gathering->scratch;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < scratch->n_touched; i++) {
        double score = scratch->cells[scratch->touched[i]].neighbor_score;
        sum += score;
        squares += score * score;
    }
    return scale_of_sums(gathering->view->mix.neighbor, sum, squares, gathering->view->n_items);
}

static struct vt__scale factor_scale(const struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    double mean, deviation;
    if (!gathering->has_vector || view->factor_moments == NULL)
        return (struct vt__scale){0};
    vt_factor_score_moments(view->factor_moments, view->dim, gathering->scratch->vector, &mean,
                            &deviation);
    return scale_of(view->mix.factor, mean, deviation);
}

void vt__model_prepare(struct vt__gathering *gathering)
{
    const struct vt_bundle_view *view = gathering->view;
    struct vt__model_scales *scales = &gathering->scales;
    if (gathering->taste->n == 0 || gathering->query->similar)
        return;
    if (counts((double)view->mix.factor))
        scales->factor = factor_scale(gathering);
    if (counts((double)view->mix.kernel))
        scales->kernel = kernel_scale(gathering);
    if (counts((double)view->mix.neighbor))
        scales->neighbor = neighbor_scale(gathering);
    if (counts((double)view->mix.popular))
        scales->popular = scale_of(view->mix.popular, view->popular_mean, view->popular_deviation);
    gathering->has_model =
        counts(scales->factor.by) || counts(scales->kernel.by) || counts(scales->neighbor.by);
}

static double scaled(struct vt__scale scale, double score)
{
    return scale.by * (score - scale.mean);
}

static double model_of(const struct vt__gathering *gathering, struct vt__found *found)
{
    const struct vt_bundle_view *view = gathering->view;
    const struct vt__model_scales *scales = &gathering->scales;
    const struct vt__scratch *scratch = gathering->scratch;
    uint32_t row = found->row;
    double score = 0;
    if (counts(scales->factor.by))
        score += scaled(scales->factor, vt__sources_factor(gathering, found));
    if (counts(scales->kernel.by))
        score += scaled(scales->kernel, scratch->kernel_cells[row].score);
    if (counts(scales->neighbor.by))
        score += scaled(scales->neighbor, scratch->cells[row].neighbor_score);
    if (counts(scales->popular.by))
        score += scaled(scales->popular, view->popular_scores[row]);
    return score;
}

double vt__model_score(const struct vt__gathering *gathering, struct vt__found *found)
{
    if (isnan(found->model))
        found->model = model_of(gathering, found);
    return found->model;
}

double vt__model_score_newcomer(const struct vt__gathering *gathering, double factor_score,
                                float count)
{
    const struct vt__model_scales *scales = &gathering->scales;
    double score = 0;
    if (counts(scales->factor.by))
        score += scaled(scales->factor, factor_score);
    if (counts(scales->kernel.by))
        score += scaled(scales->kernel, 0);
    if (counts(scales->neighbor.by))
        score += scaled(scales->neighbor, 0);
    if (counts(scales->popular.by))
        score += scaled(scales->popular, log1p((double)count));
    return score;
}

/* ---- finding and ordering ---- */

static uint32_t kernel_wanted(const struct vt__gathering *gathering)
{
    uint32_t budget = vt__budget(gathering->query, VT_SOURCE_KERNEL);
    return gathering->query->n < budget ? gathering->query->n : budget;
}

void vt__model_find_kernel(struct vt__gathering *gathering)
{
    struct vt__scratch *scratch = gathering->scratch;
    struct vt_top top = {.hits = scratch->hits, .capacity = kernel_wanted(gathering)};
    for (uint32_t i = 0; i < scratch->n_kernel_touched && top.capacity > 0; i++) {
        uint32_t row = scratch->kernel_touched[i];
        struct vt_index_hit hit = {.score = scratch->kernel_cells[row].score, .row = row};
        if (hit.score > 0 && vt_top_would_enter(&top, hit) && vt__sources_allow(gathering, row))
            vt_top_offer(&top, hit);
    }
    vt_top_sort(&top);
    vt__sources_add_hits(gathering, top.n);
}

void vt__model_rank_found(struct vt__gathering *gathering)
{
    struct vt__scratch *scratch = gathering->scratch;
    struct vt_top top = {.hits = scratch->hits, .capacity = gathering->query->n};
    for (uint32_t i = 0; i < scratch->n_found; i++) {
        struct vt__found *found = &scratch->found[i];
        if (found->row == UINT32_MAX)
            continue;
        found->best_rank = UINT32_MAX;
        vt_top_offer(&top, (struct vt_index_hit){.score = vt__model_score(gathering, found),
                                                 .row = found->row});
    }
    vt_top_sort(&top);
    vt__sources_add_hits(gathering, top.n);
}
