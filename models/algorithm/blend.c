/*
 * The blend as a family. With `weights=found` its parts are trained twice: on what is left of the
 * matrix after a validation part was split off it, to find the weights, and then on all of it.
 * The validation part is a share of the entries of some users: the test part of an evaluation is
 * nowhere near. What it came to is in `settled`, and with that (`weights=given`) there is one
 * training.
 */
#include "models/algorithm/auto_search.h"
#include "models/algorithm/blend_parts.h"
#include "models/blend/weights.h"
#include "models/dataset/holdout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vt_blend_options_default(struct vt_blend_options *ret_options)
{
    *ret_options = (struct vt_blend_options){
        .weight = {[VT_BLEND_IALS] = 1, [VT_BLEND_EASE] = 1, [VT_BLEND_SHARPENED] = 1},
        .neighbors = 1000,
        .held_share = 0.1,
        .held_users = 6000,
        .k = 20,
    };
}

/* Popularity costs nothing and may join a search from 0. */
static bool takes_part(const struct vt_blend_options *blend, enum vt_blend_family family)
{
    return fabs(blend->weight[family]) > 0 ||
           (family == VT_BLEND_POPULARITY && blend->weights == VT_BLEND_FOUND);
}

static struct vt_err train_parts(const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options, struct vt_diag *diag,
                                 struct vt__blend_parts *parts)
{
    for (int f = 0; f < VT_BLEND_FAMILIES; f++) {
        if (!takes_part(&options->blend, (enum vt_blend_family)f))
            continue;
        VT_TRY(vt__blend_parts_add((enum vt_blend_family)f, matrix, options, diag, parts));
        if (options->progress != NULL &&
            !options->progress(options->progress_ctx, (uint32_t)f + 1, VT_BLEND_FAMILIES, 0))
            return VT_ERR(VT_CANCELLED, "training was given up");
    }
    VT_CHECK(parts->n > 0, VT_INVALID, "a blend needs a weight that is not 0");
    return vt_ok();
}

/* ---- finding the weights ---- */

static void tell_weights(const struct vt_algorithm_options *options, const double *weight,
                         const struct vt_blend_weights *measured)
{
    char text[VT_BLEND_FAMILIES * 32] = "";
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        if (fabs(weight[f]) > 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %s %.4f",
                     vt__blend_family((enum vt_blend_family)f)->name, weight[f]);
    vt__tell(options, "weights found on the validation part:%s (recall %.4f, ndcg %.4f there)",
             text, measured->recall, measured->ndcg);
}

static struct vt_err find_on(const struct vt_sparse *fit, const struct vt_sparse *held,
                             const struct vt_algorithm_options *options, struct vt_diag *diag,
                             double *ret_weight)
{
    struct vt__blend_parts parts = {0};
    struct vt_blend_weights measured;
    struct vt_err err = train_parts(fit, options, diag, &parts);
    if (!vt_failed(err))
        err = vt__blend_find(&parts, fit, held, options, ret_weight, &measured);
    vt__blend_parts_free(&parts);
    if (!vt_failed(err))
        tell_weights(options, ret_weight, &measured);
    return err;
}

/* `found` is `options` with the weights given; as they are where nobody has two items. */
static struct vt_err find_weights(const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt_algorithm_options *found)
{
    const struct vt_holdout_options holdout = {.share = options->blend.held_share,
                                               .users_max = options->blend.held_users,
                                               .seed = options->seed};
    struct vt_sparse fit, held;
    *found = *options;
    found->blend.weights = VT_BLEND_GIVEN;
    VT_TRY(vt_holdout_make(matrix, &holdout, &fit, &held));
    struct vt_err err = vt_ok();
    if (held.n_entries > 0)
        err = find_on(&fit, &held, options, diag, found->blend.weight);
    vt_sparse_free(&fit);
    vt_sparse_free(&held);
    return err;
}

/* ---- training ---- */

