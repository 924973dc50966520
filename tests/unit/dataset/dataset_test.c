#include "models/dataset/dataset.h"
#include "models/dataset/history.h"
#include "models/dataset/interactions.h"
#include "models/dataset/split.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

#define DAY INT64_C(86400000)

static struct vt_dataset_options plain_options(void)
{
    struct vt_dataset_options options = {0};
    options.event_weights[VT_EVENT_VIEW] = 1;
    options.event_weights[VT_EVENT_PURCHASE] = 5;
    options.event_weights[VT_EVENT_RETURN] = -5;
    return options;
}

static const struct vt_interaction events[] = {
    {.user = 70, .item = 9, .type = VT_EVENT_VIEW, .time_ms = 1 * DAY},
    {.user = 5, .item = 3, .type = VT_EVENT_VIEW, .time_ms = 2 * DAY},
    {.user = 70, .item = 3, .type = VT_EVENT_PURCHASE, .time_ms = 3 * DAY},
    {.user = 70, .item = 9, .type = VT_EVENT_VIEW, .time_ms = 3 * DAY},
    {.user = 5, .item = 11, .type = VT_EVENT_PURCHASE, .time_ms = 4 * DAY},
    {.user = 5, .item = 11, .type = VT_EVENT_RETURN, .time_ms = 5 * DAY},
};
enum { N_EVENTS = sizeof events / sizeof events[0] };

static void build_sums_repeats_and_drops_what_is_not_above_zero(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    struct vt_dataset dataset;
    assert_ok(vt_dataset_build(events, N_EVENTS, &options, NULL, &dataset));
    assert_int_equal(dataset.matrix.n_rows, 2);
    assert_int_equal(dataset.matrix.n_cols, 3);
    assert_int_equal(dataset.user_ids[0], 5);
    assert_int_equal(dataset.item_ids[2], 11);
    assert_int_equal(dataset.matrix.n_entries, 3);
    assert_int_equal(dataset.matrix.starts[1], 1);
    assert_float_equal(dataset.matrix.values[1], 5, 0); /* user 70, item 3 */
    assert_float_equal(dataset.matrix.values[2], 2, 0); /* user 70, item 9, twice */
    assert_true(dataset.first_time_ms == DAY && dataset.last_time_ms == 5 * DAY);
    vt_dataset_free(&dataset);
}

static void build_keeps_the_newest_events_of_each_user(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    options.history_max = 1;
    struct vt_dataset dataset;
    assert_ok(vt_dataset_build(events, N_EVENTS, &options, NULL, &dataset));
    assert_int_equal(dataset.matrix.n_entries, 1); /* the return weighs below 0 */
    assert_int_equal(dataset.item_ids[dataset.matrix.columns[0]], 9); /* later place wins a tie */
    vt_dataset_free(&dataset);
}

static void build_decays_by_age_from_the_users_newest_event(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    options.decay_half_life_days = 2;
    struct vt_dataset dataset;
    assert_ok(vt_dataset_build(events, N_EVENTS, &options, NULL, &dataset));
    assert_float_equal(dataset.matrix.values[dataset.matrix.n_entries - 1], 1.5, 1e-6);
    vt_dataset_free(&dataset);
}

static void build_refuses_nothing_and_weights_that_are_not_finite(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    struct vt_dataset dataset;
    struct vt_diag diag = {0};
    assert_code(vt_dataset_build(events, 0, &options, &diag, &dataset), VT_INVALID);
    options.event_weights[VT_EVENT_VIEW] = NAN;
    assert_code(vt_dataset_build(events, N_EVENTS, &options, &diag, &dataset), VT_INVALID);
    assert_non_null(strstr(diag.text, "view"));
}

static void defaults_weigh_a_purchase_above_a_view_and_decay_nothing(void **state)
{
    (void)state;
    struct vt_dataset_options options;
    struct vt_dataset dataset;
    vt_dataset_options_default(&options);
    assert_ok(vt_dataset_build(events, N_EVENTS, &options, NULL, &dataset));
    const struct vt_sparse *matrix = &dataset.matrix; /* row 1 is user 70: a purchase, two views */
    const float *row = matrix->values + matrix->starts[1];
    assert_float_equal(row[0], vt_event_type_default_weight(VT_EVENT_PURCHASE), 0);
    assert_float_equal(row[1], 2 * vt_event_type_default_weight(VT_EVENT_VIEW), 0);
    assert_true(row[0] > row[1]);
    vt_dataset_free(&dataset);
}

