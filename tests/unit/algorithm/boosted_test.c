/* The learned ranker as a family: what it learns, that nothing leaks into its examples, the same
 * bytes for any thread count, and too little data. */
#include "models/algorithm/boosted_internal.h"
#include "models/dataset/mix.h"
#include "models/dataset/part.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 300, ITEMS = 60 };

static double uniform(uint64_t *seed)
{
    *seed += VT_MIX64_STEP;
    return (double)(vt_mix64(*seed) >> 11) * 0x1p-53;
}

/* Users of three tastes. */
static struct vt_sparse tastes(uint32_t n_users, uint64_t seed)
{
    struct vt_sparse matrix = {.n_rows = n_users, .n_cols = ITEMS};
    matrix.starts = calloc(n_users + 1, sizeof *matrix.starts);
    matrix.columns = calloc((size_t)n_users * ITEMS, sizeof *matrix.columns);
    matrix.values = calloc((size_t)n_users * ITEMS, sizeof *matrix.values);
    for (uint32_t user = 0; user < n_users; user++) {
        for (uint32_t item = 0; item < ITEMS; item++)
            if (uniform(&seed) < (item % 3 == user % 3 ? 0.5 : 0.05)) {
                matrix.columns[matrix.n_entries] = item;
                matrix.values[matrix.n_entries++] = 1;
            }
        matrix.starts[user + 1] = matrix.n_entries;
    }
    return matrix;
}

static struct vt_algorithm_options small_options(void)
{
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    options.ials.factors = 8;
    options.ials.iterations = 4;
    options.boosted.boost.rounds = 20;
    options.boosted.candidates = 30;
    options.threads = 2;
    return options;
}

static bool one_in_five(const void *ctx, uint32_t user, uint32_t item, float value)
{
    (void)ctx;
    (void)value;
    return vt_part_hash(user, item, 5);
}

struct made {
    struct vt_sparse matrix, before, after;
    struct vt__sources sources;
    struct vt__examples examples;
};

static struct made make_examples(const struct vt_algorithm_options *options)
{
    struct made made = {.matrix = tastes(USERS, 1)};
    assert_ok(vt_sparse_part(&made.matrix, one_in_five, NULL, &made.before, &made.after));
    assert_ok(vt__sources_train(&made.before, options, NULL, &made.sources));
    assert_ok(
        vt__examples_make(&made.sources, &made.before, &made.after, options, NULL, &made.examples));
    return made;
}

static void free_made(struct made *made)
{
    vt__examples_free(&made->examples);
    vt__sources_free(&made->sources);
    vt_sparse_free(&made->matrix);
    vt_sparse_free(&made->before);
    vt_sparse_free(&made->after);
}

/* Each customer with both sides is in one part, with candidates that the history does not have and
 * as many labels as its candidates are in `after`; the parts are about 7 : 1 : 1 : 1. */
static void examples_add_up(void **state)
{
    (void)state;
    struct vt_algorithm_options options = small_options();
    struct made made = make_examples(&options);
    uint32_t n_groups = 0, n_with_both = 0;
    double n_labels = 0;
    for (unsigned part = 0; part < VT__PART_COUNT; part++) {
        const struct vt_boost_examples *examples = &made.examples.part[part];
        uint32_t n_rows = 0;
        for (uint32_t group = 0; group < examples->n_groups; group++)
            n_rows += examples->group_sizes[group];
        assert_int_equal(n_rows, examples->n_rows);
        for (uint32_t row = 0; row < n_rows; row++)
            n_labels += (double)examples->labels[row];
        n_groups += examples->n_groups;
    }
    for (uint32_t user = 0; user < USERS; user++)
        n_with_both += made.before.starts[user + 1] > made.before.starts[user] &&
                       made.after.starts[user + 1] > made.after.starts[user];
    assert_int_equal(n_groups, n_with_both);
    assert_true(n_labels > 0.7 * (double)made.after.n_entries &&
                n_labels <= (double)made.after.n_entries);
    assert_true(made.examples.part[VT__PART_TRAIN].n_groups > n_groups / 2);
    assert_true(made.examples.part[VT__PART_MEASURE].n_groups > n_groups / 30);
    free_made(&made);
}