static struct vt_err train_given(const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options, struct vt_diag *diag,
                                 struct vt_trained *ret_trained)
{
    struct vt__blend_parts parts = {0};
    struct vt_err err = train_parts(matrix, options, diag, &parts);
    if (!vt_failed(err))
        return vt__blend_assemble(&parts, matrix, options, ret_trained);
    vt__blend_parts_free(&parts);
    return err;
}

static struct vt_err blend_train(const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options, struct vt_diag *diag,
                                 struct vt_trained *ret_trained)
{
    struct vt_algorithm_options found;
    if (options->blend.weights == VT_BLEND_GIVEN)
        return train_given(matrix, options, diag, ret_trained);
    VT_TRY(find_weights(matrix, options, diag, &found));
    VT_TRY(train_given(matrix, &found, diag, ret_trained));
    vt__auto_settle(&found, &ret_trained->settled);
    return vt_ok();
}

/* Parts are kept while the next is trained; a kernel stands beside the sum it goes into. */
static struct vt_need blend_need(const struct vt_shape *shape,
                                 const struct vt_algorithm_options *options)
{
    const uint64_t per_row =
        options->blend.neighbors < shape->n_items ? options->blend.neighbors : shape->n_items;
    const uint64_t kernel_bytes = shape->n_items * (per_row + 1) * 12;
    struct vt_need need = {.memory_bytes = kernel_bytes};
    uint64_t most = 0;
    for (int f = 0; f < VT_BLEND_FAMILIES; f++) {
        if (!takes_part(&options->blend, (enum vt_blend_family)f))
            continue;
        struct vt_need part = vt__blend_family((enum vt_blend_family)f)->need(shape, options);
        most = part.memory_bytes > most ? part.memory_bytes : most;
        need.gflop += part.gflop;
        need.memory_bytes += vt__blend_in_kernel((enum vt_blend_family)f) ? kernel_bytes : 0;
    }
    need.memory_bytes += most;
    if (options->blend.weights == VT_BLEND_FOUND) {
        need.gflop *= 2;
        need.memory_bytes += 2 * 8 * shape->n_interactions +
                             (uint64_t)options->blend.held_users * VT_BLEND_FAMILIES *
                                 VT_BLEND_DEPTH * (VT_BLEND_FAMILIES * sizeof(float) + 1);
    }
    return need;
}

#define AT(field_) offsetof(struct vt_algorithm_options, blend.field_)
#define WEIGHT(name_, place_)                                                                      \
    {                                                                                              \
        name_, VT__SETTING_F64, AT(weight[place_]), 0, 100, NULL                                   \
    }

const struct vt__family vt__family_blend = {
    .name = "blend",
    .summary = "several families by weighted z-scores, weights found on a validation part",
    .settings =
        (const struct vt__setting[]){
            WEIGHT("ials", VT_BLEND_IALS),
            WEIGHT("ease", VT_BLEND_EASE),
            WEIGHT("sharpened", VT_BLEND_SHARPENED),
            WEIGHT("graph", VT_BLEND_GRAPH),
            WEIGHT("itemcf", VT_BLEND_ITEMCF),
            {"popularity", VT__SETTING_F64, AT(weight[VT_BLEND_POPULARITY]), -100, 100, NULL},
            {"weights", VT__SETTING_CHOICE, AT(weights), 0, 0, "found|given"},
            {"neighbors", VT__SETTING_U32, AT(neighbors), 1, VT_EASE_NEIGHBORS_MAX, NULL},
            {"held_share", VT__SETTING_F64, AT(held_share), 0.001, 0.9, NULL},
            {"held_users", VT__SETTING_U32, AT(held_users), 1, UINT32_MAX, NULL},
            {"held_k", VT__SETTING_U32, AT(k), 1, VT_BLEND_DEPTH, NULL},
            {0}},
    .composed = true,
    .serves = true,
    .train = blend_train,
    .need = blend_need,
};