static void transpose_twice_is_the_same_matrix(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    struct vt_dataset dataset;
    struct vt_sparse once, twice;
    assert_ok(vt_dataset_build(events, N_EVENTS, &options, NULL, &dataset));
    assert_ok(vt_sparse_transpose(&dataset.matrix, &once));
    assert_ok(vt_sparse_transpose(&once, &twice));
    assert_memory_equal(twice.starts, dataset.matrix.starts, 3 * sizeof *twice.starts);
    assert_memory_equal(twice.columns, dataset.matrix.columns, 3 * sizeof *twice.columns);
    assert_memory_equal(twice.values, dataset.matrix.values, 3 * sizeof *twice.values);
    vt_sparse_free(&once);
    vt_sparse_free(&twice);
    vt_dataset_free(&dataset);
}

static void history_weighs_as_training_does(void **state)
{
    (void)state;
    struct vt_dataset_options options = plain_options();
    options.decay_half_life_days = 2;
    const struct vt_history_event newest_first[] = {
        {.item = 9, .type = VT_EVENT_VIEW, .time_ms = 3 * DAY},
        {.item = 3, .type = VT_EVENT_PURCHASE, .time_ms = 3 * DAY},
        {.item = 9, .type = VT_EVENT_VIEW, .time_ms = 1 * DAY},
    };
    uint32_t items[3], n_disliked = 1;
    float weights[3];
    const struct vt_event_weighing weighing = vt_dataset_weighing(&options);
    assert_int_equal(vt_history_merge(newest_first, 3, &weighing, items, weights, &n_disliked), 2);
    assert_int_equal(items[0], 9);
    assert_float_equal(weights[0], 1.5, 1e-6);
    assert_float_equal(weights[1], 5, 1e-6);
    assert_int_equal(n_disliked, 0);
}

static struct vt_dataset_options opinionated_options(void)
{
    struct vt_dataset_options options;
    vt_dataset_options_default(&options);
    options.decay_half_life_days = 3;
    return options;
}

/* The weight that both sides give to item 7 of one customer; they must agree to the bit. */
static float weigh(const struct vt_interaction *list, uint32_t n,
                   const struct vt_dataset_options *options)
{
    struct vt_history_event history[16];
    uint32_t items[16], n_disliked = 0;
    float weights[16], weight = 0;
    struct vt_dataset dataset;
    for (uint32_t i = 0; i < n; i++)
        history[n - 1 - i] = (struct vt_history_event){.item = list[i].item,
                                                       .type = list[i].type,
                                                       .value = list[i].value,
                                                       .time_ms = list[i].time_ms};
    const struct vt_event_weighing weighing = vt_dataset_weighing(options);
    uint32_t n_liked = vt_history_merge(history, n, &weighing, items, weights, &n_disliked);
    assert_ok(vt_dataset_build(list, n, options, NULL, &dataset));
    assert_int_equal(dataset.matrix.n_entries, n_liked + n_disliked);
    for (uint32_t i = 0; i < n_liked + n_disliked; i++) {
        assert_true(i < n_liked ? weights[i] > 0 : weights[i] < 0);
        for (uint64_t e = 0; e < dataset.matrix.n_entries; e++)
            if (dataset.item_ids[dataset.matrix.columns[e]] == items[i])
                assert_float_equal(dataset.matrix.values[e], weights[i], 0);
        if (items[i] == 7)
            weight = weights[i];
    }
    vt_dataset_free(&dataset);
    return weight;
}

static void value_enters_by_its_exponent_on_both_sides(void **state)
{
    (void)state;
    struct vt_dataset_options options;
    vt_dataset_options_default(&options);
    options.event_weights[VT_EVENT_PURCHASE] = 2;
    struct vt_interaction bought = {
        .user = 1, .item = 7, .type = VT_EVENT_PURCHASE, .value = 9, .time_ms = DAY};
    assert_float_equal(weigh(&bought, 1, &options), 2, 0); /* nobody asked for it */
    options.value_exponents[VT_EVENT_PURCHASE] = 0.5F;
    assert_float_equal(weigh(&bought, 1, &options), 6, 1e-6);
    options.value_exponents[VT_EVENT_PURCHASE] = 1;
    assert_float_equal(weigh(&bought, 1, &options), 18, 1e-6);
    static const float no_values[] = {0, -3, NAN};
    for (size_t i = 0; i < sizeof no_values / sizeof no_values[0]; i++) {
        bought.value = no_values[i];
        assert_float_equal(weigh(&bought, 1, &options), 2, 0);
    }
    bought.value = INFINITY;
    assert_true(weigh(&bought, 1, &options) <= (float)(2 * VT_AMOUNT_MAX));
}

