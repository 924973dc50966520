/* Isotonic calibration against its definition, and its error by hand. */
#include "models/dataset/mix.h"
#include "models/rank/calibration.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 20000 };

static double uniform(uint64_t *seed)
{
    *seed += VT_MIX64_STEP;
    return (double)(vt_mix64(*seed) >> 11) * 0x1p-53;
}

/* Scores whose true probability is a logistic function, far from the score itself. */
static void fill(uint64_t seed, float *ret_scores, float *ret_labels)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        double score = 8 * uniform(&seed) - 4;
        ret_scores[i] = (float)score;
        ret_labels[i] = uniform(&seed) < 1 / (1 + exp(2 - score)) ? 1 : 0;
    }
}

static void probabilities_of_rows_not_seen_are_near_their_shares(void **state)
{
    (void)state;
    static float scores[ROWS], labels[ROWS], unseen[ROWS], unseen_labels[ROWS];
    struct vt_calibration calibration;
    double raw, calibrated;
    fill(1, scores, labels);
    fill(2, unseen, unseen_labels);
    assert_ok(vt_calibration_fit(scores, labels, ROWS, NULL, &calibration));
    assert_ok(vt_calibration_error(unseen, unseen_labels, ROWS, &raw));
    for (uint32_t i = 0; i < ROWS; i++)
        unseen[i] = vt_calibration_apply(&calibration, unseen[i]);
    assert_ok(vt_calibration_error(unseen, unseen_labels, ROWS, &calibrated));
    assert_true(raw > 0.5 && calibrated < 0.02);
    vt_calibration_free(&calibration);
}

static void it_never_turns_an_order_round(void **state)
{
    (void)state;
    static float scores[ROWS], labels[ROWS];
    struct vt_calibration calibration;
    fill(3, scores, labels);
    assert_ok(vt_calibration_fit(scores, labels, ROWS, NULL, &calibration));
    assert_true(calibration.n > 10);
    float before = -1;
    for (int step = -600; step <= 600; step++) {
        float now = vt_calibration_apply(&calibration, (float)step / 100);
        assert_true(now >= before && now >= 0 && now <= 1);
        before = now;
    }
    assert_true(isnan(vt_calibration_apply(&calibration, NAN)));
    vt_calibration_free(&calibration);
}

/* With 200 rows a step: shares 0.1, 0.5, 0.3 pool the last two to 0.4. */
static void neighbours_in_wrong_order_are_pooled(void **state)
{
    (void)state;
    enum { STEP = 200 };
    static float scores[3 * STEP], labels[3 * STEP];
    static const uint32_t wanted[] = {20, 100, 60};
    for (uint32_t i = 0; i < 3 * STEP; i++) {
        uint32_t step = i / STEP;
        scores[i] = (float)step;
        labels[i] = i % STEP < wanted[step];
    }
    struct vt_calibration calibration;
    assert_ok(vt_calibration_fit(scores, labels, 3 * STEP, NULL, &calibration));
    assert_int_equal(calibration.n, 2);
    assert_true(fabsf(calibration.probabilities[0] - 0.1F) < 1e-6F);
    assert_true(fabsf(calibration.probabilities[1] - 0.4F) < 1e-6F);
    assert_true(fabsf(calibration.scores[1] - 1.5F) < 1e-6F);
    assert_true(fabsf(vt_calibration_apply(&calibration, 0.75F) - 0.25F) < 1e-6F);
    assert_true(fabsf(vt_calibration_apply(&calibration, 9) - 0.4F) < 1e-6F);
    vt_calibration_free(&calibration);
}

static void a_step_stands_for_enough_rows(void **state)
{
    (void)state;
    static float scores[VT_CALIBRATION_ROWS_MIN], labels[VT_CALIBRATION_ROWS_MIN];
    for (uint32_t i = 0; i < VT_CALIBRATION_ROWS_MIN; i++) {
        scores[i] = (float)i;
        labels[i] = i >= VT_CALIBRATION_ROWS_MIN / 2;
    }
    struct vt_calibration calibration;
    assert_ok(vt_calibration_fit(scores, labels, VT_CALIBRATION_ROWS_MIN, NULL, &calibration));
    assert_int_equal(calibration.n, 1);
    assert_true(fabsf(calibration.probabilities[0] - 0.5F) < 1e-6F);
    vt_calibration_free(&calibration);
}

static void one_class_and_bad_scores_are_refused(void **state)
{
    (void)state;
    static const float scores[] = {1, NAN, 2}, fine[] = {1, 3, 2}, none[3], both[] = {0, 1, 0};
    static const float all[] = {1, 1, 1};
    struct vt_calibration calibration;
    struct vt_diag diag = {0};
    double error;
    assert_code(vt_calibration_fit(fine, none, 3, &diag, &calibration), VT_INVALID);
    assert_code(vt_calibration_fit(fine, all, 3, &diag, &calibration), VT_INVALID);
    assert_code(vt_calibration_fit(fine, both, 0, &diag, &calibration), VT_INVALID);
    assert_code(vt_calibration_fit(scores, both, 3, &diag, &calibration), VT_INVALID);
    assert_string_equal(diag.text, "score 1 is not finite");
    assert_code(vt_calibration_error(scores, both, 3, &error), VT_INVALID);
    assert_code(vt_calibration_error(fine, both, 0, &error), VT_INVALID);
}

/* Ten rows are ten bins of one. */
static void the_error_is_that_of_the_definition(void **state)
{
    (void)state;
    static const float probabilities[] = {0.1F, 0.9F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F, 0};
    static const float labels[] = {0, 1, 0, 0, 1, 0, 1, 1, 1, 0};
    double error, expected = (0.1 + 0.1 + 0.2 + 0.3 + 0.6 + 0.5 + 0.4 + 0.3 + 0.2) / 10;
    assert_ok(vt_calibration_error(probabilities, labels, 10, &error));
    assert_true(fabs(error - expected) < 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_of_rows_not_seen_are_near_their_shares),
        cmocka_unit_test(it_never_turns_an_order_round),
        cmocka_unit_test(neighbours_in_wrong_order_are_pooled),
        cmocka_unit_test(a_step_stands_for_enough_rows),
        cmocka_unit_test(one_class_and_bad_scores_are_refused),
        cmocka_unit_test(the_error_is_that_of_the_definition),
    };
    return cmocka_run_group_tests_name("rank/calibration", tests, NULL, NULL);
}
