/* The served model against its definition: every row scored, every member brought to scale. */
#include "models/factor/fold_in.h"
#include "models/factor/moments.h"
#include "models/kernels/kernels.h"
#include "services/candidate/candidate.h"
#include "services/common/base/clock.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 120, DIM = 6, STRIDE = 16, PER_ROW = 9, N_HISTORY = 5, ARENA_BYTES = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)
#define TOLERANCE 1e-9

struct fixture {
    char *folder;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_clock_fake clock;
    struct vt_candidate_service *service;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    struct vt_history_event history[N_HISTORY];
};

static uint64_t random_state;
static double next_random(void) /* in [-1, 1) */
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (double)(random_state >> 11) / 4503599627370496.0 - 1;
}

static _Alignas(64) float factors[N_ROWS * STRIDE];
static double gram[DIM * DIM], moments[(DIM + 1) * DIM];
static float popularity[N_ROWS];
static uint64_t starts[N_ROWS + 1];
static uint32_t columns[N_ROWS * PER_ROW], numbers[N_ROWS];
static float values[N_ROWS * PER_ROW];

static void fill_content(void)
{
    random_state = 5;
    memset(gram, 0, sizeof gram);
    for (uint32_t r = 0; r < N_ROWS; r++) {
        numbers[r] = r + 1;
        popularity[r] = (float)(r % 17);
        for (uint32_t d = 0; d < DIM; d++)
            factors[r * STRIDE + d] = (float)next_random();
        for (uint32_t i = 0; i < DIM * DIM; i++)
            gram[i] +=
                .1 * (double)factors[r * STRIDE + i / DIM] * (double)factors[r * STRIDE + i % DIM];
        starts[r + 1] = starts[r] + PER_ROW;
        for (uint32_t i = 0; i < PER_ROW; i++) {
            columns[r * PER_ROW + i] = (r * 7 + i * 11) % N_ROWS;
            values[r * PER_ROW + i] = 0.8F - 0.15F * (float)i; /* the last ones are below 0 */
        }
    }
    const struct vt_factor_rows rows = {factors, N_ROWS, DIM, STRIDE};
    assert_ok(vt_factor_moments(&rows, 1, moments));
}

static void write_bundle(const char *folder, struct vt_bundle_mix mix)
{
    fill_content();
    const struct vt_csr csr = {N_ROWS, starts, columns, values};
    struct vt_bundle_view view = {.version = "v1",
                                  .parent = "",
                                  .algorithm = "blend",
                                  .blas = "",
                                  .n_items = N_ROWS,
                                  .item_numbers = numbers,
                                  .dim = DIM,
                                  .factor_stride = STRIDE,
                                  .item_factors = factors,
                                  .gram = gram,
                                  .regularization = .1,
                                  .unobserved_weight = .1,
                                  .popularity = popularity,
                                  .kernel_name = "ease",
                                  .kernel = csr,
                                  .neighbors = csr,
                                  .mix = mix,
                                  .factor_moments = moments};
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        view.event_weights[type] = vt_event_type_default_weight(type);
    struct vt_diag diag = {0};
    assert_ok(vt_bundle_write(folder, &view, &diag));
    assert_ok(vt_bundle_publish(folder, "v1", &diag));
}

static void set_up(struct fixture *fixture, struct vt_bundle_mix mix)
{
    *fixture = (struct fixture){.folder = vt_test_folder_new()};
    write_bundle(fixture->folder, mix);
    vt_clock_fake_init(&fixture->clock, NOW_MS);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_item_table_new(&fixture->items));
    for (uint32_t number = 1; number <= N_ROWS; number++) {
        char id[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        struct vt_item item = {.number = number, .id = vt_slice_str(id), .stock = -1};
        assert_ok(vt_item_table_upsert(fixture->items, &item));
    }
    assert_ok(vt_candidate_service_new(fixture->bundles, fixture->items, &fixture->clock.clock,
                                       NULL, &fixture->service));
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    fixture->request = (struct vt_request){
        .arena = &fixture->arena, .diag = &fixture->diag, .deadline_ns = INT64_MAX};
    static const uint32_t items[N_HISTORY] = {3, 40, 77, 101, 12};
    for (uint32_t i = 0; i < N_HISTORY; i++)
        fixture->history[i] = (struct vt_history_event){.item = items[i],
                                                        .type = i == 4       ? VT_EVENT_DISLIKE
                                                                : i % 2 == 0 ? VT_EVENT_PURCHASE
                                                                             : VT_EVENT_VIEW,
                                                        .value = 1,
                                                        .time_ms = NOW_MS - 1000 * (int64_t)i};
}

static void tear_down(struct fixture *fixture)
{
    vt_candidate_service_free(fixture->service);
    vt_bundle_set_close(fixture->bundles);
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    vt_test_folder_remove(fixture->folder);
}

/* ---- the definition ---- */

static void add_member(float weight, const double *scores, double *sums)
{
    double mean = 0, squares = 0;
    for (uint32_t r = 0; r < N_ROWS; r++)
        mean += scores[r] / N_ROWS;
    for (uint32_t r = 0; r < N_ROWS; r++)
        squares += (scores[r] - mean) * (scores[r] - mean) / N_ROWS;
    for (uint32_t r = 0; r < N_ROWS; r++)
        sums[r] += (double)weight * (scores[r] - mean) / sqrt(squares);
}

