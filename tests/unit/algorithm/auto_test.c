#include "models/algorithm/algorithm.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sixty users with two tastes of twenty items each: a user has every third or so of his own. */
enum { USERS = 60, ITEMS = 40, PER_USER = 8, LINES_MAX = 400, NAME_BYTES = 16 };
static uint64_t starts[USERS + 1];
static uint32_t columns[USERS * PER_USER];
static float values[USERS * PER_USER];
static struct vt_sparse matrix = {USERS, ITEMS, 0, starts, columns, values};

static int make_matrix(void **state)
{
    (void)state;
    matrix.n_entries = 0;
    for (uint32_t user = 0; user < USERS; user++) {
        uint32_t first = user % 2 * (ITEMS / 2), item = user % 3;
        for (uint32_t i = 0; i < PER_USER; i++, item += 1 + (user + i) % 3) {
            columns[matrix.n_entries] = first + item % (ITEMS / 2);
            if (i > 0 && columns[matrix.n_entries] <= columns[matrix.n_entries - 1])
                break;
            values[matrix.n_entries++] = 1;
        }
        starts[user + 1] = matrix.n_entries;
    }
    return 0;
}

static struct vt_weighted_history history_of(uint32_t user)
{
    return (struct vt_weighted_history){.columns = columns + starts[user],
                                        .weights = values + starts[user],
                                        .n = (uint32_t)(starts[user + 1] - starts[user])};
}

static struct vt_trained train(const char *name, const struct vt_algorithm_options *options)
{
    struct vt_trained trained;
    assert_ok(vt_algorithm_train(vt_algorithm_find(name, NULL), &matrix, options, NULL, &trained));
    return trained;
}

static void scores_of_many_histories_have_the_bits_of_each_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"ials", "blend", "itemcf"};
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    options.ials.factors = 12; /* not a multiple of the kernels' step */
    options.blend.weights = VT_BLEND_GIVEN;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct vt_trained trained = train(names[i], &options);
        struct vt_weighted_history histories[VT_SCORE_MANY_MAX];
        double many[VT_SCORE_MANY_MAX * ITEMS], alone[ITEMS];
        void *scratch = aligned_alloc(64, (trained.recommender.scratch_bytes + 127) / 64 * 64);
        for (uint32_t h = 0; h < VT_SCORE_MANY_MAX; h++)
            histories[h] = history_of(h * 3);
        assert_ok(vt_score_many(&trained.recommender, histories, VT_SCORE_MANY_MAX, ITEMS, scratch,
                                many));
        for (uint32_t h = 0; h < VT_SCORE_MANY_MAX; h++) {
            assert_ok(
                trained.recommender.score(trained.recommender.self, &histories[h], scratch, alone));
            assert_memory_equal(alone, many + (size_t)h * ITEMS, sizeof alone);
        }
        free(scratch);
        vt_trained_free(&trained);
    }
}

/* What auto told, line by line: the family of each try. */
struct told {
    uint32_t n;
    char families[LINES_MAX][NAME_BYTES];
};

static void keep_line(void *ctx, const char *line)
{
    struct told *told = ctx;
    char *family = told->families[told->n];
    if (strstr(line, "core seconds)") == NULL || told->n == LINES_MAX)
        return; /* not a try: the data, or the choice */
    assert_int_equal(sscanf(line, "auto: %15[a-z]", family), 1);
    told->n++;
}

static uint32_t tries_before(const struct told *told, const char *family, uint32_t end)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < end; i++)
        n += strcmp(told->families[i], family) == 0;
    return n;
}

static void each_family_is_tried_once_before_any_is_a_third_time(void **state)
{
    (void)state;
    static const char *const families[] = {"itemcf", "ials",      "ease",
                                           "graph",  "sharpened", "popularity"};
    enum { FAMILIES = sizeof families / sizeof families[0] };
    static struct told told;
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    options.tell = keep_line;
    options.tell_ctx = &told;
    struct vt_trained trained = train("auto", &options);
    assert_true(told.n > 2 * FAMILIES);
    for (uint32_t end = 0; end <= told.n; end++)
        for (uint32_t f = 0; f < FAMILIES; f++)
            for (uint32_t g = 0; g < FAMILIES; g++)
                assert_true(tries_before(&told, families[f], end) < 3 ||
                            tries_before(&told, families[g], end) > 0);
    vt_trained_free(&trained);
}

/* A try that the budget cannot pay is left out, and there is a model all the same. */
static void a_budget_ends_the_search_and_not_the_training(void **state)
{
    (void)state;
    static struct told all, few;
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    options.tell = keep_line;
    options.tell_ctx = &all;
    struct vt_trained trained = train("auto", &options);
    vt_trained_free(&trained);
    options.seconds_max = 0.005;
    options.tell_ctx = &few;
    trained = train("auto", &options);
    assert_true(few.n > 0 && few.n < all.n);
    assert_string_equal(trained.settled.algorithm, "blend");
    vt_trained_free(&trained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_many_histories_have_the_bits_of_each_alone),
        cmocka_unit_test(each_family_is_tried_once_before_any_is_a_third_time),
        cmocka_unit_test(a_budget_ends_the_search_and_not_the_training),
    };
    return cmocka_run_group_tests(tests, make_matrix, NULL);
}
