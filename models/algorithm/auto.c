/*
 * A model that chooses itself. What suits sparse data (strong regularisation, item kernels) loses
 * on dense ones, and no rule by size and density alone is as good as trying: so a validation part
 * is split off the matrix, every family climbs on the rest from what its data suggest
 * (auto_search.c), the weights of a blend of the best are found on the same part, and what came out
 * is trained on everything.
 *
 * What is tried must be the same on a slow and on a fast machine, or the same data would give
 * different models. So the budget is arithmetic, not time: two seconds of a core for each second
 * that is allowed, counted as auto_cost.c has it. Memory decides too (a family that does not fit
 * takes no part); for the same bytes on two machines, say it. docs/adr/0106, 0135.
 */
#include "models/algorithm/auto_search.h"
#include "models/blend/weights.h"
#include "models/dataset/holdout.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_DEFAULT 600.0 /* on CORES like those of auto_cost.c */
#define CORES 2
#define HELD_SHARE 0.2
#define GFLOP_PER_CORE_SECOND 10.0 /* what the estimates of `train` take a core second for */
/* A number, not what is free: the choice hangs on it. */
#define MEMORY_DEFAULT (UINT64_C(4) << 30)
/* Of 8,000 users a difference of 1 % in recall is about what chance makes of two models that are
 * alike; more cost more than they say. */
enum { HELD_USERS = 8000, KERNEL_CELLS = 32000000, KERNEL_ROW_MIN = 200, KERNEL_ROW_MAX = 1000 };

static const enum vt_blend_family families[] = {VT_BLEND_ITEMCF,    VT_BLEND_IALS,
                                                VT_BLEND_EASE,      VT_BLEND_GRAPH,
                                                VT_BLEND_SHARPENED, VT_BLEND_POPULARITY};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

/* Kernels of many items keep shorter rows, so that several of them and their sum fit. */
static uint32_t kernel_row(uint64_t n_items)
{
    const uint64_t fits = KERNEL_CELLS / (n_items > 0 ? n_items : 1);
    return fits > KERNEL_ROW_MAX   ? KERNEL_ROW_MAX
           : fits < KERNEL_ROW_MIN ? KERNEL_ROW_MIN
                                   : (uint32_t)fits;
}

static void prepare_options(const struct vt_algorithm_options *options, uint64_t n_items,
                            struct vt_algorithm_options *ret_prepared)
{
    const uint32_t per_row = kernel_row(n_items);
    *ret_prepared = *options;
    ret_prepared->ease.neighbors = ret_prepared->sharpened.neighbors =
        ret_prepared->graph.neighbors = ret_prepared->blend.neighbors = per_row;
    ret_prepared->blend.weights = VT_BLEND_GIVEN;
    if (!(ret_prepared->seconds_max > 0))
        ret_prepared->seconds_max = SECONDS_DEFAULT;
    if (ret_prepared->memory_bytes == 0)
        ret_prepared->memory_bytes = MEMORY_DEFAULT;
}

/* ---- choosing ---- */

static void tell_data(const struct vt__auto_search *search, const struct vt_sparse *matrix)
{
    vt__tell(&search->options,
             "auto: %u customers, %u items, %llu pairs, %.1f a customer, %.3g %% of all pairs; "
             "tries are measured on %llu pairs that are held back and take at most %.0f MiB and "
             "%.0f core seconds (about %.0f minutes on two cores); then the choice is trained on "
             "everything",
             matrix->n_rows, matrix->n_cols, (unsigned long long)matrix->n_entries,
             (double)matrix->n_entries / matrix->n_rows,
             100.0 * (double)matrix->n_entries / matrix->n_rows / matrix->n_cols,
             (unsigned long long)search->held.n_entries, (double)search->memory_max / (1 << 20),
             search->core_seconds_max, ceil(search->core_seconds_max / CORES / 60));
}

static void write_weights(const double *weight, size_t bytes, char *ret_text)
{
    ret_text[0] = '\0';
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        if (fabs(weight[f]) > 0)
            snprintf(ret_text + strlen(ret_text), bytes - strlen(ret_text), " %s %.4f",
                     vt__blend_family((enum vt_blend_family)f)->name, weight[f]);
}

static void tell_choice(const struct vt__auto_search *search, const double *weight,
                        const struct vt_blend_weights *measured)
{
    const struct vt__auto_climb *best = &search->climbs[0];
    char text[VT_BLEND_FAMILIES * 32];
    write_weights(weight, sizeof text, text);
    for (uint32_t c = 1; c < search->n_climbs; c++)
        if (search->climbs[c].value > best->value)
            best = &search->climbs[c];
    vt__tell(&search->options,
             "auto: chose the blend%s: recall %.4f, ndcg %.4f on what was held back, against %.4f "
             "(mean of both) of the best single family, %s",
             text, measured->recall, measured->ndcg, best->value,
             vt__blend_family(best->family)->name);
}

/* Moves a family's best model to the parts of a blend, and its settings to the search's options. */
static void take_over(struct vt__auto_climb *climb, struct vt__blend_parts *parts,
                      struct vt_algorithm_options *options)
{
    const struct vt_algorithm_options *best = &climb->best;
    if (climb->model.n == 0)
        return;
    parts->family[parts->n] = climb->family;
    parts->trained[parts->n] = climb->model.trained[0];
    parts->parts[parts->n] = climb->model.parts[0];
    parts->parts[parts->n].recommender = &parts->trained[parts->n].recommender;
    parts->n++;
    climb->model.n = 0;
    switch (climb->family) {
    case VT_BLEND_IALS:
        options->ials = best->ials;
        break;
    case VT_BLEND_EASE:
        options->ease = best->ease;
        break;
    case VT_BLEND_SHARPENED:
        options->sharpened = best->sharpened;
        break;
    case VT_BLEND_GRAPH:
        options->graph = best->graph;
        break;
    default:
        options->neighbor = best->neighbor;
    }
}

