/*
 * The only file that knows XGBoost. The library is loaded by name when training begins and stays
 * loaded (it starts OpenMP, which does not like to be unloaded): programs that only serve neither
 * link nor load its five megabytes. Function types come from its header, so a signature that
 * changed does not compile. One thread, a seed, and the exact parameters in one place: same
 * examples, same trees.
 */
#include "models/rank/xgboost.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#define LIBRARY "libxgboost.so.0"
enum { PARAMETER_BYTES = 48, CONFIG_BYTES = 256 };

#define FUNCTIONS(X_)                                                                              \
    X_(XGBGetLastError)                                                                            \
    X_(XGBSetGlobalConfig)                                                                         \
    X_(XGDMatrixCreateFromDense)                                                                   \
    X_(XGDMatrixSetDenseInfo)                                                                      \
    X_(XGDMatrixFree)                                                                              \
    X_(XGBoosterCreate)                                                                            \
    X_(XGBoosterFree)                                                                              \
    X_(XGBoosterSetParam)                                                                          \
    X_(XGBoosterUpdateOneIter)                                                                     \
    X_(XGBoosterPredictFromDense)                                                                  \
    X_(XGBoosterSaveModelToBuffer)

static struct {
    bool loaded;
    char why[CONFIG_BYTES]; /* it could not be loaded */
#define MEMBER(name_) __typeof__(name_) *name_;
    FUNCTIONS(MEMBER)
#undef MEMBER
} library; /* written once, under `once` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

struct vt__booster {
    DMatrixHandle matrix;
    BoosterHandle handle;
};

/* ---- loading ---- */

static bool find(void *from, const char *name, void **ret_function)
{
    *ret_function = dlsym(from, name);
    if (*ret_function == NULL)
        snprintf(library.why, sizeof library.why, "%s has no %s", LIBRARY, name);
    return *ret_function != NULL;
}

static void load_once(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror();
        snprintf(library.why, sizeof library.why, "%s", why != NULL ? why : "cannot be loaded");
        return;
    }
    library.loaded = true;
    /* POSIX lets a function pointer be set through a void *. */
#define FIND(name_)                                                                                \
    library.loaded = library.loaded && find(handle, #name_, (void **)&library.name_);
    FUNCTIONS(FIND)
#undef FIND
    if (library.loaded)
        library.XGBSetGlobalConfig("{\"verbosity\": 0}");
}

struct vt_err vt__booster_check(struct vt_diag *diag)
{
    pthread_once(&once, load_once);
    if (library.loaded)
        return vt_ok();
    vt_diag_set(diag, "xgboost", "%s; training a ranker needs it: install libxgboost-dev",
                library.why);
    return VT_ERR(VT_UNAVAILABLE, "XGBoost cannot be loaded");
}

static struct vt_err judge(int status, struct vt_diag *diag)
{
    if (status == 0)
        return vt_ok();
    vt_diag_set(diag, "xgboost", "%.300s", library.XGBGetLastError());
    return VT_ERR(VT_INTERNAL, "XGBoost failed");
}

/* ---- training ---- */

/* A dense float matrix as XGBoost wants to be told of it. */
static void describe(const float *rows, uint32_t n_rows, uint32_t n_features,
                     char ret_text[CONFIG_BYTES])
{
    snprintf(ret_text, CONFIG_BYTES,
             "{\"data\": [%ju, true], \"shape\": [%u, %u], \"typestr\": \"<f4\", \"version\": 3}",
             (uintmax_t)(uintptr_t)rows, n_rows, n_features);
}

enum { TYPE_FLOAT = 1, TYPE_UINT32 = 3 }; /* of XGDMatrixSetDenseInfo */

static struct vt_err make_matrix(const struct vt_boost_examples *examples, struct vt_diag *diag,
                                 DMatrixHandle *ret_matrix)
{
    char rows[CONFIG_BYTES];
    describe(examples->features, examples->n_rows, examples->n_features, rows);
    VT_TRY(judge(
        library.XGDMatrixCreateFromDense(rows, "{\"missing\": NaN, \"nthread\": 1}", ret_matrix),
        diag));
    VT_TRY(judge(library.XGDMatrixSetDenseInfo(*ret_matrix, "label", examples->labels,
                                               examples->n_rows, TYPE_FLOAT),
                 diag));
    return judge(library.XGDMatrixSetDenseInfo(*ret_matrix, "group", examples->group_sizes,
                                               examples->n_groups, TYPE_UINT32),
                 diag);
}