static void few_stars_are_no_weak_dislike(void **state)
{
    (void)state;
    struct vt_dataset_options options;
    vt_dataset_options_default(&options);
    struct vt_interaction rated = {
        .user = 1, .item = 7, .type = VT_EVENT_RATING, .value = 0.5F, .time_ms = DAY};
    const float before = weigh(&rated, 1, &options);
    options.value_exponents[VT_EVENT_RATING] = options.value_exponents[VT_EVENT_DISLIKE] = 1;
    assert_float_equal(weigh(&rated, 1, &options), before, 0);
    assert_true(before < 0);
}

static void exponents_outside_0_to_1_are_refused(void **state)
{
    (void)state;
    static const float wrong[] = {-0.1F, 1.1F, NAN, INFINITY};
    struct vt_dataset dataset;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vt_dataset_options options = plain_options();
        struct vt_diag diag = {0};
        options.value_exponents[VT_EVENT_PURCHASE] = wrong[i];
        assert_code(vt_dataset_build(events, N_EVENTS, &options, &diag, &dataset), VT_INVALID);
        assert_non_null(strstr(diag.text, "purchase"));
    }
}

static void dislike_stands_against_all_behaviour(void **state)
{
    (void)state;
    struct vt_dataset_options options = opinionated_options();
    const struct vt_interaction list[] = {
        {.user = 1, .item = 7, .type = VT_EVENT_PURCHASE, .time_ms = 1 * DAY},
        {.user = 1, .item = 7, .type = VT_EVENT_DISLIKE, .time_ms = 2 * DAY},
        {.user = 1, .item = 7, .type = VT_EVENT_PURCHASE, .time_ms = 5 * DAY},
    };
    assert_float_equal(weigh(list, 3, &options), -0.4, 1e-6); /* a half-life before the newest */
    options.event_weights[VT_EVENT_DISLIKE] = 0;              /* turned off */
    assert_true(weigh(list, 3, &options) > 1);
}

static void low_rating_is_a_dislike_and_a_later_like_takes_it_back(void **state)
{
    (void)state;
    struct vt_dataset_options options = opinionated_options();
    options.decay_half_life_days = 0;
    struct vt_interaction list[] = {
        {.user = 1, .item = 7, .type = VT_EVENT_VIEW, .time_ms = 1 * DAY},
        {.user = 1, .item = 7, .type = VT_EVENT_RATING, .value = VT_RATING_LOW, .time_ms = 2 * DAY},
        {.user = 1, .item = 7, .type = VT_EVENT_LIKE, .time_ms = 3 * DAY},
    };
    assert_float_equal(weigh(list, 2, &options), -0.8, 1e-6);
    assert_float_equal(weigh(list, 3, &options), 0.65, 1e-6); /* the view and the like */
    list[2].time_ms = 2 * DAY;                                /* said at once: no stands */
    assert_float_equal(weigh(list, 3, &options), -0.8, 1e-6);
    list[1].value = VT_RATING_LOW + 0.5F;
    assert_true(weigh(list, 2, &options) > 0);
}

static void serving_weighs_as_training_does_whatever_was_done(void **state)
{
    (void)state;
    static const uint16_t types[] = {VT_EVENT_VIEW,    VT_EVENT_CART,    VT_EVENT_CART_REMOVE,
                                     VT_EVENT_DISLIKE, VT_EVENT_LIKE,    VT_EVENT_RATING,
                                     VT_EVENT_RETURN,  VT_EVENT_PURCHASE};
    struct vt_dataset_options options = opinionated_options();
    uint64_t random = 5;
    for (unsigned round = 0; round < 3000; round++) {
        struct vt_interaction list[12];
        for (unsigned i = 0; i < 12; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
            list[i] = (struct vt_interaction){.user = 1,
                                              .item = 5 + (uint32_t)(random >> 33) % 4,
                                              .type = types[(random >> 40) % 8],
                                              .value = (float)((random >> 48) % 6),
                                              .time_ms = (1 + i / 2) * DAY};
        }
        (void)weigh(list, 12, &options);
    }
}

static struct vt_err parse(const char *text, struct vt_diag *diag,
                           struct vt_interactions *ret_interactions)
{
    *ret_interactions = (struct vt_interactions){0};
    return vt_adjacency_parse(vt_slice_str(text), diag, ret_interactions);
}

