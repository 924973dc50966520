/*
 * Values far from the rest. Amounts of a shop spread over orders of magnitude, so distance is taken
 * on the logarithm, from the median, in units of the median absolute deviation (times 1.4826, which
 * makes it a standard deviation for a normal distribution): neither is moved by the outliers
 * themselves. Also: what is stale, since it looks at all times at once.
 */
#include "services/ingest/clean.h"

#include <math.h>
#include <stdlib.h>

enum { OUTLIER_VALUES_MIN = 100 }; /* fewer say nothing about what is usual */
static const double OUTLIER_DEVIATIONS = 6;
static const double MAD_TO_SIGMA = 1.4826;
/* Where most values are equal the deviation is near 0: then at least a factor of e^0.5 a step. */
static const double SIGMA_MIN = 0.5;
static const int64_t STALE_MS = INT64_C(2) * 365 * 24 * 3600 * 1000;

typedef double (*value_fn)(const struct vt_record *record); /* 0: none */

static double quantity_of(const struct vt_record *record)
{
    return record->kind == VT_RECORD_EVENT ? record->of.event->event.quantity : 0;
}

static double price_of(const struct vt_record *record)
{
    if (record->kind == VT_RECORD_EVENT)
        return record->of.event->price;
    return record->kind == VT_RECORD_ITEM ? record->of.item->item.price : 0;
}

static double revenue_of(const struct vt_record *record)
{
    return record->kind == VT_RECORD_EVENT ? record->of.event->event.revenue : 0;
}

static const struct {
    enum vt_rule rule;
    const char *field;
    value_fn value;
} outlier_rules[] = {
    {VT_RULE_QUANTITY_OUTLIER, "quantity", quantity_of},
    {VT_RULE_PRICE_OUTLIER, "price", price_of},
    {VT_RULE_REVENUE_OUTLIER, "revenue", revenue_of},
};

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Of three, so that values in order, and many equal ones, are no bad case. */
static double pivot_of(double first, double middle, double last)
{
    double low = first < middle ? first : middle, high = first < middle ? middle : first;
    return last < low ? low : last > high ? high : last;
}

/* Hoare's selection: the k-th smallest comes to values[k], nothing greater stands before it. Ten
 * times cheaper than sorting half a million. No NaN: a logarithm of what is above 0. */
static double select_nth(double *values, size_t n, size_t k)
{
    size_t first = 0, last = n - 1;
    while (first < last) {
        double pivot = pivot_of(values[first], values[first + (last - first) / 2], values[last]);
        size_t left = first, right = last;
        for (;;) {
            while (values[left] < pivot)
                left++;
            while (values[right] > pivot)
                right--;
            if (left >= right)
                break;
            swap(&values[left++], &values[right--]);
        }
        if (k <= right)
            last = right;
        else
            first = right + 1;
    }
    return values[k];
}

static double median(double *values, size_t n)
{
    double upper = select_nth(values, n, n / 2);
    if (n % 2 == 1)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < n / 2; i++)
        lower = values[i] > lower ? values[i] : lower;
    return (lower + upper) / 2;
}

/* `scratch` holds the logarithms; they are overwritten. */
static double robust_sigma(double *scratch, size_t n, double *ret_center)
{
    double center = median(scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(scratch[i] - center);
    double sigma = MAD_TO_SIGMA * median(scratch, n);
    *ret_center = center;
    return sigma > SIGMA_MIN ? sigma : SIGMA_MIN;
}

static void flag_outliers(struct vt_record_set *set, double *scratch, size_t rule)
{
    size_t n = 0;
    double center, value;
    for (size_t i = 0; i < set->n; i++)
        if (vt_clean_alive(&set->records[i]) &&
            (value = outlier_rules[rule].value(&set->records[i])) > 0)
            scratch[n++] = log(value);
    if (n < OUTLIER_VALUES_MIN)
        return;
    double sigma = robust_sigma(scratch, n, &center);
    for (size_t i = 0; i < set->n; i++) {
        struct vt_record *record = &set->records[i];
        value = outlier_rules[rule].value(record);
        if (value > 0 && vt_clean_alive(record) &&
            fabs(log(value) - center) > OUTLIER_DEVIATIONS * sigma)
            vt_record_flaw(set, record, outlier_rules[rule].rule, outlier_rules[rule].field,
                           (struct vt_slice){0});
    }
}

struct vt_err vt_clean_outliers(struct vt_record_set *set)
{
    double *scratch = malloc((set->n + 1) * sizeof *scratch);
    VT_CHECK(scratch != NULL, VT_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < sizeof outlier_rules / sizeof outlier_rules[0]; i++)
        flag_outliers(set, scratch, i);
    free(scratch);
    return vt_ok();
}

void vt_clean_times(struct vt_record_set *set)
{
    int64_t newest = 0;
    for (size_t i = 0; i < set->n; i++)
        if (set->records[i].kind == VT_RECORD_EVENT &&
            set->records[i].of.event->event.time_ms > newest)
            newest = set->records[i].of.event->event.time_ms;
    for (size_t i = 0; i < set->n; i++) {
        struct vt_record *record = &set->records[i];
        if (record->kind == VT_RECORD_EVENT && record->of.event->event.time_ms != 0 &&
            record->of.event->event.time_ms < newest - STALE_MS)
            vt_record_flag(record, VT_RULE_STALE_EVENT);
    }
}
