/*
 * EASE as a family: a linear model of items in closed form, served as an item-item kernel.
 */
#include "models/algorithm/algorithm_internal.h"
#include "models/algorithm/ease_search.h"

#include <stdio.h>
#include <stdlib.h>

static struct vt_err ease_score(const void *self, const struct vt_weighted_history *history,
                                void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_item_kernel_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

static void ease_free(void *model)
{
    vt_item_kernel_free(model);
    free(model);
}

/* There is no loss to tell of before the end: 0. */
static bool ease_progress(void *ctx, uint32_t done, uint32_t total)
{
    const struct vt_algorithm_options *options = ctx;
    return options->progress(options->progress_ctx, done, total, 0);
}

static struct vt_ease_options ease_options(const struct vt_algorithm_options *options)
{
    struct vt_ease_options ease = options->ease;
    ease.threads = options->threads;
    ease.memory_bytes = options->memory_bytes;
    ease.progress = options->progress != NULL ? ease_progress : NULL;
    ease.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    return ease;
}

/* Why the model is as it is, for people. */
static void ease_note(const struct vt_sparse *matrix, const struct vt_ease_options *ease,
                      const struct vt__ease_regularization *chosen, char *note, size_t note_bytes)
{
    struct vt_ease_plan plan =
        vt_ease_plan(matrix->n_rows, matrix->n_cols, matrix->n_entries, ease);
    const char *form = plan.form == VT_EASE_ITEMS ? "inverse of all items"
                                                  : "each item fitted on those that go with it";
    int n = snprintf(
        note, note_bytes, "%s (%.2g %% of all pairs are known), regularization %.4g", form,
        100.0 * (double)matrix->n_entries / (double)matrix->n_rows / (double)matrix->n_cols,
        ease->regularization);
    if (chosen->n_tried > 0 && n > 0 && (size_t)n < note_bytes)
        snprintf(note + n, note_bytes - (size_t)n,
                 ", the best of %u tried (ndcg %.4f on a part held out)", chosen->n_tried,
                 chosen->ndcg);
}

static struct vt_err ease_train(const struct vt_sparse *matrix,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt_trained *ret_trained)
{
    struct vt_item_kernel *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_ease_options ease = ease_options(options);
    struct vt__ease_regularization chosen = {.value = ease.regularization};
    struct vt_err err = vt_ok();
    if (!(ease.regularization > 0) && matrix->n_entries > 0)
        err = vt__ease_choose_regularization(matrix, &ease, options->seed, diag, &chosen);
    ease.regularization = chosen.value;
    if (!vt_failed(err))
        err = vt_ease_train(matrix, &ease, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "ease", .self = model, .score = ease_score},
        .kernel = model,
        .mix = {.weight = {[VT_MEMBER_KERNEL] = 1}},
        .model = model,
        .free_model = ease_free,
    };
    ease_note(matrix, &ease, &chosen, ret_trained->note, sizeof ret_trained->note);
    return vt_ok();
}

static struct vt_need ease_need(const struct vt_shape *shape,
                                const struct vt_algorithm_options *options)
{
    struct vt_ease_options ease = ease_options(options);
    struct vt_ease_plan plan =
        vt_ease_plan(shape->n_users, shape->n_items, shape->n_interactions, &ease);
    struct vt_need need = {.memory_bytes = plan.memory_bytes, .gflop = plan.gflop};
    if (!(ease.regularization > 0)) {
        struct vt_ease_plan search =
            vt__ease_search_plan(shape->n_users, shape->n_items, shape->n_interactions, &ease);
        need.gflop += search.gflop;
        if (search.memory_bytes > need.memory_bytes)
            need.memory_bytes = search.memory_bytes;
    }
    return need;
}

#define AT(field_) offsetof(struct vt_algorithm_options, ease.field_)

const struct vt__family vt__family_ease = {
    .name = "ease",
    .summary = "linear model of items in closed form",
    .settings =
        (const struct vt__setting[]){
            {"regularization", VT__SETTING_F64, AT(regularization), 0, 1e9, NULL},
            {"dropout", VT__SETTING_F64, AT(dropout), 0, 0.999, NULL},
            {"user_exponent", VT__SETTING_F64, AT(user_exponent), 0, 2, NULL},
            {"popularity_exponent", VT__SETTING_F64, AT(popularity_exponent), -2, 2, NULL},
            {"neighbors", VT__SETTING_U32, AT(neighbors), 1, VT_EASE_NEIGHBORS_MAX, NULL},
            {"support", VT__SETTING_U32, AT(support), 1, VT_EASE_SUPPORT_MAX, NULL},
            {"form", VT__SETTING_CHOICE, AT(form), 0, 0, "auto|items|near"},
            {0}},
    .serves = true,
    .train = ease_train,
    .need = ease_need,
};
