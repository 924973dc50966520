/*
 * One family's settings, an axis after the other: each is tried at a few values while the others
 * stay at the best so far. That is a dozen trainings instead of the hundreds of a grid; the axes
 * stand in the order in which they are expected to matter; the order is not measured. iALS is tried
 * with few factors and iterations, its regularisation being much the same with more, and then with
 * more factors while that helps.
 */
#include "models/algorithm/auto_search.h"

#include "models/eval/eval.h"
#include "models/linear/ease.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_MAX = 4, QUICK_FACTORS = 32, QUICK_ITERATIONS = 6 };
#define DENSITY_MULTIPLE 5.0 /* as models/factor has it for unobserved_weight 0 */

struct axis {
    enum vt_blend_family family;
    const char *key;
    bool is_relative; /* values are multiples of what the data suggest */
    double values[VALUES_MAX];
};

/* 0 ends an axis. The first value that is not better ends the axis too. */
static const struct axis axes[] = {
    {VT_BLEND_IALS, "regularization", false, {0.02, 0.04, 0.08, 0.16}},
    {VT_BLEND_IALS, "unobserved_weight", true, {2, 4, 8, 16}},
    {VT_BLEND_IALS, "unobserved_weight", true, {0.5, 0.25}},
    {VT_BLEND_IALS, "regularization", false, {0.005, 0.0025}},
    {VT_BLEND_EASE, "regularization", true, {0.3, 0.1}},
    {VT_BLEND_EASE, "regularization", true, {3, 9}},
    {VT_BLEND_EASE, "popularity_exponent", false, {0.35, 0.5}},
    {VT_BLEND_EASE, "popularity_exponent", false, {0.05}},
    {VT_BLEND_SHARPENED, "popularity_exponent", false, {0.25}},
    {VT_BLEND_ITEMCF, "shrinkage", false, {3, 1}},
};
enum { N_AXES = sizeof axes / sizeof axes[0] };

/* How much longer a flop takes here than in a matrix product: sparse rows wait for memory. */
static double slowness_of(enum vt_blend_family family)
{
    static const double slowness[VT_BLEND_FAMILIES] = {
        [VT_BLEND_IALS] = 1,  [VT_BLEND_EASE] = 1,   [VT_BLEND_SHARPENED] = 2,
        [VT_BLEND_GRAPH] = 2, [VT_BLEND_ITEMCF] = 8, [VT_BLEND_POPULARITY] = 8};
    return slowness[family];
}

static struct vt_shape shape_of(const struct vt_sparse *matrix)
{
    return (struct vt_shape){matrix->n_rows, matrix->n_cols, matrix->n_entries};
}

static double density_of(const struct vt_sparse *matrix)
{
    return (double)matrix->n_entries / matrix->n_rows / matrix->n_cols;
}

/* ---- one try ---- */

struct family_search {
    enum vt_blend_family family;
    struct vt_algorithm_options best;
    double value; /* of `best`; below 0: nothing was tried */
    struct vt__blend_parts model;
};

static double gflop_of(const struct vt_shape *shape, enum vt_blend_family family,
                       const struct vt_algorithm_options *options)
{
    return vt__blend_family(family)->need(shape, options).gflop * slowness_of(family);
}

/* Whether there is memory and budget for it; pays for it. */
static bool may_try(struct vt__auto_search *search, enum vt_blend_family family,
                    const struct vt_algorithm_options *options, const char *what)
{
    const struct vt_shape shape = shape_of(&search->fit);
    const uint64_t memory = vt__blend_family(family)->need(&shape, options).memory_bytes;
    const double gflop = gflop_of(&shape, family, options);
    const char *name = vt__blend_family(family)->name;
    if (memory > search->memory_max) {
        vt__tell(&search->options, "auto: %s%s would take %.0f MiB: not tried", name, what,
                 (double)memory / (1 << 20));
        return false;
    }
    if (search->gflop_spent + gflop > search->gflop_max) {
        vt__tell(&search->options, "auto: %s%s would take %.0f GFLOP, %.0f are left: not tried",
                 name, what, gflop, search->gflop_max - search->gflop_spent);
        return false;
    }
    search->gflop_spent += gflop;
    return true;
}

