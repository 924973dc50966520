/*
 * The settings that auto tries: for each family a ring of axes, in the order in which they are
 * expected to matter. A climb goes along an axis while that helps, then takes the next, and ends
 * when a whole round made nothing better. Steps begin at the best so far, so regularisation is
 * tried again after the factors became more. What was tried is known by a hash and not tried twice.
 */
#include "models/algorithm/auto_search.h"
#include "models/dataset/mix.h"
#include "models/linear/ease.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { TIMES, PLUS, BECOMES };

struct axis {
    enum vt_blend_family family;
    const char *key;
    enum step step;
    double by, min, max; /* of numbers; the value stays within */
    const char *text;    /* of BECOMES */
    bool once;           /* one step, then the next axis */
};

/* A family's axes stand together. */
static const struct axis axes[] = {
    {VT_BLEND_IALS, "regularization", TIMES, 2, 1e-4, 1, NULL, false},
    {VT_BLEND_IALS, "unobserved_weight", TIMES, 0.5, 1e-6, 1, NULL, false},
    {VT_BLEND_IALS, "regularization", TIMES, 0.5, 1e-4, 1, NULL, false},
    {VT_BLEND_IALS, "unobserved_weight", TIMES, 2, 1e-6, 1, NULL, false},
    {VT_BLEND_IALS, "factors", TIMES, 2, 1, VT__AUTO_FACTORS_MAX, NULL, true},
    {VT_BLEND_IALS, "iterations", TIMES, 2, 1, 32, NULL, true},
    {VT_BLEND_EASE, "regularization", TIMES, 0.4, 1e-3, 1e6, NULL, false},
    {VT_BLEND_EASE, "regularization", TIMES, 2.5, 1e-3, 1e6, NULL, false},
    {VT_BLEND_EASE, "popularity_exponent", PLUS, 0.15, -1, 1, NULL, false},
    {VT_BLEND_EASE, "popularity_exponent", PLUS, -0.15, -1, 1, NULL, false},
    {VT_BLEND_EASE, "user_exponent", PLUS, 0.25, 0, 1.5, NULL, false},
    {VT_BLEND_EASE, "user_exponent", PLUS, -0.25, 0, 1.5, NULL, false},
    {VT_BLEND_EASE, "dropout", PLUS, 0.2, 0, 0.9, NULL, true},
    {VT_BLEND_EASE, "dropout", PLUS, -0.2, 0, 0.9, NULL, true},
    {VT_BLEND_EASE, "support", TIMES, 2, 1, 400, NULL, true},
    {VT_BLEND_SHARPENED, "sharpening", TIMES, 0.5, 0.05, 4, NULL, false},
    {VT_BLEND_SHARPENED, "popularity_exponent", PLUS, -0.15, -1, 1, NULL, false},
    {VT_BLEND_SHARPENED, "popularity_exponent", PLUS, 0.15, -1, 1, NULL, false},
    {VT_BLEND_SHARPENED, "low_pass", TIMES, 3, 0.01, 30, NULL, false},
    {VT_BLEND_SHARPENED, "low_pass", TIMES, 1.0 / 3, 0.01, 30, NULL, false},
    {VT_BLEND_SHARPENED, "sharpening", TIMES, 2, 0.05, 4, NULL, false},
    {VT_BLEND_SHARPENED, "vectors", TIMES, 2, 16, 512, NULL, true},
    {VT_BLEND_GRAPH, "popularity_exponent", PLUS, 0.15, -1, 1, NULL, false},
    {VT_BLEND_GRAPH, "popularity_exponent", PLUS, -0.15, -1, 1, NULL, false},
    {VT_BLEND_GRAPH, "low_pass", TIMES, 1.0 / 3, 0.01, 30, NULL, false},
    {VT_BLEND_GRAPH, "low_pass", TIMES, 3, 0.01, 30, NULL, false},
    {VT_BLEND_GRAPH, "vectors", TIMES, 2, 16, 512, NULL, true},
    {VT_BLEND_GRAPH, "user_exponent", PLUS, 0.15, 0, 1.5, NULL, false},
    {VT_BLEND_GRAPH, "user_exponent", PLUS, -0.15, 0, 1.5, NULL, false},
    {VT_BLEND_GRAPH, "vectors", TIMES, 0.5, 16, 512, NULL, true},
    {VT_BLEND_ITEMCF, "similarity", BECOMES, 0, 0, 0, "conditional", true},
    {VT_BLEND_ITEMCF, "similarity", BECOMES, 0, 0, 0, "bm25", true},
    {VT_BLEND_ITEMCF, "similarity", BECOMES, 0, 0, 0, "tfidf", true},
    {VT_BLEND_ITEMCF, "shrinkage", TIMES, 0.3, 0.1, 1000, NULL, false},
    {VT_BLEND_ITEMCF, "shrinkage", TIMES, 3, 0.1, 1000, NULL, false},
    {VT_BLEND_ITEMCF, "neighbors", TIMES, 2, 1, 1000, NULL, true},
};
enum { N_AXES = sizeof axes / sizeof axes[0] };

