/*
 * A version of the past is made by the same pipeline as any other and opened by the same reader,
 * with no search and nothing held out. Items that it has no row for are not in the table: whether
 * they were for sale then is not known, and newcomers would come from a thread of their own.
 */
#include "services/node/ranker_past.h"

#include "services/common/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the version ---- */

static struct vt_err apply_search(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                                  struct vt_train_options *options)
{
    if (input->settled->n_settings > 0)
        return vt_settled_apply(input->settled, diag, &options->algorithm,
                                &options->algorithm_options);
    return vt_ok();
}

static struct vt_err train(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                           struct vt_train_result *result)
{
    const struct vt_train_input known = {
        .interactions = input->known, .n = input->n_known, .catalog = input->catalog};
    struct vt_train_options options = *input->options;
    VT_TRY(apply_search(input, diag, &options));
    options.test_share = 0; /* the moment itself is what measures */
    options.parent = NULL;
    options.warm = false;
    options.checkpoint_dir = NULL;
    options.progress = NULL;
    options.notice = NULL;
    options.algorithm_options.ials.group = NULL;
    return vt_train_run(&known, &options, diag, result);
}

static struct vt_err write_version(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                                   struct vt_train_result *result)
{
    static const uint32_t starts[] = {0, 1}, leaf[VT_TREES_NODE_WORDS] = {0};
    static const float nothing[] = {0};
    struct vt_bundle_ranker silent = {
        .n_trees = 1, .starts = starts, .nodes = leaf, .values = nothing};
    vt_rank_features_all(&silent.features);
    result->view.ranker = input->ranker != NULL ? *input->ranker : silent;
    VT_TRY(vt_folder_create(input->folder, diag));
    return vt_train_store(input->folder, input->now_ms, true, diag, result);
}

/* ---- the items ---- */

static struct vt_err describe(struct vt_item_table *items, uint32_t number, float count,
                              const struct vt_catalog_item *known)
{
    char id[16];
    (void)snprintf(id, sizeof id, "%" PRIu32, number);
    struct vt_item item = {.number = number, .id = vt_slice_str(id), .stock = -1};
    if (known != NULL) {
        item.id = known->id;
        item.title = known->title;
        item.price = known->price;
        item.create_time_ms = known->create_time_ms;
        item.n_categories = known->n_categories;
        for (uint32_t c = 0; c < known->n_categories; c++)
            item.categories[c] = known->categories[c];
    }
    VT_TRY(vt_item_table_upsert(items, &item));
    vt_item_table_set_count(items, number, count);
    return vt_ok();
}

static struct vt_err fill_items(const struct vt_ranker_past_input *input,
                                const struct vt_bundle_view *view, struct vt_item_table *items)
{
    const struct vt_catalog none = {0};
    const struct vt_catalog *catalog = input->catalog != NULL ? input->catalog : &none;
    for (uint32_t row = 0; row < view->n_items; row++)
        if (view->item_numbers[row] !=
            0) /* of a file: a number that no store gives, so no candidate */
            VT_TRY(describe(items, view->item_numbers[row], view->popularity[row],
                            vt_catalog_find(catalog, view->item_numbers[row])));
    vt_item_table_refresh_popular(items);
    return vt_ok();
}

/* ---- the whole ---- */

static struct vt_err open_services(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                                   struct vt_ranker_past *past)
{
    VT_TRY(vt_bundle_set_open(input->folder, NULL, diag, &past->bundles));
    VT_TRY(vt_item_table_new(&past->items));
    struct vt_bundle *bundle = vt_bundle_set_current(past->bundles);
    VT_CHECK(bundle != NULL, VT_INTERNAL, "a version that was just written is not there");
    struct vt_err err = fill_items(input, vt_bundle_view(bundle), past->items);
    vt_bundle_release(bundle);
    VT_TRY(err);
    return vt_candidate_service_new(past->bundles, past->items, &past->clock.clock, NULL,
                                    &past->candidates);
}

static struct vt_err make(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                          struct vt_train_result *result, struct vt_ranker_past *past)
{
    past->folder = strdup(input->folder);
    VT_CHECK(past->folder != NULL, VT_EXHAUSTED, "out of memory for a version of the past");
    VT_TRY(vt_folder_remove(input->folder, diag)); /* what a killed training left */
    VT_TRY(train(input, diag, result));
    VT_TRY(write_version(input, diag, result));
    vt_train_result_free(result); /* the version is on disk: training's copy need not stay */
    return open_services(input, diag, past);
}

struct vt_err vt_ranker_past_open(const struct vt_ranker_past_input *input, struct vt_diag *diag,
                                  struct vt_ranker_past *ret)
{
    struct vt_train_result *result = calloc(1, sizeof *result);
    VT_CHECK(result != NULL, VT_EXHAUSTED, "out of memory for a version of the past");
    *ret = (struct vt_ranker_past){0};
    vt_clock_fake_init(&ret->clock, input->now_ms);
    struct vt_err err = make(input, diag, result, ret);
    vt_train_result_free(result);
    free(result);
    if (vt_failed(err))
        vt_ranker_past_close(ret);
    return err;
}

void vt_ranker_past_close(struct vt_ranker_past *past)
{
    vt_candidate_service_free(past->candidates);
    vt_item_table_free(past->items);
    vt_bundle_set_close(past->bundles);
    if (past->folder != NULL)
        vt_err_ignore(vt_folder_remove(past->folder, NULL), "the next training removes it");
    free(past->folder);
    *past = (struct vt_ranker_past){0};
}
