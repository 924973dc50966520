/*
 * The table of algorithms: for each its name, its settings as offsets into the options, and the
 * function that trains it and wraps the model as a recommender. A new family is one row and one
 * pair of functions.
 */
#include "models/eval/algorithm.h"

#include "models/kernels/kernels.h"
#include "models/popularity/popularity.h"
#include "services/common/base/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 8, KEY_BYTES_MAX = 64 };

enum setting_kind { SETTING_U32, SETTING_F64 };

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset; /* in struct vt_algorithm_options */
    double min, max;
};

struct vt_algorithm {
    const char *name;
    struct setting settings[SETTINGS_MAX]; /* ends with a NULL key */
    struct vt_err (*train)(const struct vt_sparse *matrix,
                           const struct vt_algorithm_options *options, struct vt_diag *diag,
                           struct vt_trained *ret_trained);
};

void vt_algorithm_options_default(struct vt_algorithm_options *ret_options)
{
    *ret_options = (struct vt_algorithm_options){.seed = 1};
    vt_ials_options_default(&ret_options->ials);
    vt_neighbor_options_default(&ret_options->neighbor);
}

void vt_trained_free(struct vt_trained *trained)
{
    if (trained->free_model != NULL)
        trained->free_model(trained->model);
    *trained = (struct vt_trained){0};
}

/* ---- iALS: fold the history in, score every item by the defined dot product ---- */

struct ials_scratch_layout {
    size_t vector_at, bytes;
};

static struct ials_scratch_layout ials_layout(uint32_t dim)
{
    size_t fold_in = vt_fold_in_scratch_bytes(dim);
    return (struct ials_scratch_layout){fold_in, fold_in + dim * sizeof(float)};
}

static struct vt_err ials_score(const void *self, const struct vt_weighted_history *history,
                                void *scratch, double *ret_scores)
{
    const struct vt_ials_model *model = self;
    struct vt_fold_in_model fold_in = vt_ials_fold_in_model(model);
    float *vector = (float *)(void *)((char *)scratch + ials_layout(model->dim).vector_at);
    VT_TRY(vt_fold_in(&fold_in, history->columns, history->weights, history->n, scratch, vector));
    vt_kernels()->dots(model->item_factors, model->n_items, model->row_stride, vector, model->dim,
                       ret_scores);
    return vt_ok();
}

static void ials_free(void *model)
{
    vt_ials_model_free(model);
    free(model);
}

static bool ials_progress(void *ctx, const struct vt_ials_progress *progress)
{
    const struct vt_algorithm_options *options = ctx;
    return options->progress(options->progress_ctx, progress->iteration, progress->iterations,
                             progress->loss);
}

static struct vt_err ials_train(const struct vt_sparse *matrix,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt_trained *ret_trained)
{
    struct vt_ials_model *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_ials_options ials = options->ials;
    ials.threads = options->threads;
    ials.seed = options->seed;
    ials.progress = options->progress != NULL ? ials_progress : NULL;
    ials.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    struct vt_err err = vt_ials_train(matrix, &ials, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "ials",
                        .self = model,
                        .scratch_bytes = ials_layout(model->dim).bytes,
                        .score = ials_score},
        .factors = model,
        .model = model,
        .free_model = ials_free,
    };
    return vt_ok();
}

/* ---- item-CF: the neighbours of the history, added up ---- */

static struct vt_err itemcf_score(const void *self, const struct vt_weighted_history *history,
                                  void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_neighbor_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

static void itemcf_free(void *model)
{
    vt_neighbor_model_free(model);
    free(model);
}

static struct vt_err itemcf_train(const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt_trained *ret_trained)
{
    struct vt_neighbor_model *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_neighbor_options neighbor = options->neighbor;
    neighbor.threads = options->threads;
    struct vt_err err = vt_neighbor_train(matrix, &neighbor, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "itemcf", .self = model, .score = itemcf_score},
        .model = model,
        .free_model = itemcf_free,
    };
    return vt_ok();
}

/* ---- popularity: the same list for everybody ---- */

struct popularity {
    uint32_t n_items;
    float counts[]; /* models/popularity/popularity.h */
};

static struct vt_err popularity_score(const void *self, const struct vt_weighted_history *history,
                                      void *scratch, double *ret_scores)
{
    const struct popularity *model = self;
    (void)history;
    (void)scratch;
    for (uint32_t item = 0; item < model->n_items; item++)
        ret_scores[item] = (double)model->counts[item];
    return vt_ok();
}

static struct vt_err popularity_train(const struct vt_sparse *matrix,
                                      const struct vt_algorithm_options *options,
                                      struct vt_diag *diag, struct vt_trained *ret_trained)
{
    (void)options;
    (void)diag;
    struct popularity *model =
        calloc(1, sizeof *model + (size_t)matrix->n_cols * sizeof model->counts[0]);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    model->n_items = matrix->n_cols;
    struct vt_err err = vt_popularity_train(matrix, model->counts);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "popularity", .self = model, .score = popularity_score},
        .model = model,
        .free_model = free,
    };
    return vt_ok();
}

/* ---- the table ---- */