/* Sparse data (fewer known pairs than this share) want iALS more regularised, and the unobserved
 * counting less; dense data as its own defaults have it. */
#define SPARSE_DENSITY 0.01
#define DENSITY_MULTIPLE 5.0 /* as models/factor has it for unobserved_weight 0 */
enum { FIRST_FACTORS = 64, FIRST_ITERATIONS = 8 };

/* Of a family's axes, and where they begin. */
static uint32_t axes_of(enum vt_blend_family family, uint32_t *ret_first)
{
    uint32_t n = 0;
    for (uint32_t a = 0; a < N_AXES; a++)
        if (axes[a].family == family && n++ == 0)
            *ret_first = a;
    return n;
}

/* ---- settings as texts ---- */

struct lookup {
    const char *key;
    char value[VT_SETTING_BYTES];
    uint64_t hash; /* of all keys and values */
};

static void look_up(void *ctx, const char *key, const char *value)
{
    struct lookup *lookup = ctx;
    for (const char *at = value; *at != '\0'; at++)
        lookup->hash = vt_mix64(lookup->hash ^ (unsigned char)*at);
    lookup->hash = vt_mix64(lookup->hash + 1);
    if (lookup->key != NULL && strcmp(key, lookup->key) == 0)
        snprintf(lookup->value, sizeof lookup->value, "%s", value);
}

static struct lookup read_setting(enum vt_blend_family family, const char *key,
                                  const struct vt_algorithm_options *options)
{
    struct vt_diag none = {0};
    struct lookup lookup = {.key = key};
    vt_algorithm_settings(vt_algorithm_find(vt__blend_family(family)->name, &none), options,
                          look_up, &lookup);
    return lookup;
}

static struct vt_err write_setting(enum vt_blend_family family, const char *key_value,
                                   struct vt_diag *diag, struct vt_algorithm_options *options)
{
    return vt_algorithm_set(vt_algorithm_find(vt__blend_family(family)->name, diag), key_value,
                            diag, options);
}

/* ---- the next step ---- */

/* Six digits: what a manifest gives back is what was tried. */
static bool step_along(const struct axis *axis, const struct vt_shape *shape,
                       struct vt_algorithm_options *options, char *ret_key_value)
{
    struct vt_diag none = {0};
    if (axis->step == BECOMES) {
        snprintf(ret_key_value, VT_SETTING_BYTES, "%s=%s", axis->key, axis->text);
    } else {
        const double from = strtod(read_setting(axis->family, axis->key, options).value, NULL);
        const double to = axis->step == TIMES ? from * axis->by : from + axis->by;
        const bool is_a_number_of_things =
            strcmp(axis->key, "factors") == 0 || strcmp(axis->key, "vectors") == 0;
        if (to < axis->min - 1e-9 || to > axis->max + 1e-9 ||
            (is_a_number_of_things && to > (double)shape->n_items))
            return false;
        snprintf(ret_key_value, VT_SETTING_BYTES, "%s=%.6g", axis->key, to);
    }
    return !vt_failed(write_setting(axis->family, ret_key_value, &none, options));
}

static bool is_tried(const struct vt__auto_climb *climb, uint64_t hash)
{
    for (uint32_t t = 0; t < climb->n_tried; t++)
        if (climb->tried[t] == hash)
            return true;
    return false;
}