static void adjacency_takes_either_line_ending_and_no_last_one(void **state)
{
    (void)state;
    struct vt_interactions list;
    assert_ok(parse("0 5 6\r\n\n7\n 2\t9 ", NULL, &list));
    assert_int_equal(list.n, 3);
    assert_int_equal(list.list[1].item, 6);
    assert_int_equal(list.list[1].time_ms, 1);
    assert_int_equal(list.list[2].user, 2);
    vt_interactions_free(&list);
}

static void adjacency_takes_the_largest_number_and_refuses_the_next(void **state)
{
    (void)state;
    struct vt_interactions list;
    struct vt_diag diag = {0};
    assert_ok(parse("1 4294967294", &diag, &list));
    vt_interactions_free(&list);
    assert_code(parse("1 4294967295", &diag, &list), VT_INVALID);
    vt_interactions_free(&list);
}

static void adjacency_names_line_column_and_what_it_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {"1 2\n3 x4\n", "1 2\n3 -4\n", "1 2\n3 4.5\n",
                                        "1 2\n3 \xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vt_interactions list;
        struct vt_diag diag = {0};
        assert_code(parse(wrong[i], &diag, &list), VT_INVALID);
        assert_int_equal(diag.line, 2);
        assert_non_null(strstr(diag.text, "line 2, column"));
        vt_interactions_free(&list);
    }
}

static void adjacency_refuses_a_file_without_interactions(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "\n\r\n", "1\n2\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct vt_interactions list;
        assert_code(parse(empty[i], NULL, &list), VT_INVALID);
        vt_interactions_free(&list);
    }
}

static struct vt_split make_split(enum vt_protocol protocol, double share)
{
    struct vt_split_options options = {
        .protocol = protocol, .test_share = share, .seed = 1, .dataset = plain_options()};
    struct vt_split split;
    assert_ok(vt_split_make(events, 5, 4, &options, NULL, &split)); /* without the return */
    return split;
}

static void leave_one_out_takes_each_users_newest_new_item(void **state)
{
    (void)state;
    struct vt_split split = make_split(VT_PROTOCOL_LEAVE_ONE_OUT, 0);
    assert_true(vt_sparse_has(&split.test, 0, 2)); /* user 5: item 11 */
    assert_int_equal(split.test.n_entries, 1);     /* user 70 saw item 9 before */
    assert_int_equal(split.train.n_entries, 3);
    vt_split_free(&split);
}

static void time_split_puts_the_newest_share_in_test(void **state)
{
    (void)state;
    struct vt_split split = make_split(VT_PROTOCOL_TIME, 0.2);
    assert_int_equal(split.test.n_entries, 1);
    assert_true(vt_sparse_has(&split.test, 0, 2));
    vt_split_free(&split);
}

static void adjacency_split_keeps_both_lists(void **state)
{
    (void)state;
    struct vt_split split = make_split(VT_PROTOCOL_ADJACENCY, 0);
    assert_int_equal(split.train.n_entries, 3);
    assert_int_equal(split.test.n_entries, 1);
    vt_split_free(&split);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(build_sums_repeats_and_drops_what_is_not_above_zero),
        cmocka_unit_test(build_keeps_the_newest_events_of_each_user),
        cmocka_unit_test(build_decays_by_age_from_the_users_newest_event),
        cmocka_unit_test(build_refuses_nothing_and_weights_that_are_not_finite),
        cmocka_unit_test(defaults_weigh_a_purchase_above_a_view_and_decay_nothing),
        cmocka_unit_test(transpose_twice_is_the_same_matrix),
        cmocka_unit_test(history_weighs_as_training_does),
        cmocka_unit_test(value_enters_by_its_exponent_on_both_sides),
        cmocka_unit_test(few_stars_are_no_weak_dislike),
        cmocka_unit_test(exponents_outside_0_to_1_are_refused),
        cmocka_unit_test(dislike_stands_against_all_behaviour),
        cmocka_unit_test(low_rating_is_a_dislike_and_a_later_like_takes_it_back),
        cmocka_unit_test(serving_weighs_as_training_does_whatever_was_done),
        cmocka_unit_test(adjacency_takes_either_line_ending_and_no_last_one),
        cmocka_unit_test(adjacency_takes_the_largest_number_and_refuses_the_next),
        cmocka_unit_test(adjacency_names_line_column_and_what_it_found),
        cmocka_unit_test(adjacency_refuses_a_file_without_interactions),
        cmocka_unit_test(leave_one_out_takes_each_users_newest_new_item),
        cmocka_unit_test(time_split_puts_the_newest_share_in_test),
        cmocka_unit_test(adjacency_split_keeps_both_lists),
    };
    return cmocka_run_group_tests_name("dataset/dataset", tests, NULL, NULL);
}