#define IALS(field_) offsetof(struct vt_algorithm_options, ials.field_)
#define NEIGHBOR(field_) offsetof(struct vt_algorithm_options, neighbor.field_)

static const struct vt_algorithm algorithms[] = {
    {"ials",
     {{"factors", SETTING_U32, IALS(factors), 1, VT_FACTORS_MAX},
      {"iterations", SETTING_U32, IALS(iterations), 1, VT_IALS_ITERATIONS_MAX},
      {"regularization", SETTING_F64, IALS(regularization), 0, 1e6},
      {"regularization_exponent", SETTING_F64, IALS(regularization_exponent), 0, 2},
      {"unobserved_weight", SETTING_F64, IALS(unobserved_weight), 0, 1e6},
      {"init_stddev", SETTING_F64, IALS(init_stddev), 1e-9, 1e3}},
     ials_train},
    {"itemcf",
     {{"neighbors", SETTING_U32, NEIGHBOR(neighbors), 1, VT_NEIGHBORS_MAX},
      {"shrinkage", SETTING_F64, NEIGHBOR(shrinkage), 0, 1e6},
      {"user_items_max", SETTING_U32, NEIGHBOR(user_items_max), 0, UINT32_MAX}},
     itemcf_train},
    {"popularity", {{0}}, popularity_train},
};
enum { N_ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

/* Names joined by '|'. */
static const char *algorithm_choices(void)
{
    return "ials|itemcf|popularity";
}

const char *vt_algorithm_name(const struct vt_algorithm *algorithm)
{
    return algorithm->name;
}

const struct vt_algorithm *vt_algorithm_find(const char *name, struct vt_diag *diag)
{
    const char *names[N_ALGORITHMS];
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
        names[i] = algorithms[i].name;
    }
    const char *nearest = vt_nearest_name(name, names, N_ALGORITHMS);
    vt_diag_set(diag, "algorithm", "unknown algorithm '%s'%s%s%s; there are %s", name,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'" : "", algorithm_choices());
    return NULL;
}

static size_t setting_keys(const struct vt_algorithm *algorithm, const char *ret_keys[SETTINGS_MAX])
{
    size_t n = 0;
    while (n < SETTINGS_MAX && algorithm->settings[n].key != NULL) {
        ret_keys[n] = algorithm->settings[n].key;
        n++;
    }
    return n;
}

static struct vt_err refuse_key(const struct vt_algorithm *algorithm, const char *key,
                                struct vt_diag *diag)
{
    const char *keys[SETTINGS_MAX];
    size_t n = setting_keys(algorithm, keys);
    const char *nearest = vt_nearest_name(key, keys, n);
    char list[256] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", keys[i]);
    vt_diag_set(diag, key, "%s has no setting '%s'%s%s%s; it has:%s", algorithm->name, key,
                nearest != NULL ? ", did you mean '" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "'?" : "", n > 0 ? list : " none");
    return VT_ERR(VT_INVALID, "unknown setting");
}

static struct vt_err apply_value(const struct setting *setting, const char *text,
                                 struct vt_diag *diag, struct vt_algorithm_options *options)
{
    char *end;
    double value = strtod(text, &end);
    bool whole = setting->kind != SETTING_U32 || (isfinite(value) && floor(value) >= value);
    if (end == text || *end != '\0' || !whole || !(value >= setting->min) ||
        !(value <= setting->max)) {
        vt_diag_set(diag, setting->key, "'%s' is not a %s from %g to %g", text,
                    setting->kind == SETTING_U32 ? "whole number" : "number", setting->min,
                    setting->max);
        return VT_ERR(VT_INVALID, "a setting's value is out of range");
    }
    char *field = (char *)options + setting->offset;
    if (setting->kind == SETTING_U32)
        memcpy(field, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    else
        memcpy(field, &value, sizeof value);
    return vt_ok();
}

struct vt_err vt_algorithm_set(const struct vt_algorithm *algorithm, const char *key_value,
                               struct vt_diag *diag, struct vt_algorithm_options *options)
{
    char key[KEY_BYTES_MAX];
    const char *equals = strchr(key_value, '=');
    if (equals == NULL || equals == key_value || equals - key_value >= KEY_BYTES_MAX) {
        vt_diag_set(diag, "set", "'%s' is not key=value", key_value);
        return VT_ERR(VT_INVALID, "a setting is not key=value");
    }
    snprintf(key, sizeof key, "%.*s", (int)(equals - key_value), key_value);
    for (size_t i = 0; i < SETTINGS_MAX && algorithm->settings[i].key != NULL; i++)
        if (strcmp(algorithm->settings[i].key, key) == 0)
            return apply_value(&algorithm->settings[i], equals + 1, diag, options);
    return refuse_key(algorithm, key, diag);
}

struct vt_err vt_algorithm_train(const struct vt_algorithm *algorithm,
                                 const struct vt_sparse *matrix,
                                 const struct vt_algorithm_options *options, struct vt_diag *diag,
                                 struct vt_trained *ret_trained)
{
    return algorithm->train(matrix, options, diag, ret_trained);
}
