/*
 * Thirty kinds of bad model and a good one. A shop of three tastes is trained on, served, and
 * trained on again with newer events; then the good new model is spoilt in one way after the other
 * and goes the way of every version: written with its checks, opened with every hash, judged by the
 * gate beside the one that serves. Each must be refused, for its own reason.
 */
#include "models/bundle/bundle.h"
#include "models/dataset/mix.h"
#include "models/train/train.h"
#include "tests/testlib/testlib.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USERS = 600, ITEMS = 90, TASTES = 3, EVENTS = 14, NEWER = 3, DIM = 8 };
#define HOUR_MS INT64_C(3600000)
#define START_MS INT64_C(1790000000000)

/* ---- the shop ---- */

struct shop {
    struct vt_interaction *events;
    uint64_t n;
};

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state += VT_MIX64_STEP;
    return (uint32_t)((vt_mix64(*state) >> 32) * n >> 32);
}

/* Mostly of the customer's taste, the first items of a taste more than the last. */
static uint32_t choose_item(uint64_t *state, uint32_t user)
{
    const uint32_t of_taste = ITEMS / TASTES;
    uint32_t taste = draw(state, 10) == 0 ? draw(state, TASTES) : user % TASTES;
    uint32_t a = draw(state, of_taste), b = draw(state, of_taste);
    return 10 + taste * of_taste + (a < b ? a : b);
}

/* Each customer does `per_user` things, an hour between rounds, from `start_ms` on. */
static void add_events(struct shop *shop, unsigned per_user, int64_t start_ms, uint64_t seed)
{
    shop->events =
        realloc(shop->events, (shop->n + (uint64_t)USERS * per_user) * sizeof *shop->events);
    assert_non_null(shop->events);
    for (unsigned round = 0; round < per_user; round++)
        for (uint32_t user = 0; user < USERS; user++)
            shop->events[shop->n++] = (struct vt_interaction){
                .user = user + 1,
                .item = choose_item(&seed, user),
                .type = VT_EVENT_PURCHASE,
                .value = 1,
                .time_ms = start_ms + round * HOUR_MS + user,
            };
}

static void train(const struct shop *shop, const struct vt_bundle_view *parent,
                  struct vt_train_result *result)
{
    struct vt_train_options options;
    const struct vt_train_input input = {.interactions = shop->events, .n = shop->n};
    vt_train_options_default(&options);
    options.algorithm_options.ials.factors = DIM;
    options.algorithm_options.ials.iterations = 8;
    options.algorithm_options.threads = 2;
    options.parent = parent;
    assert_ok(vt_train_run(&input, &options, NULL, result));
}

/* ---- the fixture: what serves, and its good successor ---- */

struct fixture {
    char *folder;
    struct shop shop;
    struct vt_train_result parent_result, good;
    struct vt_bundle *parent;
};

static int make_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->folder = vt_test_folder_new();
    add_events(&fixture->shop, EVENTS, START_MS, 1);
    train(&fixture->shop, NULL, &fixture->parent_result);
    assert_ok(vt_train_store(fixture->folder, START_MS, true, NULL, &fixture->parent_result));
    assert_ok(vt_bundle_open(fixture->folder, fixture->parent_result.version, true, NULL,
                             &fixture->parent));
    add_events(&fixture->shop, NEWER, START_MS + 1000 * HOUR_MS, 2);
    train(&fixture->shop, vt_bundle_view(fixture->parent), &fixture->good);
    *state = fixture;
    return 0;
}