static void score_all(const struct fixture *fixture, struct vt_bundle_mix mix, double *ret_scores)
{
    static char scratch[1 << 16];
    double of_factor[N_ROWS], of_kernel[N_ROWS] = {0}, of_popular[N_ROWS];
    uint32_t rows[N_HISTORY];
    float weights[N_HISTORY], vector[DIM];
    for (uint32_t i = 0; i < N_HISTORY; i++) {
        rows[i] = fixture->history[i].item - 1;
        weights[i] = vt_event_type_default_weight(fixture->history[i].type);
        for (uint32_t e = 0; e < PER_ROW; e++)
            of_kernel[columns[rows[i] * PER_ROW + e]] +=
                (double)weights[i] * (double)values[rows[i] * PER_ROW + e];
    }
    const struct vt_fold_in_model model = {factors, gram, N_ROWS, DIM, STRIDE, .1, 0, .1};
    assert_true(vt_fold_in_scratch_bytes(DIM) <= sizeof scratch);
    assert_ok(vt_fold_in(&model, rows, weights, N_HISTORY, scratch, vector));
    for (uint32_t r = 0; r < N_ROWS; r++) {
        of_factor[r] = vt_score_dot(factors + (size_t)r * STRIDE, vector, DIM);
        of_popular[r] = log1p((double)popularity[r]);
        ret_scores[r] = 0;
    }
    add_member(mix.factor, of_factor, ret_scores);
    add_member(mix.kernel, of_kernel, ret_scores);
    add_member(mix.popular, of_popular, ret_scores);
}

static struct vt_candidate_list get(struct fixture *fixture, uint32_t n)
{
    struct vt_candidate_list list = {0};
    const struct vt_candidate_query query = {
        .history = fixture->history, .n_history = N_HISTORY, .n = n};
    assert_ok(vt_candidate_get(fixture->service, &fixture->request, &query, &list));
    return list;
}

static void candidates_carry_the_defined_score_in_its_order(void **state)
{
    (void)state;
    static const struct vt_bundle_mix mixes[] = {
        {.factor = 1}, {.kernel = 1}, {.factor = .5F, .kernel = .7F, .popular = -.2F}};
    for (size_t m = 0; m < sizeof mixes / sizeof mixes[0]; m++) {
        struct fixture fixture;
        double expected[N_ROWS];
        set_up(&fixture, mixes[m]);
        score_all(&fixture, mixes[m], expected);
        struct vt_candidate_list list = get(&fixture, N_ROWS);
        assert_true(list.n > 20);
        for (uint32_t i = 0; i < list.n; i++) {
            const struct vt_candidate *candidate = &list.candidates[i];
            assert_true((candidate->sources >> VT_SOURCE_MODEL & 1) != 0);
            assert_true(fabs(candidate->scores[VT_SOURCE_MODEL] - expected[candidate->item - 1]) <
                        TOLERANCE);
            assert_true(i == 0 || candidate->scores[VT_SOURCE_MODEL] <=
                                      list.candidates[i - 1].scores[VT_SOURCE_MODEL]);
        }
        tear_down(&fixture);
    }
}

/* No row that is left out would stand among the first ten. */
static void the_first_are_those_of_all_rows(void **state)
{
    (void)state;
    const struct vt_bundle_mix mix = {.factor = .5F, .kernel = .5F};
    struct fixture fixture;
    double expected[N_ROWS];
    set_up(&fixture, mix);
    score_all(&fixture, mix, expected);
    struct vt_candidate_list list = get(&fixture, 60);
    for (uint32_t i = 0; i < N_HISTORY; i++)
        expected[fixture.history[i].item - 1] = -1e9; /* seen */
    for (uint32_t place = 0; place < 10; place++) {
        uint32_t best = 0;
        for (uint32_t r = 1; r < N_ROWS; r++)
            best = expected[r] > expected[best] ? r : best;
        assert_int_equal(list.candidates[place].item, best + 1);
        expected[best] = -1e9;
    }
    tear_down(&fixture);
}

static void a_second_request_finds_nothing_of_the_first(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, (struct vt_bundle_mix){.kernel = 1});
    struct vt_candidate_list first = get(&fixture, 30), second = get(&fixture, 30);
    assert_int_equal(first.n, second.n);
    for (uint32_t i = 0; i < first.n; i++) {
        assert_int_equal(first.candidates[i].item, second.candidates[i].item);
        assert_memory_equal(first.candidates[i].scores, second.candidates[i].scores,
                            sizeof first.candidates[i].scores);
    }
    tear_down(&fixture);
}

static void the_kernel_says_because_of_what(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, (struct vt_bundle_mix){.kernel = 1});
    struct vt_candidate_list list = get(&fixture, 10);
    for (uint32_t i = 0; i < list.n; i++) {
        uint32_t because = list.candidates[i].because;
        assert_true(because == 3 || because == 40 || because == 77 || because == 101);
        assert_true((list.candidates[i].sources >> VT_SOURCE_KERNEL & 1) != 0);
    }
    tear_down(&fixture);
}

/* Without a history the mix has nothing to say, and popular items answer as before. */
static void nobody_in_particular_gets_popular_items(void **state)
{
    (void)state;
    struct fixture fixture;
    struct vt_candidate_list list = {0};
    set_up(&fixture, (struct vt_bundle_mix){.factor = .5F, .kernel = .5F});
    const struct vt_candidate_query query = {.n = 10};
    assert_ok(vt_candidate_get(fixture.service, &fixture.request, &query, &list));
    assert_int_equal(list.n, 10);
    assert_int_equal(list.candidates[0].item, 17);
    assert_true((list.candidates[0].sources >> VT_SOURCE_MODEL & 1) == 0);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_carry_the_defined_score_in_its_order),
        cmocka_unit_test(the_first_are_those_of_all_rows),
        cmocka_unit_test(a_second_request_finds_nothing_of_the_first),
        cmocka_unit_test(the_kernel_says_because_of_what),
        cmocka_unit_test(nobody_in_particular_gets_popular_items),
    };
    return cmocka_run_group_tests_name("candidate/model_score", tests, NULL, NULL);
}
