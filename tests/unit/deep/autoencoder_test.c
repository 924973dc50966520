/* The autoencoder: gradients against finite differences of a plain reference in double, the same
 * bytes for any thread count, what it learns and what it refuses. */
#include "models/dataset/mix.h"
#include "models/deep/autoencoder.h"
#include "models/deep/deep_internal.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double uniform(uint64_t *seed)
{
    *seed += VT_MIX64_STEP;
    return (double)(vt_mix64(*seed) >> 11) * 0x1p-53;
}

/* Users of two tastes: most of what they want is in the half of the items that is theirs. One value
 * in ten is a dislike. */
static struct vt_sparse tastes(uint32_t n_users, uint32_t n_items, uint64_t seed)
{
    struct vt_sparse matrix = {.n_rows = n_users, .n_cols = n_items};
    matrix.starts = calloc(n_users + 1, sizeof *matrix.starts);
    matrix.columns = calloc((size_t)n_users * n_items, sizeof *matrix.columns);
    matrix.values = calloc((size_t)n_users * n_items, sizeof *matrix.values);
    for (uint32_t user = 0; user < n_users; user++) {
        for (uint32_t item = 0; item < n_items; item++) {
            bool mine = (item < n_items / 2) == (user % 2 == 0);
            if (uniform(&seed) > (mine ? 0.4 : 0.04))
                continue;
            matrix.columns[matrix.n_entries] = item;
            matrix.values[matrix.n_entries++] =
                uniform(&seed) < 0.1 ? -0.8F : (float)(0.5 + uniform(&seed));
        }
        matrix.starts[user + 1] = matrix.n_entries;
    }
    return matrix;
}

/* ---- gradients ---- */

/* The loss of the header's formulas, with nothing dropped, straight from them. */
static double loss_plainly(const struct vt_sparse *matrix, const struct vt__network *network,
                           const double *parameters, uint32_t user, double exponent)
{
    double hidden[16], squares = 0, wanted = 0, sum = 0, loss = 0;
    double scores[64];
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
        double input = log1p(fabs((double)matrix->values[e]));
        squares += input * input;
        wanted += matrix->values[e] > 0;
    }
    for (uint32_t i = 0; i < network->hidden; i++) {
        hidden[i] = parameters[network->in_bias_at + i];
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
            hidden[i] +=
                copysign(log1p(fabs((double)matrix->values[e])), (double)matrix->values[e]) /
                sqrt(squares) * parameters[matrix->columns[e] * network->row_stride + i];
        hidden[i] = tanh(hidden[i]);
    }
    for (uint32_t item = 0; item < network->n_items; item++) {
        scores[item] = parameters[network->out_bias_at + item];
        for (uint32_t i = 0; i < network->hidden; i++)
            scores[item] +=
                hidden[i] * parameters[network->out_at + item * network->row_stride + i];
        sum += exp(scores[item]);
    }
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        if (matrix->values[e] > 0)
            loss += log(sum) - scores[matrix->columns[e]];
    return wanted > 0 ? loss * pow(wanted, -exponent) : 0;
}

static double batch_plainly(const struct vt_sparse *matrix, const struct vt__network *network,
                            const double *parameters, double exponent)
{
    double loss = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        loss += loss_plainly(matrix, network, parameters, user, exponent);
    return loss;
}

static void keep_gradient(void *ctx, size_t first, const float *gradient, size_t n)
{
    memcpy((float *)ctx + first, gradient, n * sizeof *gradient);
}

/* All users as one batch; returns the loss. Owned gradient. */
static double gradient_of(const struct vt_sparse *matrix, const struct vt__network *network,
                          double exponent, uint32_t threads, float **ret_gradient)
{
    uint32_t *users = calloc(matrix->n_rows, sizeof *users);
    *ret_gradient = calloc(network->n_parameters, sizeof **ret_gradient);
    const struct vt__pass_options options = {.user_exponent = exponent,
                                             .threads = threads,
                                             .apply = keep_gradient,
                                             .apply_ctx = *ret_gradient};
    struct vt__pass *pass;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        users[user] = user;
    assert_ok(vt__pass_new(network, matrix, matrix->n_rows, threads, &pass));
    double loss = vt__pass_run(pass, users, matrix->n_rows, &options);
    vt__pass_free(pass);
    free(users);
    return loss;
}

