/*
 * The autoencoder as a family: the deep member, in the same table as all others. A bundle has no
 * place for its input side, so it is for evaluation and for mixing in offline.
 */
#include "models/algorithm/algorithm_internal.h"

#include <stdlib.h>

static struct vt_err autoencoder_score(const void *self, const struct vt_weighted_history *history,
                                       void *scratch, double *ret_scores)
{
    vt_autoencoder_score(self, history->columns, history->weights, history->n, scratch, ret_scores);
    return vt_ok();
}

static void autoencoder_free(void *model)
{
    vt_autoencoder_free(model);
    free(model);
}

static bool autoencoder_progress(void *ctx, const struct vt_autoencoder_progress *at)
{
    const struct vt_algorithm_options *options = ctx;
    return options->progress(options->progress_ctx, at->epoch, at->epochs, at->loss);
}

static struct vt_err autoencoder_train(const struct vt_sparse *matrix,
                                       const struct vt_algorithm_options *options,
                                       struct vt_diag *diag, struct vt_trained *ret_trained)
{
    struct vt_autoencoder *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_autoencoder_options autoencoder = options->autoencoder;
    autoencoder.threads = options->threads;
    autoencoder.seed = options->seed;
    autoencoder.progress = options->progress != NULL ? autoencoder_progress : NULL;
    autoencoder.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    struct vt_err err = vt_autoencoder_train(matrix, &autoencoder, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "autoencoder",
                        .self = model,
                        .scratch_bytes = vt_autoencoder_scratch_bytes(model->hidden),
                        .score = autoencoder_score},
        .model = model,
        .free_model = autoencoder_free,
    };
    return vt_ok();
}

static struct vt_need autoencoder_need(const struct vt_shape *shape,
                                       const struct vt_algorithm_options *options)
{
    const double pairs = (double)shape->n_users * (double)shape->n_items;
    struct vt_autoencoder_options autoencoder = options->autoencoder;
    autoencoder.threads = options->threads;
    return (struct vt_need){
        .memory_bytes = vt_autoencoder_memory_bytes(shape->n_users, shape->n_items,
                                                    shape->n_interactions, &autoencoder),
        .gflop = 6 * pairs * autoencoder.hidden * autoencoder.epochs / 1e9,
    };
}

#define AT(field_) offsetof(struct vt_algorithm_options, autoencoder.field_)

const struct vt__family vt__family_autoencoder = {
    .name = "autoencoder",
    .summary = "denoising autoencoder over the history, one hidden layer (for evaluation)",
    .settings =
        (const struct vt__setting[]){
            {"hidden", VT__SETTING_U32, AT(hidden), 1, VT_AUTOENCODER_HIDDEN_MAX, NULL},
            {"epochs", VT__SETTING_U32, AT(epochs), 1, VT_AUTOENCODER_EPOCHS_MAX, NULL},
            {"patience", VT__SETTING_U32, AT(patience), 0, VT_AUTOENCODER_EPOCHS_MAX, NULL},
            {"batch", VT__SETTING_U32, AT(batch), 1, VT_AUTOENCODER_BATCH_MAX, NULL},
            {"learning_rate", VT__SETTING_F64, AT(learning_rate), 1e-9, 1, NULL},
            {"weight_decay", VT__SETTING_F64, AT(weight_decay), 0, 1e3, NULL},
            {"dropout", VT__SETTING_F64, AT(dropout), 0, 0.999, NULL},
            {"user_exponent", VT__SETTING_F64, AT(user_exponent), 0, 2, NULL},
            {0}},
    .serves = false,
    .train = autoencoder_train,
    .need = autoencoder_need,
};