static struct vt_err set_text(BoosterHandle handle, const char *name, const char *value,
                              struct vt_diag *diag)
{
    return judge(library.XGBoosterSetParam(handle, name, value), diag);
}

static struct vt_err set_number(BoosterHandle handle, const char *name, double value,
                                struct vt_diag *diag)
{
    char text[PARAMETER_BYTES];
    snprintf(text, sizeof text, "%.17g", value);
    return set_text(handle, name, text, diag);
}

static struct vt_err set_parameters(BoosterHandle handle, const struct vt_boost_options *options,
                                    struct vt_diag *diag)
{
    static const char *const fixed[][2] = {
        {"objective", "rank:ndcg"}, {"nthread", "1"},   {"tree_method", "hist"},
        {"base_score", "0"},        {"verbosity", "0"}, {"disable_default_eval_metric", "1"},
    };
    const struct {
        const char *name;
        double value;
    } chosen[] = {
        {"seed", (double)(options->seed & INT32_MAX)},
        {"max_depth", options->depth},
        {"eta", options->learning_rate},
        {"min_child_weight", options->leaf_weight},
        {"lambda", options->l2},
        {"subsample", options->row_share},
        {"colsample_bytree", options->feature_share},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        VT_TRY(set_text(handle, fixed[i][0], fixed[i][1], diag));
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
        VT_TRY(set_number(handle, chosen[i].name, chosen[i].value, diag));
    return vt_ok();
}

static struct vt_err run_rounds(struct vt__booster *booster, const struct vt_boost_options *options,
                                struct vt_diag *diag)
{
    VT_TRY(judge(library.XGBoosterCreate(&booster->matrix, 1, &booster->handle), diag));
    VT_TRY(set_parameters(booster->handle, options, diag));
    for (uint32_t round = 0; round < options->rounds; round++) {
        VT_TRY(judge(library.XGBoosterUpdateOneIter(booster->handle, (int)round, booster->matrix),
                     diag));
        if (options->progress != NULL &&
            !options->progress(options->progress_ctx, round + 1, options->rounds))
            return VT_ERR(VT_CANCELLED, "training the ranker was ended");
    }
    return vt_ok();
}

struct vt_err vt__booster_train(const struct vt_boost_examples *examples,
                                const struct vt_boost_options *options, struct vt_diag *diag,
                                struct vt__booster **ret_booster)
{
    VT_TRY(vt__booster_check(diag));
    struct vt__booster *booster = calloc(1, sizeof *booster);
    VT_CHECK(booster != NULL, VT_EXHAUSTED, "out of memory for the ranker");
    struct vt_err err = make_matrix(examples, diag, &booster->matrix);
    if (!vt_failed(err))
        err = run_rounds(booster, options, diag);
    if (vt_failed(err)) {
        vt__booster_free(booster);
        return err;
    }
    *ret_booster = booster;
    return vt_ok();
}

void vt__booster_free(struct vt__booster *booster)
{
    if (booster == NULL)
        return;
    if (booster->handle != NULL)
        library.XGBoosterFree(booster->handle);
    if (booster->matrix != NULL)
        library.XGDMatrixFree(booster->matrix);
    free(booster);
}

/* ---- what came out ---- */

struct vt_err vt__booster_predict(struct vt__booster *booster, const float *rows, uint32_t n_rows,
                                  uint32_t n_features, struct vt_diag *diag, float *ret_scores)
{
    static const char config[] =
        "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
        "\"strict_shape\": false, \"missing\": NaN, \"cache_id\": 0}";
    char text[CONFIG_BYTES];
    const bst_ulong *shape;
    bst_ulong n_dims;
    const float *scores;
    describe(rows, n_rows, n_features, text);
    VT_TRY(judge(library.XGBoosterPredictFromDense(booster->handle, text, config, NULL, &shape,
                                                   &n_dims, &scores),
                 diag));
    VT_CHECK(n_dims >= 1 && shape[0] == n_rows, VT_INTERNAL, "XGBoost gave other rows back");
    memcpy(ret_scores, scores, n_rows * sizeof *ret_scores);
    return vt_ok();
}

struct vt_err vt__booster_json(struct vt__booster *booster, struct vt_diag *diag,
                               const char **ret_text, size_t *ret_len)
{
    bst_ulong len;
    VT_TRY(judge(library.XGBoosterSaveModelToBuffer(booster->handle, "{\"format\": \"json\"}", &len,
                                                    ret_text),
                 diag));
    *ret_len = (size_t)len;
    return vt_ok();
}