/* Every parameter, central differences in double. */
static void gradients_are_those_of_finite_differences(void **state)
{
    (void)state;
    enum { USERS = 45, ITEMS = 30, HIDDEN = 7 };
    struct vt_sparse matrix = tastes(USERS, ITEMS, 1);
    struct vt__network network;
    float *gradient;
    const double step = 1e-5, exponent = 0.5;
    assert_ok(vt__network_init(&matrix, HIDDEN, 5, &network));
    double loss = gradient_of(&matrix, &network, exponent, 2, &gradient);
    double *parameters = calloc(network.n_parameters, sizeof *parameters);
    for (size_t i = 0; i < network.n_parameters; i++)
        parameters[i] = (double)network.parameters[i];
    assert_true(fabs(loss / batch_plainly(&matrix, &network, parameters, exponent) - 1) < 1e-6);
    double largest = 0;
    for (size_t i = 0; i < network.n_parameters; i++) {
        const double kept = parameters[i];
        parameters[i] = kept + step;
        double above = batch_plainly(&matrix, &network, parameters, exponent);
        parameters[i] = kept - step;
        double below = batch_plainly(&matrix, &network, parameters, exponent);
        parameters[i] = kept;
        double expected = (above - below) / (2 * step) / USERS;
        largest = fabs(expected) > largest ? fabs(expected) : largest;
        assert_true(fabs((double)gradient[i] - expected) < 1e-6);
    }
    assert_true(largest > 1e-2); /* the bound above is a ten-thousandth of it */
    free(parameters);
    free(gradient);
    free(network.parameters);
    vt_sparse_free(&matrix);
}

/* More users and items than a block has. */
static void gradients_have_the_same_bits_for_any_thread_count(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 5};
    struct vt_sparse matrix = tastes(150, 600, 2);
    struct vt__network network;
    float *once, *again;
    assert_ok(vt__network_init(&matrix, 19, 5, &network));
    double loss = gradient_of(&matrix, &network, 0.5, 1, &once);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        double other = gradient_of(&matrix, &network, 0.5, counts[i], &again);
        assert_memory_equal(&loss, &other, sizeof loss);
        assert_memory_equal(once, again, network.n_parameters * sizeof *once);
        free(again);
    }
    free(once);
    free(network.parameters);
    vt_sparse_free(&matrix);
}

/* Two steps of one parameter by hand. */
static void adam_is_that_of_the_paper(void **state)
{
    (void)state;
    float parameter = 1;
    struct vt__network network = {.n_parameters = 1, .parameters = &parameter};
    struct vt__adam adam;
    static const float gradients[] = {0.5F, -2};
    double expected = 1, mean = 0, square = 0;
    assert_ok(vt__adam_init(&network, &adam));
    for (int step = 1; step <= 2; step++) {
        double g = (double)gradients[step - 1];
        mean = 0.9 * mean + 0.1 * g;
        square = 0.999 * square + 0.001 * g * g;
        expected -=
            0.01 * (mean / (1 - pow(0.9, step))) / (sqrt(square / (1 - pow(0.999, step))) + 1e-8) +
            0.01 * 0.1 * expected;
        vt__adam_begin(&adam, (uint64_t)step, 0.01, 0.1);
        vt__adam_apply(&adam, 0, &gradients[step - 1], 1);
        assert_true(fabs((double)parameter - expected) < 1e-6);
    }
    vt__adam_fini(&adam);
}

/* ---- training ---- */

static struct vt_autoencoder_options small_options(void)
{
    struct vt_autoencoder_options options;
    vt_autoencoder_options_default(&options);
    options.hidden = 10;
    options.epochs = 30;
    options.batch = 40;
    options.learning_rate = 0.01;
    options.threads = 2;
    return options;
}

/* The mean score of the first half of the items minus that of the second. */
static double lean(const struct vt_autoencoder *model, uint32_t liked, float weight)
{
    double scratch[32], difference = 0;
    double *scores = calloc(model->n_items, sizeof *scores);
    assert_true(vt_autoencoder_scratch_bytes(model->hidden) <= sizeof scratch);
    vt_autoencoder_score(model, &liked, &weight, 1, scratch, scores);
    for (uint32_t item = 0; item < model->n_items; item++)
        difference += item < model->n_items / 2 ? scores[item] : -scores[item];
    free(scores);
    return 2 * difference / model->n_items;
}

