/*
 * A blend as it serves: at most one member of each kind, weighted by z-score (algorithm.h). The
 * kernels of several families become one here. A part whose kernel went into the sum is freed at
 * once: two kernels of 40,000 rows and their sum are a gigabyte.
 *
 * Scoring for evaluation makes every score of every member; what serving saves (moments of factors
 * from their covariance, of kernels from the touched cells) is the same up to rounding.
 */
#include "models/algorithm/blend_parts.h"
#include "models/blend/kernel_sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE_USERS = 1000 };

struct member {
    struct vt_recommender recommender; /* no score: the blend has no such member */
    double weight;
};

struct blend_model {
    struct member members[VT_MEMBER_COUNT];
    uint32_t n_items;
    struct vt__blend_parts parts; /* what the members borrow */
    struct vt_item_kernel kernel;
};

static void blend_free(void *model)
{
    struct blend_model *blend = model;
    if (blend == NULL)
        return;
    vt__blend_parts_free(&blend->parts);
    vt_item_kernel_free(&blend->kernel);
    free(blend);
}

/* ---- scoring ---- */

static size_t members_scratch_bytes(const struct blend_model *blend)
{
    size_t most = 0;
    for (int m = 0; m < VT_MEMBER_COUNT; m++)
        if (blend->members[m].recommender.scratch_bytes > most)
            most = blend->members[m].recommender.scratch_bytes;
    return (most + 15) / 16 * 16; /* what stands behind keeps its alignment */
}

static void add_z(const double *scores, double weight, uint32_t n, double *sums)
{
    double mean, deviation;
    vt_blend_moments(scores, n, &mean, &deviation);
    if (!(deviation > 0))
        return;
    const double by = weight / deviation;
    for (uint32_t i = 0; i < n; i++)
        sums[i] += by * (scores[i] - mean);
}

static struct vt_err blend_score_many(const void *self, const struct vt_weighted_history *histories,
                                      uint32_t n, void *scratch, double *ret_scores)
{
    const struct blend_model *blend = self;
    double *scores = (double *)(void *)((char *)scratch + members_scratch_bytes(blend));
    memset(ret_scores, 0, (size_t)n * blend->n_items * sizeof *ret_scores);
    for (int m = 0; m < VT_MEMBER_COUNT; m++) {
        const struct vt_recommender *member = &blend->members[m].recommender;
        if (member->score == NULL)
            continue;
        VT_TRY(vt_score_many(member, histories, n, blend->n_items, scratch, scores));
        for (uint32_t h = 0; h < n; h++)
            add_z(scores + (size_t)h * blend->n_items, blend->members[m].weight, blend->n_items,
                  ret_scores + (size_t)h * blend->n_items);
    }
    return vt_ok();
}

static struct vt_err blend_score(const void *self, const struct vt_weighted_history *history,
                                 void *scratch, double *ret_scores)
{
    return blend_score_many(self, history, 1, scratch, ret_scores);
}

/* ---- the kernel of several ---- */

static struct vt_err kernel_score(const void *self, const struct vt_weighted_history *history,
                                  void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_item_kernel_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

static struct vt_err sum_kernels(struct blend_model *blend, const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options)
{
    const struct vt_item_kernel *kernels[VT_BLEND_FAMILIES];
    double factors[VT_BLEND_FAMILIES], total = 0;
    uint32_t n = 0;
    for (uint32_t p = 0; p < blend->parts.n; p++) {
        const double weight = options->blend.weight[blend->parts.family[p]];
        double scale;
        if (!blend->parts.parts[p].in_kernel)
            continue;
        VT_TRY(vt_blend_scale(blend->parts.parts[p].recommender, matrix, SCALE_USERS, &scale));
        kernels[n] = blend->parts.trained[p].kernel;
        factors[n++] = weight / scale;
        total += weight;
    }
    if (n == 0)
        return vt_ok();
    for (uint32_t k = 0; k < n; k++)
        factors[k] /= total;
    VT_TRY(vt_blend_kernel_sum(kernels, factors, n, options->blend.neighbors, options->threads,
                               &blend->kernel));
    blend->members[VT_MEMBER_KERNEL] = (struct member){
        .recommender = {.name = "kernel", .self = &blend->kernel, .score = kernel_score},
        .weight = total};
    for (uint32_t p = 0; p < blend->parts.n; p++)
        if (blend->parts.parts[p].in_kernel)
            vt_trained_free(&blend->parts.trained[p]);
    return vt_ok();
}

/* ---- putting it together ---- */

static void take_members(struct blend_model *blend, const struct vt_algorithm_options *options)
{
    static const enum vt_member kinds[VT_BLEND_FAMILIES] = {
        [VT_BLEND_IALS] = VT_MEMBER_FACTOR,
        [VT_BLEND_ITEMCF] = VT_MEMBER_NEIGHBOR,
        [VT_BLEND_POPULARITY] = VT_MEMBER_POPULAR,
    };
    for (uint32_t p = 0; p < blend->parts.n; p++)
        if (!blend->parts.parts[p].in_kernel)
            blend->members[kinds[blend->parts.family[p]]] =
                (struct member){.recommender = blend->parts.trained[p].recommender,
                                .weight = options->blend.weight[blend->parts.family[p]]};
}

static void describe(struct blend_model *blend, struct vt_trained *ret_trained)
{
    struct vt_trained trained = {
        .recommender = {.name = "blend",
                        .self = blend,
                        .scratch_bytes = members_scratch_bytes(blend) + VT_SCORE_MANY_MAX *
                                                                            (size_t)blend->n_items *
                                                                            sizeof(double),
                        .score = blend_score,
                        .score_many = blend_score_many},
        .kernel = blend->kernel.n_items > 0 ? &blend->kernel : NULL,
        .model = blend,
        .free_model = blend_free,
    };
    for (uint32_t p = 0; p < blend->parts.n; p++) {
        if (blend->parts.family[p] == VT_BLEND_IALS)
            trained.factors = blend->parts.trained[p].factors;
        if (blend->parts.family[p] == VT_BLEND_ITEMCF)
            trained.neighbors = blend->parts.trained[p].neighbors;
    }
    for (int m = 0; m < VT_MEMBER_COUNT; m++)
        trained.mix.weight[m] = (float)blend->members[m].weight;
    *ret_trained = trained;
}

struct vt_err vt__blend_assemble(struct vt__blend_parts *parts, const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options,
                                 struct vt_trained *ret_trained)
{
    struct blend_model *blend = calloc(1, sizeof *blend);
    if (blend == NULL) {
        vt__blend_parts_free(parts);
        return VT_ERR(VT_EXHAUSTED, "out of memory for the model");
    }
    blend->parts = *parts;
    *parts = (struct vt__blend_parts){0};
    for (uint32_t p = 0; p < blend->parts.n; p++)
        blend->parts.parts[p].recommender = &blend->parts.trained[p].recommender;
    blend->n_items = matrix->n_cols;
    take_members(blend, options);
    struct vt_err err = sum_kernels(blend, matrix, options);
    if (vt_failed(err))
        blend_free(blend);
    else
        describe(blend, ret_trained);
    return err;
}
