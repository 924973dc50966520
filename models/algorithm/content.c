/*
 * Content as a family: cosine of TF-IDF between what the customer touched and every item. Knows
 * nothing of other customers, which makes it the measure of what texts alone can say, and the one
 * that finds items nobody has touched. For evaluation: serving takes the texts through the map to
 * factors (models/content/map.h).
 */
#include "models/algorithm/algorithm_internal.h"
#include "models/content/space.h"

#include <stdlib.h>
#include <string.h>

struct content {
    struct vt_content_model texts;
    struct vt_sparse items; /* items × terms */
};

/* The customer's own vector of terms, then its product with each item's. */
static struct vt_err content_score(const void *self, const struct vt_weighted_history *history,
                                   void *scratch, double *ret_scores)
{
    const struct content *model = self;
    const struct vt_sparse *items = &model->items;
    double *taste = scratch;
    memset(taste, 0, items->n_cols * sizeof *taste);
    for (uint32_t i = 0; i < history->n; i++) {
        uint32_t row = history->columns[i];
        for (uint64_t e = items->starts[row]; e < items->starts[row + 1]; e++)
            taste[items->columns[e]] += (double)history->weights[i] * (double)items->values[e];
    }
    for (uint32_t row = 0; row < items->n_rows; row++) {
        ret_scores[row] = 0;
        for (uint64_t e = items->starts[row]; e < items->starts[row + 1]; e++)
            ret_scores[row] += taste[items->columns[e]] * (double)items->values[e];
    }
    return vt_ok();
}

static void content_free(void *self)
{
    struct content *model = self;
    vt_content_model_free(&model->texts);
    vt_sparse_free(&model->items);
    free(model);
}

static struct vt_err read_items(const struct vt_algorithm_options *options, uint32_t n_items,
                                struct vt_diag *diag, struct content *model)
{
    struct vt_content_reader *reader = NULL;
    VT_TRY(vt_content_train(options->catalog, &options->content, diag, &model->texts));
    VT_TRY(vt_content_reader_new(model->texts.language, diag, &reader));
    struct vt_err err = vt_content_matrix(reader, &model->texts.space, options->catalog,
                                          options->item_ids, n_items, &model->items);
    vt_content_reader_free(reader);
    return err;
}

static struct vt_err content_train(const struct vt_sparse *matrix,
                                   const struct vt_algorithm_options *options, struct vt_diag *diag,
                                   struct vt_trained *ret_trained)
{
    if (options->catalog == NULL || options->catalog->n == 0 || options->item_ids == NULL) {
        vt_diag_set(diag, "algorithm",
                    "content goes by the catalog's texts, and there are none: "
                    "evaluate --data DIR of a store whose items are described");
        return VT_ERR(VT_INVALID, "there are no texts to learn from");
    }
    struct content *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_err err = read_items(options, matrix->n_cols, diag, model);
    if (vt_failed(err)) {
        content_free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "content",
                        .self = model,
                        .scratch_bytes = ((size_t)model->items.n_cols + 1) * sizeof(double),
                        .score = content_score},
        .model = model,
        .free_model = content_free,
    };
    return vt_ok();
}

/* Titles of some 16 words. */
static struct vt_need content_need(const struct vt_shape *shape,
                                   const struct vt_algorithm_options *options)
{
    (void)options;
    return (struct vt_need){.memory_bytes = 64 * 16 * shape->n_items,
                            .gflop = 1e-6 * (double)shape->n_items};
}

const struct vt__family vt__family_content = {
    .name = "content",
    .summary = "what is written about items: cosine of TF-IDF",
    .settings =
        (const struct vt__setting[]){{"terms", VT__SETTING_U32,
                                      offsetof(struct vt_algorithm_options, content.terms_max), 1,
                                      VT_CONTENT_TERMS_MAX, NULL},
                                     {0}},
    .serves = false,
    .train = content_train,
    .need = content_need,
};