static void one_item_tells_the_taste(void **state)
{
    (void)state;
    struct vt_sparse matrix = tastes(300, 40, 3);
    struct vt_autoencoder_options options = small_options();
    struct vt_autoencoder model;
    assert_ok(vt_autoencoder_train(&matrix, &options, NULL, &model));
    for (uint32_t item = 0; item < 40; item++)
        assert_true(item < 20 ? lean(&model, item, 1) > 0.1 : lean(&model, item, 1) < -0.1);
    /* A dislike alone speaks for the other half. */
    assert_true(lean(&model, 3, -0.8F) < 0 && lean(&model, 30, -0.8F) > 0);
    assert_true(model.validation_ndcg > 0.3 && model.epoch >= 1);
    vt_autoencoder_free(&model);
    vt_sparse_free(&matrix);
}

static void any_thread_count_trains_the_same_bytes(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 5};
    struct vt_sparse matrix = tastes(200, 300, 4);
    struct vt_autoencoder_options options = small_options();
    struct vt_autoencoder once, again;
    options.epochs = 4;
    options.threads = 1;
    assert_ok(vt_autoencoder_train(&matrix, &options, NULL, &once));
    size_t n = 2 * (size_t)once.n_items * once.row_stride + once.row_stride + once.n_items;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        options.threads = counts[i];
        assert_ok(vt_autoencoder_train(&matrix, &options, NULL, &again));
        assert_memory_equal(once.memory, again.memory, n * sizeof(float));
        vt_autoencoder_free(&again);
    }
    options.seed = 2;
    assert_ok(vt_autoencoder_train(&matrix, &options, NULL, &again));
    assert_memory_not_equal(once.memory, again.memory, n * sizeof(float));
    vt_autoencoder_free(&again);
    vt_autoencoder_free(&once);
    vt_sparse_free(&matrix);
}

struct watched {
    double ndcg[64], loss[64];
    uint32_t n;
};

static bool watch(void *ctx, const struct vt_autoencoder_progress *at)
{
    struct watched *watched = ctx;
    watched->ndcg[watched->n] = at->validation_ndcg;
    watched->loss[watched->n++] = at->loss;
    assert_int_equal(at->epoch, watched->n);
    return true;
}

/* It ends `patience` epochs behind the best, and gives the best. */
static void it_stops_when_kept_back_customers_are_no_longer_found_better(void **state)
{
    (void)state;
    struct vt_sparse matrix = tastes(300, 40, 3);
    struct vt_autoencoder_options options = small_options();
    struct vt_autoencoder model;
    struct watched watched = {0};
    options.epochs = 60;
    options.patience = 5;
    options.learning_rate = 0.05;
    options.progress = watch;
    options.progress_ctx = &watched;
    assert_ok(vt_autoencoder_train(&matrix, &options, NULL, &model));
    uint32_t best = 0;
    for (uint32_t epoch = 0; epoch < watched.n; epoch++)
        if (watched.ndcg[epoch] > watched.ndcg[best])
            best = epoch;
    assert_true(watched.n < options.epochs);
    assert_int_equal(model.epoch, best + 1);
    assert_int_equal(watched.n, best + 1 + options.patience);
    assert_true(watched.loss[watched.n - 1] < watched.loss[0]);
    vt_autoencoder_free(&model);
    vt_sparse_free(&matrix);
}

/* What is kept back is in no input and no target of training. */
static void what_is_kept_back_is_out_of_training(void **state)
{
    (void)state;
    struct vt_sparse matrix = tastes(300, 40, 3);
    struct vt__kept_back kept_back;
    assert_ok(vt__keep_back(&matrix, 1, &kept_back));
    assert_true(kept_back.any && kept_back.test.n_entries > 20);
    assert_int_equal(kept_back.train.n_entries + kept_back.test.n_entries, matrix.n_entries);
    for (uint32_t user = 0; user < matrix.n_rows; user++)
        for (uint64_t e = kept_back.test.starts[user]; e < kept_back.test.starts[user + 1]; e++) {
            assert_true(kept_back.test.values[e] > 0);
            for (uint64_t t = kept_back.train.starts[user]; t < kept_back.train.starts[user + 1];
                 t++)
                assert_int_not_equal(kept_back.train.columns[t], kept_back.test.columns[e]);
        }
    vt__kept_back_free(&kept_back);
    vt_sparse_free(&matrix);
}