static int remove_fixture(void **state)
{
    struct fixture *fixture = *state;
    vt_bundle_release(fixture->parent);
    vt_train_result_free(&fixture->parent_result);
    vt_train_result_free(&fixture->good);
    free(fixture->shop.events);
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

/* ---- a copy that may be spoilt ---- */

struct model {
    struct vt_bundle_view view;
    struct vt_held_out held_out; /* borrows, but for recall and ndcg */
    struct vt_dataset dataset;   /* borrows */
    uint32_t *numbers;
    float *factors, *popularity, *neighbor_values;
    double *gram;
    uint64_t *neighbor_starts;
    uint32_t *neighbor_columns;
    struct vt_bundle_metric *metrics;
};

static void *copy_of(const void *bytes, size_t n)
{
    void *copy = malloc(n);
    assert_non_null(copy);
    return memcpy(copy, bytes, n);
}

static void copy_arrays(struct model *model)
{
    struct vt_bundle_view *view = &model->view;
    const size_t n = view->n_items, neighbors = view->neighbors.starts[n];
    view->item_numbers = model->numbers = copy_of(view->item_numbers, n * sizeof(uint32_t));
    view->item_factors = model->factors =
        copy_of(view->item_factors, n * view->factor_stride * sizeof(float));
    view->gram = model->gram = copy_of(view->gram, (size_t)view->dim * view->dim * sizeof(double));
    view->popularity = model->popularity = copy_of(view->popularity, n * sizeof(float));
    view->neighbors.starts = model->neighbor_starts =
        copy_of(view->neighbors.starts, (n + 1) * sizeof(uint64_t));
    view->neighbors.columns = model->neighbor_columns =
        copy_of(view->neighbors.columns, neighbors * sizeof(uint32_t));
    view->neighbors.values = model->neighbor_values =
        copy_of(view->neighbors.values, neighbors * sizeof(float));
    view->metrics = model->metrics =
        copy_of(view->metrics, view->n_metrics * sizeof *view->metrics);
}

static void model_init(struct model *model, const struct fixture *fixture, const char *version)
{
    const struct vt_train_result *good = &fixture->good;
    const size_t rows = good->held_out.split.test.n_rows;
    *model =
        (struct model){.view = good->view, .held_out = good->held_out, .dataset = good->dataset};
    model->view.version = version;
    model->view.parent = fixture->parent_result.version;
    model->held_out.recall = copy_of(good->held_out.recall, rows * sizeof(double));
    model->held_out.ndcg = copy_of(good->held_out.ndcg, rows * sizeof(double));
    copy_arrays(model);
}

static void model_fini(struct model *model)
{
    free(model->numbers);
    free(model->factors);
    free(model->gram);
    free(model->popularity);
    free(model->neighbor_starts);
    free(model->neighbor_columns);
    free(model->neighbor_values);
    free(model->metrics);
    free(model->held_out.recall);
    free(model->held_out.ndcg);
}

/* ---- the ways to spoil it ---- */

static float *factor_row(struct model *model, uint32_t row)
{
    return model->factors + (size_t)row * model->view.factor_stride;
}

/* The Gram matrix that belongs to the factors as they are now, so that it does not give them away.
 */
static void mend_gram(struct model *model)
{
    const uint32_t dim = model->view.dim;
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j < dim; j++) {
            double sum = 0;
            for (uint32_t row = 0; row < model->view.n_items; row++)
                sum += (double)factor_row(model, row)[i] * (double)factor_row(model, row)[j];
            model->gram[i * dim + j] = model->view.unobserved_weight * sum;
        }
}

static void factor_is_nan(struct model *model)
{
    model->factors[3] = NAN;
}
static void factor_is_infinite(struct model *model)
{
    model->factors[0] = INFINITY;
}
static void gram_is_nan(struct model *model)
{
    model->gram[1] = (double)NAN;
}
static void popularity_is_nan(struct model *model)
{
    model->popularity[2] = NAN;
}
static void popularity_is_negative(struct model *model)
{
    model->popularity[2] = -1;
}
static void neighbor_is_nan(struct model *model)
{
    model->neighbor_values[0] = NAN;
}
static void neighbor_is_out_of_range(struct model *model)
{
    model->neighbor_columns[0] = ITEMS + 10;
}
static void neighbors_are_unordered(struct model *model)
{
    model->neighbor_values[0] = 0;
}
static void neighbor_rows_overlap(struct model *model)
{
    model->neighbor_starts[1] = model->neighbor_starts[2] + 5;
}
static void numbers_are_not_ascending(struct model *model)
{
    model->numbers[4] = model->numbers[5];
    model->numbers[5] = model->numbers[4] - 1;
}
static void number_is_there_twice(struct model *model)
{
    model->numbers[4] = model->numbers[5];
}
static void stride_is_wrong(struct model *model)
{
    model->view.factor_stride = 2 * VT_BUNDLE_STRIDE_FLOATS;
    model->view.n_items /= 2;
}
static void padding_is_used(struct model *model)
{
    model->factors[DIM] = 1;
}
static void dimension_is_too_small(struct model *model)
{
    model->view.dim = DIM - 1;
}
static void mix_wants_what_is_not_there(struct model *model)
{
    model->view.mix.kernel = 1;
}
static void metric_is_nan(struct model *model)
{
    model->metrics[0].value = (double)NAN;
}
static void gram_is_of_other_factors(struct model *model)
{
    for (uint32_t i = 0; i < DIM * DIM; i++)
        model->gram[i] *= 2;
}
static void weight_is_not_that_of_the_gram(struct model *model)
{
    model->view.unobserved_weight *= 3;
}
static void factors_are_scaled(struct model *model)
{
    for (size_t i = 0; i < (size_t)model->view.n_items * model->view.factor_stride; i++)
        model->factors[i] *= 10;
}
static void factors_are_zero(struct model *model)
{
    memset(model->factors, 0,
           (size_t)model->view.n_items * model->view.factor_stride * sizeof(float));
    mend_gram(model);
}
static void some_factors_are_zero(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row += 20)
        memset(factor_row(model, row), 0, DIM * sizeof(float));
    mend_gram(model);
}
static void popularity_is_constant(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row++)
        model->popularity[row] = 7;
}
static void popularity_is_turned_around(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row++)
        model->popularity[row] = 1000 - model->popularity[row];
}
static void half_the_items_are_missing(struct model *model)
{
    model->view.n_items /= 2;
    model->view.neighbors = model->view.bought_together = (struct vt_csr){0};
    model->view.groups = (struct vt_bundle_groups){0};
    model->view.trending = NULL;
    mend_gram(model);
}
static void items_are_others(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row++)
        model->numbers[row] += 1000;
}
static void two_items_are_others(struct model *model)
{
    model->numbers[model->view.n_items - 1] += 7;
    model->numbers[model->view.n_items - 2] += 7;
}
static void data_are_older(struct model *model)
{
    model->view.last_time_ms -= 2000 * HOUR_MS;
    model->dataset.last_time_ms = model->view.last_time_ms;
}
static void counts_are_others(struct model *model)
{
    model->view.n_interactions--;
}