static struct vt_err measure(const struct vt__auto_search *search,
                             const struct vt_recommender *recommender, double *ret_value)
{
    const struct vt_eval_options eval = {.train = &search->fit,
                                         .test = &search->held,
                                         .k = search->options.blend.k,
                                         .threads = search->options.threads};
    struct vt_metrics_at_k metrics;
    VT_TRY(vt_evaluate(recommender, &eval, &metrics));
    *ret_value = (metrics.recall + metrics.ndcg) / 2;
    return vt_ok();
}

/* Trains and measures; takes it over where it is better. `what` is for people: " key=value". */
static struct vt_err try_options(struct vt__auto_search *search, struct family_search *found,
                                 const struct vt_algorithm_options *options, const char *what,
                                 struct vt_diag *diag, bool *ret_better)
{
    struct vt__blend_parts tried = {0};
    double value = -1;
    *ret_better = false;
    if (!may_try(search, found->family, options, what))
        return vt_ok();
    struct vt_err err = vt__blend_parts_add(found->family, &search->fit, options, diag, &tried);
    if (!vt_failed(err))
        err = measure(search, &tried.trained[0].recommender, &value);
    if (vt_failed(err) || !(value > found->value)) {
        vt__blend_parts_free(&tried);
    } else {
        vt__blend_parts_free(&found->model);
        found->model = tried;
        found->value = value;
        found->best = *options;
        *ret_better = true;
    }
    if (!vt_failed(err))
        vt__tell(&search->options, "auto: %s%s: %.4f%s", vt__blend_family(found->family)->name,
                 what, value, *ret_better ? ", better" : "");
    return err;
}

/* ---- the axes ---- */

static double base_of(const struct vt__auto_search *search, const struct axis *axis)
{
    struct vt_ease_options ease = search->options.ease;
    if (!axis->is_relative)
        return 1;
    ease.memory_bytes = search->memory_max;
    return axis->family == VT_BLEND_IALS ? fmin(1, DENSITY_MULTIPLE * density_of(&search->fit))
                                         : vt_ease_regularization(&search->fit, &ease);
}

static struct vt_err set_value(enum vt_blend_family family, const char *key, double value,
                               struct vt_diag *diag, struct vt_algorithm_options *options,
                               char *ret_text)
{
    const struct vt_algorithm *algorithm = vt_algorithm_find(vt__blend_family(family)->name, diag);
    snprintf(ret_text, VT_SETTING_BYTES, "%s=%.6g", key, value);
    return vt_algorithm_set(algorithm, ret_text, diag, options);
}

static struct vt_err try_axis(struct vt__auto_search *search, struct family_search *found,
                              const struct axis *axis, struct vt_diag *diag)
{
    const double base = base_of(search, axis);
    bool better = true;
    for (int v = 0; v < VALUES_MAX && axis->values[v] > 0 && better; v++) {
        struct vt_algorithm_options options = found->best;
        char what[VT_SETTING_BYTES + 1] = " ";
        VT_TRY(
            set_value(axis->family, axis->key, axis->values[v] * base, diag, &options, what + 1));
        VT_TRY(try_options(search, found, &options, what, diag, &better));
    }
    return vt_ok();
}

/* Where each family begins: what the data suggest, as a text has it, so that it can be set again.
 */
static struct vt_err begin(const struct vt__auto_search *search, struct vt_diag *diag,
                           struct family_search *found)
{
    static const struct axis weight = {VT_BLEND_IALS, "unobserved_weight", true, {1}};
    static const struct axis ridge = {VT_BLEND_EASE, "regularization", true, {1}};
    char text[VT_SETTING_BYTES];
    found->best = search->options;
    found->best.ials.factors = QUICK_FACTORS;
    found->best.ials.iterations = QUICK_ITERATIONS;
    if (found->family == VT_BLEND_IALS)
        return set_value(found->family, weight.key, base_of(search, &weight), diag, &found->best,
                         text);
    found->best.ials = search->options.ials;
    if (found->family == VT_BLEND_EASE)
        return set_value(found->family, ridge.key, base_of(search, &ridge), diag, &found->best,
                         text);
    return vt_ok();
}

/* The quick settings were for choosing: from here with the iterations of the default. */
static struct vt_err try_more_factors(struct vt__auto_search *search, struct family_search *found,
                                      struct vt_diag *diag)
{
    bool better = true;
    for (uint32_t factors = QUICK_FACTORS * 2; factors <= VT__AUTO_FACTORS_MAX && better;
         factors *= 2) {
        struct vt_algorithm_options options = found->best;
        char what[VT_SETTING_BYTES];
        options.ials.factors = factors;
        options.ials.iterations = search->options.ials.iterations;
        snprintf(what, sizeof what, " factors=%u iterations=%u", factors, options.ials.iterations);
        VT_TRY(try_options(search, found, &options, what, diag, &better));
    }
    return vt_ok();
}