static struct vt_err choose(struct vt__auto_search *search, struct vt_diag *diag)
{
    struct vt_blend_weights measured;
    struct vt__blend_parts parts = {0};
    double *weight = search->options.blend.weight;
    VT_TRY(vt__auto_climb_all(search, diag));
    for (uint32_t c = 0; c < search->n_climbs; c++)
        take_over(&search->climbs[c], &parts, &search->options);
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        weight[f] = 0;
    for (uint32_t p = 0; p < parts.n; p++)
        weight[parts.family[p]] = 1;
    struct vt_err err = parts.n > 0 ? vt__blend_find(&parts, &search->fit, &search->held,
                                                     &search->options, weight, &measured)
                                    : VT_ERR(VT_EXHAUSTED, "no family fits into the memory");
    vt__blend_parts_free(&parts);
    if (!vt_failed(err))
        tell_choice(search, weight, &measured);
    return err;
}

/* Too little to hold anything back: iALS and popularity by their defaults. */
static void choose_without_data(struct vt__auto_search *search)
{
    double *weight = search->options.blend.weight;
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        weight[f] = 0;
    weight[VT_BLEND_IALS] = 0.8;
    weight[VT_BLEND_POPULARITY] = 0.2;
    vt__tell(&search->options, "auto: too little data to hold any back; the defaults of iALS");
}

static void search_fini(struct vt__auto_search *search)
{
    for (uint32_t c = 0; c < search->n_climbs; c++)
        vt__blend_parts_free(&search->climbs[c].model);
    vt_sparse_free(&search->fit);
    vt_sparse_free(&search->held);
}

static struct vt_err search_on(const struct vt_sparse *matrix, struct vt__auto_search *search,
                               struct vt_diag *diag)
{
    const struct vt_holdout_options held = {
        .share = HELD_SHARE, .users_max = HELD_USERS, .seed = search->options.seed};
    VT_TRY(vt_holdout_make(matrix, &held, &search->fit, &search->held));
    if (search->held.n_entries == 0) {
        choose_without_data(search);
        return vt_ok();
    }
    tell_data(search, matrix);
    return choose(search, diag);
}

/* ---- the family ---- */

/* What came out and of how much data, for people. */
static void write_note(const struct vt_sparse *matrix, const struct vt_algorithm_options *chosen,
                       char ret_note[VT_TRAINED_NOTE_BYTES])
{
    char text[VT_BLEND_FAMILIES * 32];
    write_weights(chosen->blend.weight, sizeof text, text);
    snprintf(ret_note, VT_TRAINED_NOTE_BYTES,
             "chosen on a part held back (%.3g %% of all pairs are known): blend%s",
             100.0 * (double)matrix->n_entries / matrix->n_rows / matrix->n_cols, text);
}

static struct vt_err auto_train(const struct vt_sparse *matrix,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt_trained *ret_trained)
{
    VT_CHECK(matrix->n_entries > 0, VT_INVALID, "there is nothing to train on");
    struct vt__auto_search search = {.n_climbs = N_FAMILIES};
    prepare_options(options, matrix->n_cols, &search.options);
    for (int f = 0; f < N_FAMILIES; f++)
        search.climbs[f] = (struct vt__auto_climb){.family = families[f], .value = -1};
    search.core_seconds_max = search.options.seconds_max * CORES;
    search.memory_max = search.options.memory_bytes;
    struct vt_err err = search_on(matrix, &search, diag);
    struct vt_algorithm_options chosen = search.options;
    search_fini(&search); /* before the last training wants the memory */
    if (vt_failed(err))
        return err;
    VT_TRY(vt__family_blend.train(matrix, &chosen, diag, ret_trained));
    vt__auto_settle(&chosen, &ret_trained->settled);
    write_note(matrix, &chosen, ret_trained->note);
    ret_trained->recommender.name = "auto";
    return vt_ok();
}

/* The search's budget where the tries may want that much, and a last training of everything. */
static struct vt_need auto_need(const struct vt_shape *shape,
                                const struct vt_algorithm_options *options)
{
    struct vt_algorithm_options prepared;
    double tries = 0, last = 0;
    prepare_options(options, shape->n_items, &prepared);
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        prepared.blend.weight[f] = 0;
    for (int i = 0; i < N_FAMILIES; i++) {
        const uint32_t held = shape->n_users < HELD_USERS ? (uint32_t)shape->n_users : HELD_USERS;
        prepared.blend.weight[families[i]] = 1;
        last += vt__auto_core_seconds(families[i], shape, held, &prepared);
    }
    tries = fmin(last * VT__AUTO_TRIES_MAX, prepared.seconds_max * CORES);
    prepared.ials.factors = VT__AUTO_FACTORS_MAX;
    struct vt_need need = vt__family_blend.need(shape, &prepared);
    if (need.memory_bytes > prepared.memory_bytes)
        need.memory_bytes = prepared.memory_bytes; /* what does not fit is left out */
    need.gflop = (tries + last) * GFLOP_PER_CORE_SECOND;
    need.memory_bytes += 2 * 8 * shape->n_interactions;
    return need;
}

const struct vt__family vt__family_auto = {
    .name = "auto",
    .summary = "tries the families on a part held back and blends the best",
    .settings = (const struct vt__setting[]){{"seconds", VT__SETTING_F64,
                                              offsetof(struct vt_algorithm_options, seconds_max), 1,
                                              1e6, NULL},
                                             {0}},
    .composed = true,
    .serves = true,
    .train = auto_train,
    .need = auto_need,
};