static void rotate_factors(struct model *model, uint32_t by)
{
    const size_t n = model->view.n_items, bytes = model->view.factor_stride * sizeof(float);
    float *before = copy_of(model->factors, n * bytes);
    for (size_t row = 0; row < n; row++)
        memcpy(factor_row(model, (uint32_t)row),
               before + (row + by) % n * model->view.factor_stride, bytes);
    free(before);
}
static void factors_are_of_other_items(struct model *model)
{
    rotate_factors(model, 1 + ITEMS / TASTES / 2);
    mend_gram(model); /* the sums come in another order */
}
static void factors_are_shuffled(struct model *model)
{
    uint64_t seed = 5;
    for (uint32_t row = model->view.n_items - 1; row > 0; row--) {
        uint32_t other = draw(&seed, row + 1);
        for (uint32_t d = 0; d < DIM; d++) {
            float kept = factor_row(model, row)[d];
            factor_row(model, row)[d] = factor_row(model, other)[d];
            factor_row(model, other)[d] = kept;
        }
    }
    mend_gram(model);
}
static void signs_are_flipped(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row += 2)
        for (uint32_t d = 0; d < DIM; d++)
            factor_row(model, row)[d] *= -1;
    mend_gram(model);
}
static void some_factors_are_far_too_long(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row += 9)
        for (uint32_t d = 0; d < DIM; d++)
            factor_row(model, row)[d] *= 100;
    mend_gram(model);
}
static void factors_are_noise(struct model *model)
{
    uint64_t seed = 6;
    for (uint32_t row = 0; row < model->view.n_items; row++)
        for (uint32_t d = 0; d < DIM; d++)
            factor_row(model, row)[d] = (float)draw(&seed, 1000) / 1000 - 0.5F;
    mend_gram(model);
}
static void dimension_is_lost(struct model *model)
{
    for (uint32_t row = 0; row < model->view.n_items; row++)
        for (uint32_t d = 1; d < DIM; d++)
            factor_row(model, row)[d] = 0;
    mend_gram(model);
}
/* Each row's list goes to the item half a taste further. */
static void neighbors_are_of_other_items(struct model *model)
{
    const uint32_t n = model->view.n_items;
    const uint64_t *starts = model->view.neighbors.starts;
    uint64_t n_entries = starts[n], at = 0;
    uint32_t *columns = copy_of(model->neighbor_columns, n_entries * sizeof(uint32_t));
    float *values = copy_of(model->neighbor_values, n_entries * sizeof(float));
    uint64_t *before = copy_of(starts, (n + 1) * sizeof(uint64_t));
    for (uint32_t row = 0; row < n; row++) {
        uint32_t from = (row + ITEMS / TASTES) % n;
        uint64_t length = before[from + 1] - before[from];
        memcpy(model->neighbor_columns + at, columns + before[from], length * sizeof(uint32_t));
        memcpy(model->neighbor_values + at, values + before[from], length * sizeof(float));
        model->neighbor_starts[row] = at;
        at += length;
    }
    free(columns);
    free(values);
    free(before);
}
static void worsen(struct model *model, double share)
{
    for (uint32_t row = 0; row < model->held_out.split.test.n_rows; row++) {
        model->held_out.recall[row] *= 1 - share;
        model->held_out.ndcg[row] *= 1 - share;
    }
}
static void answers_are_five_percent_worse(struct model *model)
{
    worsen(model, 0.05);
}

