/* Rhythms of purchases by hand, and random shops against a naive count. */
#include "models/popularity/rebuy.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
enum { ITEM = 10, EVENTS_MAX = 400 };

static struct vt_interaction bought(uint64_t user, uint32_t item, int64_t day)
{
    return (struct vt_interaction){.user = user,
                                   .item = item,
                                   .type = VT_EVENT_PURCHASE,
                                   .value = 1,
                                   .time_ms = (INT64_C(19000) + day) * DAY_MS};
}

static struct vt_rebuy find(const struct vt_interaction *events, uint64_t n,
                            const struct vt_rebuy_options *options, struct vt_dataset *dataset)
{
    struct vt_dataset_options how;
    struct vt_rebuy rebuy = {0};
    vt_dataset_options_default(&how);
    how.event_weights[VT_EVENT_PURCHASE] = 1;
    how.event_weights[VT_EVENT_VIEW] = 1;
    assert_ok(vt_dataset_build(events, n, &how, NULL, dataset));
    assert_ok(vt_rebuy_find(events, n, dataset, options, &rebuy));
    return rebuy;
}

/* Gaps 10, 20 and 40; two of four buyers came back. */
static const struct vt_interaction shop[] = {
    {.user = 9, .item = ITEM, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 19000 * DAY_MS},
    {.user = 1, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19050 * DAY_MS},
    {.user = 1, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19000 * DAY_MS},
    {.user = 1, .item = ITEM, .type = VT_EVENT_ORDER, .value = 1, .time_ms = 19010 * DAY_MS},
    {.user = 1, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19010 * DAY_MS + 9},
    {.user = 2, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19000 * DAY_MS},
    {.user = 2, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19020 * DAY_MS},
    {.user = 3, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19000 * DAY_MS},
    {.user = 4, .item = ITEM, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 19000 * DAY_MS},
};
enum { SHOP_EVENTS = sizeof shop / sizeof shop[0] };

static void the_rhythm_is_the_median_of_days_between(void **state)
{
    (void)state;
    struct vt_dataset dataset;
    const struct vt_rebuy_options bare = {.gaps_min = 3};
    struct vt_rebuy rebuy = find(shop, SHOP_EVENTS, &bare, &dataset);
    assert_int_equal(rebuy.n_rhythms, 1);
    assert_float_equal(rebuy.values[VT_REBUY_MEDIAN], 20, 0);
    assert_float_equal(rebuy.values[VT_REBUY_DEVIATION], sqrt(2 * log(2) * log(2) / 3), 1e-6);
    assert_float_equal(rebuy.values[VT_REBUY_SHARE], .5, 1e-7);
    vt_rebuy_free(&rebuy);
    vt_dataset_free(&dataset);
}

static void too_few_gaps_are_no_rhythm(void **state)
{
    (void)state;
    struct vt_dataset dataset;
    const struct vt_rebuy_options strict = {.gaps_min = 4};
    struct vt_rebuy rebuy = find(shop, SHOP_EVENTS, &strict, &dataset);
    assert_int_equal(rebuy.n_rhythms, 0);
    assert_float_equal(rebuy.values[VT_REBUY_MEDIAN], 0, 0);
    vt_rebuy_free(&rebuy);
    vt_dataset_free(&dataset);
}

static void a_regular_item_has_the_least_deviation(void **state)
{
    (void)state;
    struct vt_dataset dataset;
    struct vt_interaction events[12];
    struct vt_rebuy_options options;
    vt_rebuy_options_default(&options);
    for (int i = 0; i < 12; i++)
        events[i] = bought(1, ITEM, INT64_C(7) * i);
    struct vt_rebuy rebuy = find(events, 12, &options, &dataset);
    assert_float_equal(rebuy.values[VT_REBUY_MEDIAN], 7, 0);
    assert_float_equal(rebuy.values[VT_REBUY_DEVIATION], .3, 1e-7);
    vt_rebuy_free(&rebuy);
    vt_dataset_free(&dataset);
}

/* ---- against a naive count ---- */

static int by_size(const void *left, const void *right)
{
    const int *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* The median of days between purchases of the item, by looking at every pair. */
static double naive_median(const struct vt_interaction *events, int n, uint32_t item, int *ret_n)
{
    static int gaps[EVENTS_MAX];
    int n_gaps = 0;
    for (int i = 0; i < n; i++) {
        int64_t next = INT64_MAX, day = events[i].time_ms / DAY_MS;
        bool first_of_day = true;
        for (int j = 0; j < n; j++) {
            int64_t other = events[j].time_ms / DAY_MS;
            if (events[j].item != item || events[j].user != events[i].user)
                continue;
            first_of_day = first_of_day && !(other == day && j < i);
            if (other > day && other < next)
                next = other;
        }
        if (events[i].item == item && first_of_day && next != INT64_MAX)
            gaps[n_gaps++] = (int)(next - day);
    }
    qsort(gaps, (size_t)n_gaps, sizeof gaps[0], by_size);
    *ret_n = n_gaps;
    const int low = (n_gaps - 1) / 2, high = n_gaps / 2;
    return n_gaps > 0 ? .5 * (gaps[low] + gaps[high]) : 0;
}

static void random_shops_equal_the_naive_count(void **state)
{
    (void)state;
    static struct vt_interaction events[EVENTS_MAX];
    unsigned random = 1;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < EVENTS_MAX; i++) {
            random = random * 1103515245 + 12345;
            events[i] = bought(random >> 8 & 7, 1 + (random >> 16 & 7), random >> 20 & 127);
        }
        struct vt_dataset dataset;
        const struct vt_rebuy_options bare = {.gaps_min = 1};
        struct vt_rebuy rebuy = find(events, EVENTS_MAX, &bare, &dataset);
        for (uint32_t column = 0; column < dataset.matrix.n_cols; column++) {
            int n_gaps = 0;
            double median = naive_median(events, EVENTS_MAX, dataset.item_ids[column], &n_gaps);
            assert_true(n_gaps > 0);
            assert_float_equal(rebuy.values[column * VT_REBUY_COLUMNS], median, 1e-6);
        }
        vt_rebuy_free(&rebuy);
        vt_dataset_free(&dataset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rhythm_is_the_median_of_days_between),
        cmocka_unit_test(too_few_gaps_are_no_rhythm),
        cmocka_unit_test(a_regular_item_has_the_least_deviation),
        cmocka_unit_test(random_shops_equal_the_naive_count),
    };
    return cmocka_run_group_tests_name("popularity/rebuy", tests, NULL, NULL);
}
