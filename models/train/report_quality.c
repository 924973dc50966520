/*
 * The measured model's answers, by customer and by item, for the report. Everything comes from the
 * lists and metrics that evaluation left by customer, so nothing is scored again. Intervals are
 * bootstraps over the customers of a segment; of very many customers fewer resamples say the same.
 */
#include "models/train/report_data.h"

#include <math.h>
#include <stdlib.h>

enum { RESAMPLES_MIN = 200, RESAMPLES_MAX = 1000, DRAWS_MAX = 200000000 };

/* Scratch over the measured customers and items; owned. */
struct work {
    const struct vt_sparse *train, *test;
    const struct vt_held_out *held_out;
    uint32_t k;
    struct vt_bootstrap_options bootstrap;
    double *values;      /* n_rows: what is averaged, NaN elsewhere */
    uint64_t *wanted;    /* n_cols: customers of the item in train */
    uint64_t *shown;     /* n_cols: lists with the item */
    uint32_t *by_wanted; /* n_cols: the items that train knows, the least wanted first */
    uint32_t n_known;
    unsigned char *class_of; /* n_cols: enum vt_report_items */
};

static uint64_t row_length(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->starts[row + 1] - matrix->starts[row];
}

static const uint32_t *list_of(const struct work *work, uint32_t row)
{
    return work->held_out->lists + (uint64_t)row * work->k;
}

/* ---- by customer ---- */

/* `segment` VT_REPORT_CUSTOMERS: everybody. */
static struct vt_err interval_of(const struct work *work, const double *metric, unsigned segment,
                                 struct vt_interval *ret_interval)
{
    for (uint32_t row = 0; row < work->test->n_rows; row++) {
        bool inside = segment == VT_REPORT_CUSTOMERS ||
                      vt_report_customers_of(row_length(work->train, row)) == segment;
        work->values[row] = inside ? metric[row] : (double)NAN;
    }
    return vt_bootstrap_mean(work->values, work->test->n_rows, &work->bootstrap, ret_interval);
}

static struct vt_err by_customer(const struct work *work, struct vt_report_measured *quality)
{
    const double *recall = work->held_out->recall, *ndcg = work->held_out->ndcg;
    for (unsigned segment = 0; segment <= VT_REPORT_CUSTOMERS; segment++) {
        struct vt_report_quality *to =
            segment == VT_REPORT_CUSTOMERS ? &quality->all : &quality->customers[segment];
        VT_TRY(interval_of(work, recall, segment, &to->recall));
        VT_TRY(interval_of(work, ndcg, segment, &to->ndcg));
    }
    return vt_ok();
}

/* ---- by item ---- */

static void count_items(struct work *work)
{
    for (uint64_t e = 0; e < work->train->n_entries; e++)
        work->wanted[work->train->columns[e]]++;
    for (uint32_t row = 0; row < work->test->n_rows; row++) {
        const uint32_t *list = list_of(work, row);
        for (uint32_t i = 0; i < work->k && list[i] != VT_EVAL_NO_ITEM; i++)
            work->shown[list[i]]++;
    }
}