/* ---- and its files ---- */

static void path_of(char path[4096], const char *folder, const char *version, const char *file)
{
    snprintf(path, 4096, "%s/bundles/%s/%s", folder, version, file);
}
static void factors_are_cut_off(const char *folder, const char *version)
{
    char path[4096];
    path_of(path, folder, version, "item_factors.arr");
    assert_int_equal(truncate(path, 640), 0);
}
static void factors_are_gone(const char *folder, const char *version)
{
    char path[4096];
    path_of(path, folder, version, "item_factors.arr");
    assert_int_equal(unlink(path), 0);
}
static void flip(const char *folder, const char *version, const char *file, off_t offset)
{
    char path[4096];
    unsigned char byte;
    path_of(path, folder, version, file);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}
static void bit_of_neighbors_is_flipped(const char *folder, const char *version)
{
    flip(folder, version, "neighbor_values.arr", 70);
}
static void bit_of_the_manifest_is_flipped(const char *folder, const char *version)
{
    flip(folder, version, "manifest.json", 0);
}

/* ---- judging ---- */

struct row {
    const char *name;
    void (*spoil)(struct model *model);
    void (*spoil_files)(const char *folder, const char *version);
    const char *reason; /* stands in the field or the text that is told */
};
#define IN_MEMORY(name_, reason_)                                                                  \
    {                                                                                              \
#name_, name_, NULL, reason_                                                               \
    }
#define ON_DISK(name_, reason_)                                                                    \
    {                                                                                              \
#name_, NULL, name_, reason_                                                               \
    }