/* No feature knows `after`: with other labels the rows are the same. */
static void no_feature_knows_a_label(void **state)
{
    (void)state;
    struct vt_algorithm_options options = small_options();
    struct made made = make_examples(&options);
    struct vt__examples other;
    struct vt_sparse after = made.after;
    const struct vt_boost_examples *train = &made.examples.part[VT__PART_TRAIN];
    after.columns = calloc(after.n_entries, sizeof *after.columns); /* everybody took item 0 */
    assert_ok(vt__examples_make(&made.sources, &made.before, &after, &options, NULL, &other));
    assert_int_equal(other.part[VT__PART_TRAIN].n_rows, train->n_rows);
    assert_memory_equal(other.part[VT__PART_TRAIN].features, train->features,
                        (size_t)train->n_rows * train->n_features * sizeof(float));
    assert_memory_not_equal(other.part[VT__PART_TRAIN].labels, train->labels,
                            train->n_rows * sizeof(float));
    free(after.columns);
    vt__examples_free(&other);
    free_made(&made);
}

static void train_and_score(const struct vt_sparse *matrix,
                            const struct vt_algorithm_options *options, uint32_t user,
                            double ret_scores[ITEMS], double *ret_calibration_error)
{
    struct vt_trained trained;
    const uint64_t begin = matrix->starts[user];
    const struct vt_weighted_history history = {matrix->columns + begin, matrix->values + begin,
                                                (uint32_t)(matrix->starts[user + 1] - begin)};
    assert_ok(
        vt_algorithm_train(vt_algorithm_find("boosted", NULL), matrix, options, NULL, &trained));
    void *scratch = malloc(trained.recommender.scratch_bytes);
    assert_ok(trained.recommender.score(trained.recommender.self, &history, scratch, ret_scores));
    *ret_calibration_error = trained.calibration_error;
    free(scratch);
    vt_trained_free(&trained);
}

/* The first five are of the customer's taste and not in the history; what is, is never shown. */
static void the_customers_taste_comes_first(void **state)
{
    (void)state;
    struct vt_sparse matrix = tastes(USERS, 1);
    struct vt_algorithm_options options = small_options();
    double scores[ITEMS], error;
    for (uint32_t user = 0; user < 3; user++) {
        train_and_score(&matrix, &options, user, scores, &error);
        for (uint64_t e = matrix.starts[user]; e < matrix.starts[user + 1]; e++)
            assert_true(isnan(scores[matrix.columns[e]]));
        for (int rank = 0; rank < 5; rank++) {
            uint32_t best = UINT32_MAX;
            for (uint32_t item = 0; item < ITEMS; item++)
                if (!isnan(scores[item]) && (best == UINT32_MAX || scores[item] > scores[best]))
                    best = item;
            assert_int_equal(best % 3, user % 3);
            scores[best] = (double)NAN;
        }
        assert_true(error > 0 && error < 0.15);
    }
    vt_sparse_free(&matrix);
}

static void any_thread_count_gives_the_same_scores(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 5};
    struct vt_sparse matrix = tastes(USERS, 1);
    struct vt_algorithm_options options = small_options();
    double once[ITEMS], again[ITEMS], error, other_error;
    options.threads = 1;
    train_and_score(&matrix, &options, 7, once, &error);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        options.threads = counts[i];
        train_and_score(&matrix, &options, 7, again, &other_error);
        assert_memory_equal(once, again, sizeof once);
        assert_memory_equal(&error, &other_error, sizeof error);
    }
    vt_sparse_free(&matrix);
}

/* One customer, or customers with one item each: nothing to hold out and rank. */
static void too_little_data_is_refused_with_the_reason(void **state)
{
    (void)state;
    static uint64_t starts[] = {0, 1, 2};
    static uint32_t columns[] = {0, 1};
    static float values[] = {1, 1};
    const struct vt_sparse two = {2, 2, 2, starts, columns, values};
    struct vt_algorithm_options options = small_options();
    struct vt_trained trained;
    struct vt_diag diag = {0};
    assert_code(
        vt_algorithm_train(vt_algorithm_find("boosted", NULL), &two, &options, &diag, &trained),
        VT_INVALID);
    assert_true(diag.text[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_add_up),
        cmocka_unit_test(no_feature_knows_a_label),
        cmocka_unit_test(the_customers_taste_comes_first),
        cmocka_unit_test(any_thread_count_gives_the_same_scores),
        cmocka_unit_test(too_little_data_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests_name("algorithm/boosted", tests, NULL, NULL);
}