static struct vt_err try_settings(struct vt__auto_search *search, struct family_search *found,
                                  struct vt_diag *diag)
{
    const struct vt_algorithm_options first = found->best;
    bool better;
    VT_TRY(try_options(search, found, &first, "", diag, &better));
    if (!better)
        return vt_ok();
    for (int a = 0; a < N_AXES; a++)
        if (axes[a].family == found->family)
            VT_TRY(try_axis(search, found, &axes[a], diag));
    return found->family == VT_BLEND_IALS ? try_more_factors(search, found, diag) : vt_ok();
}

/* ---- a family ---- */

static void put_down(struct vt_settled *settled, const char *family, const char *key, double value)
{
    VT_ASSERT(settled->n_settings < VT_SETTLED_MAX);
    snprintf(settled->settings[settled->n_settings++], VT_SETTING_BYTES, "%s.%s=%.6g", family, key,
             value);
}

/* Moves the found model to the search's parts. */
static void take_over(struct vt__auto_search *search, struct family_search *found)
{
    struct vt__blend_parts *parts = &search->parts;
    if (found->model.n == 0)
        return;
    parts->family[parts->n] = found->family;
    parts->trained[parts->n] = found->model.trained[0];
    parts->parts[parts->n] = found->model.parts[0];
    parts->parts[parts->n].recommender = &parts->trained[parts->n].recommender;
    parts->n++;
    search->options = found->best;
    if (found->value > search->best_value) {
        search->best_value = found->value;
        search->best_family = found->family;
    }
}

struct vt_err vt__auto_try_family(struct vt__auto_search *search, enum vt_blend_family family,
                                  struct vt_diag *diag)
{
    struct family_search found = {.family = family, .value = -1};
    struct vt_err err = begin(search, diag, &found);
    if (!vt_failed(err))
        err = try_settings(search, &found, diag);
    if (vt_failed(err))
        vt__blend_parts_free(&found.model);
    else
        take_over(search, &found);
    return err;
}

void vt__auto_settle(const struct vt_algorithm_options *chosen, struct vt_settled *settled)
{
    *settled = (struct vt_settled){.algorithm = "blend"};
    snprintf(settled->settings[settled->n_settings++], VT_SETTING_BYTES, "weights=given");
    snprintf(settled->settings[settled->n_settings++], VT_SETTING_BYTES, "neighbors=%u",
             chosen->blend.neighbors);
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        snprintf(settled->settings[settled->n_settings++], VT_SETTING_BYTES, "%s=%.4f",
                 vt__blend_family((enum vt_blend_family)f)->name, chosen->blend.weight[f]);
    put_down(settled, "ials", "factors", chosen->ials.factors);
    put_down(settled, "ials", "iterations", chosen->ials.iterations);
    put_down(settled, "ials", "regularization", chosen->ials.regularization);
    put_down(settled, "ials", "unobserved_weight", chosen->ials.unobserved_weight);
    put_down(settled, "ease", "regularization", chosen->ease.regularization);
    put_down(settled, "ease", "popularity_exponent", chosen->ease.popularity_exponent);
    put_down(settled, "ease", "neighbors", chosen->ease.neighbors);
    put_down(settled, "sharpened", "popularity_exponent", chosen->sharpened.popularity_exponent);
    put_down(settled, "sharpened", "neighbors", chosen->sharpened.neighbors);
    put_down(settled, "itemcf", "shrinkage", chosen->neighbor.shrinkage);
}

double vt__auto_gflop(const struct vt_shape *shape, const struct vt_algorithm_options *options)
{
    double gflop = 0;
    for (int f = 0; f < VT_BLEND_FAMILIES; f++) {
        struct vt_algorithm_options quick = *options;
        if (!(fabs(options->blend.weight[f]) > 0))
            continue;
        quick.ials.factors = QUICK_FACTORS;
        quick.ials.iterations = QUICK_ITERATIONS;
        uint32_t n_tries = 1;
        for (int a = 0; a < N_AXES; a++)
            for (int v = 0; (int)axes[a].family == f && v < VALUES_MAX; v++)
                n_tries += axes[a].values[v] > 0;
        gflop += n_tries * gflop_of(shape, (enum vt_blend_family)f, &quick);
    }
    return gflop;
}
