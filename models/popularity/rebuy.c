/*
 * Purchases sorted by item, customer and day; then one run of the list is one item, and one run of
 * that one customer. Gaps of an item are sorted for their median. Two passes over the items: the
 * first for the deviation and the share of all, which the second takes for its priors.
 */
#include "models/popularity/rebuy.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

struct bought {
    uint64_t user;
    uint32_t column;
    int32_t day;
};

/* What is known of an item before priors, or of all. */
struct counts {
    uint64_t n_gaps, n_buyers, n_came_back;
    double squares; /* Σ (ln gap − ln median)² */
    double median;
};

/* The gaps of one item; room for as many as there are purchases. */
struct gaps {
    double *days;
    uint64_t n;
};

void vt_rebuy_options_default(struct vt_rebuy_options *ret_options)
{
    *ret_options = (struct vt_rebuy_options){
        .gaps_min = 5, .prior_gaps = 5, .prior_buyers = 20, .deviation_min = .3};
}

void vt_rebuy_free(struct vt_rebuy *rebuy)
{
    if (rebuy == NULL)
        return;
    free(rebuy->values);
    *rebuy = (struct vt_rebuy){0};
}

static uint32_t find_column(const struct vt_dataset *dataset, uint32_t item)
{
    uint32_t low = 0, high = dataset->matrix.n_cols;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dataset->item_ids[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < dataset->matrix.n_cols && dataset->item_ids[low] == item;
    return found ? low : UINT32_MAX;
}

static int by_item_customer_day(const void *left, const void *right)
{
    const struct bought *a = left, *b = right;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    return (a->day > b->day) - (a->day < b->day);
}

static int by_size(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static uint64_t collect(const struct vt_interaction *interactions, uint64_t n,
                        const struct vt_dataset *dataset, struct bought *ret_bought)
{
    uint64_t n_bought = 0;
    for (uint64_t i = 0; i < n; i++) {
        const struct vt_interaction *event = &interactions[i];
        if (event->type != VT_EVENT_ORDER && event->type != VT_EVENT_PURCHASE)
            continue;
        uint32_t column = find_column(dataset, event->item);
        if (column != UINT32_MAX)
            ret_bought[n_bought++] =
                (struct bought){event->user, column, (int32_t)(event->time_ms / DAY_MS)};
    }
    qsort(ret_bought, (size_t)n_bought, sizeof *ret_bought, by_item_customer_day);
    return n_bought;
}

static void count_item(const struct bought *bought, uint64_t n, struct gaps *gaps,
                       struct counts *ret_counts)
{
    struct counts counts = {0};
    gaps->n = 0;
    for (uint64_t begin = 0, end; begin < n; begin = end) {
        uint64_t n_before = gaps->n;
        for (end = begin + 1; end < n && bought[end].user == bought[begin].user; end++)
            if (bought[end].day > bought[end - 1].day)
                gaps->days[gaps->n++] = (double)(bought[end].day - bought[end - 1].day);
        counts.n_buyers++;
        counts.n_came_back += gaps->n > n_before;
    }
    qsort(gaps->days, (size_t)gaps->n, sizeof *gaps->days, by_size);
    counts.n_gaps = gaps->n;
    if (gaps->n > 0)
        counts.median = .5 * (gaps->days[(gaps->n - 1) / 2] + gaps->days[gaps->n / 2]);
    for (uint64_t i = 0; i < gaps->n; i++) {
        double difference = log(gaps->days[i] / counts.median);
        counts.squares += difference * difference;
    }
    *ret_counts = counts;
}

/* NULL for `ret_values`: only adds to *all. */
static uint32_t each_item(const struct bought *bought, uint64_t n,
                          const struct vt_rebuy_options *options, struct gaps *gaps,
                          struct counts *all, float *ret_values)
{
    uint32_t n_rhythms = 0;
    for (uint64_t begin = 0, end; begin < n; begin = end) {
        struct counts item;
        for (end = begin + 1; end < n && bought[end].column == bought[begin].column;)
            end++;
        count_item(bought + begin, end - begin, gaps, &item);
        if (ret_values == NULL) {
            all->n_gaps += item.n_gaps;
            all->n_buyers += item.n_buyers;
            all->n_came_back += item.n_came_back;
            all->squares += item.squares;
            continue;
        }
        if (item.n_gaps < options->gaps_min || item.n_gaps == 0)
            continue;
        float *values = ret_values + (size_t)bought[begin].column * VT_REBUY_COLUMNS;
        double share = (double)all->n_came_back / (double)all->n_buyers;
        double variance =
            (item.squares + options->prior_gaps * all->squares / (double)all->n_gaps) /
            ((double)item.n_gaps + options->prior_gaps);
        values[VT_REBUY_MEDIAN] = (float)item.median;
        values[VT_REBUY_DEVIATION] = (float)fmax(sqrt(variance), options->deviation_min);
        values[VT_REBUY_SHARE] =
            (float)(((double)item.n_came_back + options->prior_buyers * share) /
                    ((double)item.n_buyers + options->prior_buyers));
        n_rhythms++;
    }
    return n_rhythms;
}

struct vt_err vt_rebuy_find(const struct vt_interaction *interactions, uint64_t n,
                            const struct vt_dataset *dataset,
                            const struct vt_rebuy_options *options, struct vt_rebuy *ret_rebuy)
{
    struct vt_rebuy rebuy = {0};
    struct counts all = {0};
    struct bought *bought = malloc(((size_t)n + 1) * sizeof *bought);
    struct gaps gaps = {.days = malloc(((size_t)n + 1) * sizeof *gaps.days)};
    rebuy.values =
        calloc((size_t)dataset->matrix.n_cols * VT_REBUY_COLUMNS + 1, sizeof *rebuy.values);
    bool memory = bought != NULL && gaps.days != NULL && rebuy.values != NULL;
    if (memory) {
        uint64_t n_bought = collect(interactions, n, dataset, bought);
        each_item(bought, n_bought, options, &gaps, &all, NULL);
        rebuy.n_rhythms = each_item(bought, n_bought, options, &gaps, &all, rebuy.values);
    }
    free(gaps.days);
    free(bought);
    if (!memory)
        vt_rebuy_free(&rebuy);
    VT_CHECK(memory, VT_EXHAUSTED, "out of memory for rhythms of purchases");
    *ret_rebuy = rebuy;
    return vt_ok();
}