/* ---- the edges ---- */

static void one_user_with_one_item_trains(void **state)
{
    (void)state;
    static uint64_t starts[] = {0, 1};
    static uint32_t columns[] = {0};
    static float values[] = {1};
    const struct vt_sparse one = {1, 1, 1, starts, columns, values};
    struct vt_autoencoder_options options = small_options();
    struct vt_autoencoder model;
    double scratch[32], score;
    assert_ok(vt_autoencoder_train(&one, &options, NULL, &model));
    assert_true(isnan(model.validation_ndcg));
    vt_autoencoder_score(&model, columns, values, 1, scratch, &score);
    assert_true(isfinite(score));
    vt_autoencoder_score(&model, NULL, NULL, 0, scratch, &score);
    assert_true(isfinite(score));
    vt_autoencoder_free(&model);
}

static void assert_refused(const struct vt_sparse *matrix,
                           const struct vt_autoencoder_options *options, const char *field)
{
    struct vt_diag diag = {0};
    struct vt_autoencoder model;
    assert_code(vt_autoencoder_train(matrix, options, &diag, &model), VT_INVALID);
    assert_string_equal(diag.field, field);
    assert_true(diag.text[0] != '\0');
}

static void bad_data_are_refused_with_their_place(void **state)
{
    (void)state;
    static uint64_t starts[] = {0, 1, 2};
    static uint32_t columns[] = {2, 0};
    static float nan_values[] = {1, NAN}, disliked[] = {-1, -1};
    struct vt_autoencoder_options options = small_options();
    struct vt_sparse matrix = {2, 3, 2, starts, columns, nan_values};
    assert_refused(&matrix, &options, "interactions");
    matrix.values = disliked;
    assert_refused(&matrix, &options, "interactions");
    uint64_t none[] = {0, 0, 0};
    const struct vt_sparse empty = {2, 3, 0, none, columns, disliked};
    assert_refused(&empty, &options, "interactions");
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct vt_sparse matrix = tastes(10, 10, 1);
    struct vt_autoencoder_options options = small_options();
    options.hidden = 0;
    assert_refused(&matrix, &options, "hidden");
    options.hidden = VT_AUTOENCODER_HIDDEN_MAX + 1;
    assert_refused(&matrix, &options, "hidden");
    options = small_options();
    options.dropout = 1;
    assert_refused(&matrix, &options, "dropout");
    options = small_options();
    options.learning_rate = NAN;
    assert_refused(&matrix, &options, "learning_rate");
    options = small_options();
    options.epochs = 0;
    assert_refused(&matrix, &options, "epochs");
    vt_sparse_free(&matrix);
}

static void memory_is_stated_from_above_of_the_arrays(void **state)
{
    (void)state;
    struct vt_autoencoder_options options = small_options();
    uint64_t few = vt_autoencoder_memory_bytes(1000, 500, 20000, &options);
    uint64_t many = vt_autoencoder_memory_bytes(1000, 5000, 20000, &options);
    assert_true(few > 500 * 16 * sizeof(float) * 8 && many > 5 * few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_finite_differences),
        cmocka_unit_test(gradients_have_the_same_bits_for_any_thread_count),
        cmocka_unit_test(adam_is_that_of_the_paper),
        cmocka_unit_test(one_item_tells_the_taste),
        cmocka_unit_test(any_thread_count_trains_the_same_bytes),
        cmocka_unit_test(it_stops_when_kept_back_customers_are_no_longer_found_better),
        cmocka_unit_test(what_is_kept_back_is_out_of_training),
        cmocka_unit_test(one_user_with_one_item_trains),
        cmocka_unit_test(bad_data_are_refused_with_their_place),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(memory_is_stated_from_above_of_the_arrays),
    };
    return cmocka_run_group_tests_name("deep/autoencoder", tests, NULL, NULL);
}
