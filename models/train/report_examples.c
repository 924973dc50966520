/*
 * A few customers and what the finished model would show them. One is drawn from each group by
 * length of history, by a hash of the customer's number and the seed, so that the next training
 * shows the same ones where they are still there. Nothing that names them is kept: only titles.
 */
#include "models/dataset/mix.h"
#include "models/index/top.h"
#include "models/train/report_data.h"
#include "models/train/served.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRATCH_ALIGNMENT = 16 };

/* ---- who ---- */

/* The row of the group whose hash is lowest; n_rows when the group is empty. */
static uint32_t draw(const struct vt_dataset *dataset, enum vt_report_customers group,
                     uint64_t seed)
{
    const struct vt_sparse *matrix = &dataset->matrix;
    uint32_t drawn = matrix->n_rows;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t row = 0; row < matrix->n_rows; row++) {
        uint64_t hash = vt_mix64(dataset->user_ids[row] + seed * VT_MIX64_STEP);
        if (vt_report_customers_of(matrix->starts[row + 1] - matrix->starts[row]) != group ||
            hash >= lowest)
            continue;
        lowest = hash;
        drawn = row;
    }
    return drawn;
}

static void name_item(const struct vt_catalog *catalog, uint32_t number,
                      char ret_title[VT_REPORT_TITLE_BYTES])
{
    const struct vt_catalog_item *item =
        catalog != NULL && catalog->n > 0 ? vt_catalog_find(catalog, number) : NULL;
    if (item != NULL && item->title.len + item->id.len > 0)
        vt_report_title(item->title.len > 0 ? item->title : item->id, ret_title);
    else
        snprintf(ret_title, VT_REPORT_TITLE_BYTES, "item %" PRIu32, number);
}

/* ---- what there is: the newest items of the customer ---- */

struct newest {
    uint32_t n;
    struct vt_interaction list[VT_REPORT_LIST_MAX]; /* newest first, each item once */
};

static void forget_item(struct newest *newest, uint32_t at)
{
    newest->n--;
    for (; at < newest->n; at++)
        newest->list[at] = newest->list[at + 1];
}

static void offer(struct newest *newest, const struct vt_interaction *interaction)
{
    for (uint32_t i = 0; i < newest->n; i++) {
        if (newest->list[i].item != interaction->item)
            continue;
        if (newest->list[i].time_ms >= interaction->time_ms)
            return;
        forget_item(newest, i);
    }
    uint32_t at = newest->n;
    while (at > 0 && newest->list[at - 1].time_ms < interaction->time_ms)
        at--;
    if (at == VT_REPORT_LIST_MAX)
        return;
    newest->n += newest->n < VT_REPORT_LIST_MAX;
    for (uint32_t i = newest->n - 1; i > at; i--)
        newest->list[i] = newest->list[i - 1];
    newest->list[at] = *interaction;
}

static void list_newest(const struct vt_train_input *input, const float *event_weights,
                        uint64_t user, struct newest *ret_newest)
{
    ret_newest->n = 0;
    for (uint64_t i = 0; i < input->n; i++) {
        const struct vt_interaction *one = &input->interactions[i];
        if (one->user == user && one->type < VT_EVENT_TYPE_COUNT && event_weights[one->type] > 0)
            offer(ret_newest, one);
    }
}

/* ---- what would be shown ---- */

static struct vt_err best_items(const struct vt_recommender *recommender,
                                const struct vt_sparse *matrix, uint32_t row, void *scratch,
                                double *scores, struct vt_top *top)
{
    const uint64_t start = matrix->starts[row], end = matrix->starts[row + 1];
    const struct vt_weighted_history history = {
        .columns = matrix->columns + start,
        .weights = matrix->values + start,
        .n = (uint32_t)(end - start),
    };
    VT_TRY(recommender->score(recommender->self, &history, scratch, scores));
    for (uint64_t e = start; e < end; e++)
        scores[matrix->columns[e]] = -INFINITY;
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        if (scores[item] > -INFINITY)
            vt_top_offer(top, (struct vt_index_hit){.score = scores[item], .row = item});
    vt_top_sort(top);
    return vt_ok();
}

static struct vt_err show(const struct vt_train_input *input,
                          const struct vt_recommender *recommender, uint32_t row, void *scratch,
                          double *scores, struct vt_train_result *result)
{
    const struct vt_dataset *dataset = &result->dataset;
    struct vt_report_example *example = &result->report.examples[result->report.n_examples];
    struct vt_index_hit hits[VT_REPORT_LIST_MAX];
    struct vt_top top = {.hits = hits, .capacity = VT_REPORT_LIST_MAX};
    struct newest newest;
    VT_TRY(best_items(recommender, &dataset->matrix, row, scratch, scores, &top));
    list_newest(input, result->view.event_weights, dataset->user_ids[row], &newest);
    example->n_history = dataset->matrix.starts[row + 1] - dataset->matrix.starts[row];
    for (uint32_t i = 0; i < newest.n; i++)
        name_item(input->catalog, newest.list[i].item, example->seen[example->n_seen++]);
    for (uint32_t i = 0; i < top.n; i++)
        name_item(input->catalog, dataset->item_ids[hits[i].row],
                  example->shown[example->n_shown++]);
    result->report.n_examples++;
    return vt_ok();
}

static struct vt_err show_all(const struct vt_train_input *input,
                              const struct vt_train_options *options,
                              const struct vt_recommender *recommender,
                              struct vt_train_result *result)
{
    const uint32_t n_rows = result->dataset.matrix.n_rows, n_cols = result->dataset.matrix.n_cols;
    const size_t bytes = recommender->scratch_bytes + SCRATCH_ALIGNMENT;
    void *scratch = aligned_alloc(SCRATCH_ALIGNMENT, bytes / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT);
    double *scores = malloc(((size_t)n_cols + 1) * sizeof *scores);
    struct vt_err err = scratch != NULL && scores != NULL
                            ? vt_ok()
                            : VT_ERR(VT_EXHAUSTED, "out of memory for the report");
    for (unsigned group = VT_REPORT_NEW; group < VT_REPORT_CUSTOMERS && !vt_failed(err); group++) {
        uint32_t row = draw(&result->dataset, (enum vt_report_customers)group,
                            options->algorithm_options.seed);
        if (row < n_rows)
            err = show(input, recommender, row, scratch, scores, result);
    }
    free(scratch);
    free(scores);
    return err;
}

struct vt_err vt__train_report_examples(const struct vt_train_input *input,
                                        const struct vt_train_options *options,
                                        struct vt_train_result *result)
{
    _Static_assert((int)VT_REPORT_CUSTOMERS - 1 <= (int)VT_REPORT_EXAMPLES_MAX,
                   "one of each group fits");
    const struct vt_dataset *dataset = &result->dataset;
    struct vt_served served;
    VT_TRY(vt_served_init(&served, &result->view, VT_SERVED_WHOLE, dataset->item_ids,
                          dataset->matrix.n_cols));
    const struct vt_recommender recommender = vt_served_recommender(&served);
    struct vt_err err = show_all(input, options, &recommender, result);
    vt_served_fini(&served);
    return err;
}