/* False when it was tried before, or there are too many. */
static bool remember(struct vt__auto_climb *climb, const struct vt_algorithm_options *options)
{
    const uint64_t hash = read_setting(climb->family, NULL, options).hash;
    if (is_tried(climb, hash) || climb->n_tried == VT__AUTO_TRIES_MAX)
        return false;
    climb->tried[climb->n_tried++] = hash;
    return true;
}

bool vt__auto_next(struct vt__auto_climb *climb, const struct vt_shape *shape,
                   struct vt_algorithm_options *ret_options, char ret_what[VT__AUTO_WHAT_BYTES])
{
    uint32_t first = 0;
    const uint32_t n = axes_of(climb->family, &first);
    ret_what[0] = '\0';
    *ret_options = climb->best;
    if (climb->n_tried == 0)
        return remember(climb, ret_options);
    while (climb->n_idle < n) {
        char key_value[VT_SETTING_BYTES];
        *ret_options = climb->best;
        if (step_along(&axes[first + climb->axis], shape, ret_options, key_value) &&
            remember(climb, ret_options)) {
            snprintf(ret_what, VT__AUTO_WHAT_BYTES, " %s", key_value);
            return true;
        }
        vt__auto_took(climb, false);
    }
    return false;
}

void vt__auto_took(struct vt__auto_climb *climb, bool was_better)
{
    uint32_t first = 0;
    const uint32_t n = axes_of(climb->family, &first);
    if (n == 0)
        return;
    climb->n_idle = was_better ? 0 : climb->n_idle + 1;
    if (!was_better || axes[first + climb->axis].once)
        climb->axis = (climb->axis + 1) % n;
}

/* ---- the first and the last ---- */

static struct vt_err begin_ials(const struct vt_sparse *fit, struct vt_diag *diag,
                                struct vt_algorithm_options *options)
{
    const double density = (double)fit->n_entries / fit->n_rows / fit->n_cols;
    const bool is_sparse = density < SPARSE_DENSITY;
    char text[VT_SETTING_BYTES];
    options->ials.factors = FIRST_FACTORS;
    options->ials.iterations = FIRST_ITERATIONS;
    if (is_sparse)
        options->ials.regularization = 0.02;
    snprintf(text, sizeof text, "unobserved_weight=%.6g",
             fmin(1, DENSITY_MULTIPLE * density * (is_sparse ? 0.5 : 1)));
    return write_setting(VT_BLEND_IALS, text, diag, options);
}

static struct vt_err begin_ease(const struct vt_sparse *fit, struct vt_diag *diag,
                                struct vt_algorithm_options *options)
{
    struct vt_ease_options ease = options->ease;
    char text[VT_SETTING_BYTES];
    ease.memory_bytes = options->memory_bytes;
    snprintf(text, sizeof text, "regularization=%.6g", vt_ease_regularization(fit, &ease));
    return write_setting(VT_BLEND_EASE, text, diag, options);
}

struct vt_err vt__auto_begin(enum vt_blend_family family, const struct vt_sparse *fit,
                             struct vt_diag *diag, struct vt_algorithm_options *options)
{
    if (family == VT_BLEND_IALS)
        return begin_ials(fit, diag, options);
    if (family == VT_BLEND_EASE)
        return begin_ease(fit, diag, options);
    return vt_ok();
}

static void put_down(struct vt_settled *settled, enum vt_blend_family family, const char *key,
                     const struct vt_algorithm_options *chosen)
{
    VT_ASSERT(settled->n_settings < VT_SETTLED_MAX);
    snprintf(settled->settings[settled->n_settings++], VT_SETTING_BYTES, "%s.%s=%.30s",
             vt__blend_family(family)->name, key, read_setting(family, key, chosen).value);
}

/* Whether an axis before this one has the same setting. */
static bool is_repeated(uint32_t place)
{
    for (uint32_t a = 0; a < place; a++)
        if (axes[a].family == axes[place].family && strcmp(axes[a].key, axes[place].key) == 0)
            return true;
    return false;
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
    for (uint32_t a = 0; a < N_AXES; a++)
        if (!is_repeated(a) && fabs(chosen->blend.weight[axes[a].family]) > 0)
            put_down(settled, axes[a].family, axes[a].key, chosen);
    for (int f = VT_BLEND_EASE; f <= VT_BLEND_GRAPH; f++)
        if (fabs(chosen->blend.weight[f]) > 0)
            put_down(settled, (enum vt_blend_family)f, "neighbors", chosen);
}