static const struct row rows[] = {
    IN_MEMORY(factor_is_nan, "item_factors"),
    IN_MEMORY(factor_is_infinite, "item_factors"),
    IN_MEMORY(gram_is_nan, "gram"),
    IN_MEMORY(popularity_is_nan, "popularity"),
    IN_MEMORY(popularity_is_negative, "popularity"),
    IN_MEMORY(neighbor_is_nan, "neighbor_values"),
    IN_MEMORY(neighbor_is_out_of_range, "neighbor_columns"),
    IN_MEMORY(neighbors_are_unordered, "neighbor_"),
    IN_MEMORY(neighbor_rows_overlap, "neighbor_"),
    IN_MEMORY(numbers_are_not_ascending, "item_numbers"),
    IN_MEMORY(number_is_there_twice, "item_numbers"),
    IN_MEMORY(stride_is_wrong, "stride"),
    IN_MEMORY(padding_is_used, "item_factors"),
    IN_MEMORY(dimension_is_too_small, "item_factors"),
    IN_MEMORY(mix_wants_what_is_not_there, "kernel"),
    ON_DISK(factors_are_cut_off, "item_factors.arr"),
    ON_DISK(factors_are_gone, "item_factors.arr"),
    ON_DISK(bit_of_neighbors_is_flipped, "sha256"),
    ON_DISK(bit_of_the_manifest_is_flipped, "manifest"),
    IN_MEMORY(metric_is_nan, "number"),
    IN_MEMORY(gram_is_of_other_factors, "gram"),
    IN_MEMORY(weight_is_not_that_of_the_gram, "gram"),
    IN_MEMORY(factors_are_scaled, "gram"),
    IN_MEMORY(factors_are_zero, "item_factors"),
    IN_MEMORY(some_factors_are_zero, "item_factors"),
    IN_MEMORY(popularity_is_constant, "popularity"),
    IN_MEMORY(popularity_is_turned_around, "popularity"),
    IN_MEMORY(half_the_items_are_missing, "items"),
    IN_MEMORY(items_are_others, "items"),
    IN_MEMORY(two_items_are_others, "item_numbers"),
    IN_MEMORY(data_are_older, "older"),
    IN_MEMORY(counts_are_others, "counts"),
    IN_MEMORY(factors_are_of_other_items, "the finished model"),
    IN_MEMORY(factors_are_shuffled, "the finished model"),
    IN_MEMORY(signs_are_flipped, "the finished model"),
    IN_MEMORY(some_factors_are_far_too_long, "the finished model"),
    IN_MEMORY(factors_are_noise, "the finished model"),
    IN_MEMORY(dimension_is_lost, "the finished model"),
    IN_MEMORY(neighbors_are_of_other_items, "the item neighbours alone"),
    IN_MEMORY(answers_are_five_percent_worse, "the measured model"),
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static struct vt_err gate(const struct fixture *fixture, const struct model *model,
                          const struct vt_bundle_view *view, struct vt_diag *diag,
                          struct vt_gate_opinion *opinion)
{
    struct vt_gate_options options;
    const struct vt_gate_input input = {.content = view,
                                        .parent = vt_bundle_view(fixture->parent),
                                        .held_out = &model->held_out,
                                        .dataset = &model->dataset};
    vt_gate_options_default(&options);
    options.threads = 2;
    return vt_gate_check(&input, &options, diag, opinion);
}

/* The way of every version. */
static struct vt_err publish(const struct fixture *fixture, const struct model *model,
                             const struct row *row, struct vt_diag *diag,
                             struct vt_gate_opinion *opinion)
{
    struct vt_bundle *bundle;
    VT_TRY(vt_bundle_write(fixture->folder, &model->view, diag));
    if (row != NULL && row->spoil_files != NULL)
        row->spoil_files(fixture->folder, model->view.version);
    VT_TRY(vt_bundle_open(fixture->folder, model->view.version, true, diag, &bundle));
    struct vt_err err = gate(fixture, model, vt_bundle_view(bundle), diag, opinion);
    vt_bundle_release(bundle);
    return err;
}

static void refuse_row(const struct fixture *fixture, unsigned index)
{
    const struct row *row = &rows[index];
    struct vt_diag diag = {0};
    struct model model;
    char version[32];
    snprintf(version, sizeof version, "bad-%u", index);
    model_init(&model, fixture, version);
    if (row->spoil != NULL)
        row->spoil(&model);
    struct vt_err err = publish(fixture, &model, row, &diag, NULL);
    if (!vt_failed(err))
        fail_msg("%s passed", row->name);
    if (strstr(diag.field, row->reason) == NULL && strstr(diag.text, row->reason) == NULL &&
        strstr(err.what, row->reason) == NULL)
        fail_msg("%s was refused for another reason: %s: %s (%s)", row->name, diag.field, diag.text,
                 err.what);
    model_fini(&model);
}

static void bad_models_are_refused_each_for_its_reason(void **state)
{
    assert_true(N_ROWS >= 30);
    for (unsigned i = 0; i < N_ROWS; i++)
        refuse_row(*state, i);
}

static void good_model_passes_and_the_gate_says_what_it_compared(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    struct vt_gate_opinion opinion;
    struct model model;
    model_init(&model, fixture, "good");
    struct vt_err err = publish(fixture, &model, NULL, &diag, &opinion);
    if (vt_failed(err))
        fail_msg("%s: %s", diag.field, diag.text);
    assert_false(model.held_out.parent_has_seen); /* enough is newer than what serves has seen */
    assert_non_null(strstr(opinion.lines[opinion.n - 1], "neither had seen"));
    model_fini(&model);
}

static void answers_one_percent_worse_pass(void **state)
{
    const struct fixture *fixture = *state;
    struct model model;
    model_init(&model, fixture, "nearly");
    worsen(&model, 0.01);
    assert_ok(publish(fixture, &model, NULL, NULL, NULL));
    model_fini(&model);
}

static void first_model_is_judged_by_itself(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_gate_options options;
    struct vt_diag diag = {0};
    struct model model;
    model_init(&model, fixture, "first");
    struct vt_gate_input input = {
        .content = &model.view, .held_out = &model.held_out, .dataset = &model.dataset};
    vt_gate_options_default(&options);
    assert_ok(vt_gate_check(&input, &options, &diag, NULL));
    factors_are_shuffled(&model);
    assert_code(vt_gate_check(&input, &options, &diag, NULL), VT_PRECONDITION);
    model_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_model_passes_and_the_gate_says_what_it_compared),
        cmocka_unit_test(bad_models_are_refused_each_for_its_reason),
        cmocka_unit_test(answers_one_percent_worse_pass),
        cmocka_unit_test(first_model_is_judged_by_itself),
    };
    return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