static int less_wanted_first(const void *a, const void *b, void *counts)
{
    const uint64_t *wanted = counts;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (wanted[x] != wanted[y])
        return wanted[x] < wanted[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

static void order_items(struct work *work)
{
    for (uint32_t item = 0; item < work->train->n_cols; item++)
        if (work->wanted[item] > 0)
            work->by_wanted[work->n_known++] = item;
    qsort_r(work->by_wanted, work->n_known, sizeof *work->by_wanted, less_wanted_first,
            work->wanted);
}

static void class_items(struct work *work, struct vt_report_measured *quality)
{
    uint64_t before = 0;
    for (uint32_t item = 0; item < work->train->n_cols; item++)
        work->class_of[item] = VT_REPORT_TAIL;
    for (uint32_t i = work->n_known; i-- > 0;) {
        uint32_t item = work->by_wanted[i];
        uint64_t third = before * VT_REPORT_ITEMS / work->train->n_entries;
        work->class_of[item] = (unsigned char)third;
        quality->n_items[third]++;
        before += work->wanted[item];
    }
}

static bool listed(const struct work *work, uint32_t row, uint32_t item)
{
    const uint32_t *list = list_of(work, row);
    for (uint32_t i = 0; i < work->k && list[i] != VT_EVAL_NO_ITEM; i++)
        if (list[i] == item)
            return true;
    return false;
}

/* Hits / items of the class among what the customer did next; NaN without any. */
static double class_recall(const struct work *work, uint32_t row, unsigned class)
{
    uint64_t n = 0, hits = 0;
    for (uint64_t e = work->test->starts[row]; e < work->test->starts[row + 1]; e++) {
        if (work->class_of[work->test->columns[e]] != class)
            continue;
        n++;
        hits += listed(work, row, work->test->columns[e]);
    }
    return n > 0 ? (double)hits / (double)n : (double)NAN;
}

static struct vt_err by_item(const struct work *work, struct vt_report_measured *quality)
{
    for (unsigned class = 0; class < VT_REPORT_ITEMS; class ++) {
        for (uint32_t row = 0; row < work->test->n_rows; row++)
            work->values[row] = class_recall(work, row, class);
        VT_TRY(vt_bootstrap_mean(work->values, work->test->n_rows, &work->bootstrap,
                                 &quality->items[class]));
    }
    return vt_ok();
}

/* ---- what is favoured ---- */

static void share_by_decile(const struct work *work, const uint64_t *counts, double *ret_shares)
{
    uint64_t total = 0, sums[VT_REPORT_DECILES] = {0};
    for (uint32_t i = 0; i < work->n_known; i++) {
        uint64_t n = counts[work->by_wanted[i]];
        sums[(uint64_t)i * VT_REPORT_DECILES / work->n_known] += n;
        total += n;
    }
    for (unsigned i = 0; i < VT_REPORT_DECILES; i++)
        ret_shares[i] = total > 0 ? (double)sums[i] / (double)total : 0;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Over the items that train knows; sorts `counts` in place. With x_1 ≤ … ≤ x_n:
 * Σ (2 i − n − 1) x_i / (n Σ x). */
static double gini_in_place(uint64_t *counts, uint32_t n)
{
    double sum = 0, weighted = 0;
    qsort(counts, n, sizeof *counts, ascending);
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)counts[i];
        weighted += (2.0 * i + 1 - n) * (double)counts[i];
    }
    return sum > 0 ? weighted / (n * sum) : 0;
}

/* The last use of both counts: they are packed and sorted. */
static void find_favoured(struct work *work, struct vt_report_measured *quality)
{
    uint32_t n = 0;
    share_by_decile(work, work->wanted, quality->wanted);
    share_by_decile(work, work->shown, quality->shown);
    for (uint32_t item = 0; item < work->train->n_cols; item++)
        if (work->wanted[item] > 0) {
            work->wanted[n] = work->wanted[item];
            work->shown[n++] = work->shown[item];
        }
    quality->wanted_gini = gini_in_place(work->wanted, n);
    quality->shown_gini = gini_in_place(work->shown, n);
}

/* ---- all of it ---- */

static struct vt_err work_init(struct work *work)
{
    const size_t n_rows = work->test->n_rows, n_cols = work->train->n_cols;
    work->values = calloc(n_rows + 1, sizeof *work->values);
    work->wanted = calloc(n_cols + 1, sizeof *work->wanted);
    work->shown = calloc(n_cols + 1, sizeof *work->shown);
    work->by_wanted = calloc(n_cols + 1, sizeof *work->by_wanted);
    work->class_of = calloc(n_cols + 1, sizeof *work->class_of);
    VT_CHECK(work->values != NULL && work->wanted != NULL && work->shown != NULL &&
                 work->by_wanted != NULL && work->class_of != NULL,
             VT_EXHAUSTED, "out of memory for the report");
    return vt_ok();
}

static void work_fini(struct work *work)
{
    free(work->values);
    free(work->wanted);
    free(work->shown);
    free(work->by_wanted);
    free(work->class_of);
}

static void choose_resamples(struct work *work, const struct vt_train_options *options)
{
    uint32_t resamples = DRAWS_MAX / (work->test->n_rows + 1);
    vt_bootstrap_options_default(&work->bootstrap);
    work->bootstrap.resamples = resamples < RESAMPLES_MIN   ? RESAMPLES_MIN
                                : resamples > RESAMPLES_MAX ? RESAMPLES_MAX
                                                            : resamples;
    work->bootstrap.seed = options->algorithm_options.seed;
    work->bootstrap.threads = options->algorithm_options.threads;
}

static struct vt_err measure_all(struct work *work, struct vt_report_measured *quality)
{
    VT_TRY(work_init(work));
    VT_TRY(by_customer(work, quality));
    count_items(work);
    order_items(work);
    class_items(work, quality);
    VT_TRY(by_item(work, quality));
    find_favoured(work, quality);
    return vt_ok();
}

struct vt_err vt__train_report_quality(const struct vt_held_out *held_out,
                                       const struct vt_train_options *options,
                                       struct vt_report_measured *ret_quality)
{
    struct vt_report_measured quality = {.k = options->k};
    struct work work = {.train = &held_out->split.train,
                        .test = &held_out->split.test,
                        .held_out = held_out,
                        .k = options->k};
    choose_resamples(&work, options);
    struct vt_err err = measure_all(&work, &quality);
    work_fini(&work);
    if (!vt_failed(err))
        *ret_quality = quality;
    return err;
}
