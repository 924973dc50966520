/* Sources that know goods: pairs of the basket, trends, groups, and newcomers by their texts. */
#include "models/content/map.h"
#include "models/popularity/groups.h"
#include "services/candidate/candidate.h"
#include "services/candidate/newcomers.h"
#include "services/common/base/clock.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_ROWS = 12, DIM = 2, STRIDE = 16, N_ITEMS = 16, ARENA_BYTES = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)

/* Items 1 … 12 have rows; 13 … 16 are newcomers. Odd ones are about tea, even ones about paint, and
 * the factors know it too. */
struct fixture {
    char *folder;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_candidate_service *service;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
};

static bool is_about_tea(uint32_t number)
{
    return number % 2 == 1;
}

static const char *title_of(uint32_t number)
{
    return is_about_tea(number) ? "Green tea" : "Oil paint";
}

static const char *category_of(uint32_t number)
{
    return is_about_tea(number) ? "tea" : "art";
}

struct content {
    struct vt_content_model model;
    struct vt_content_map map;
};

/* As training makes them: terms of the texts, and a map to the factors. */
static void learn_content(const uint32_t *numbers, const float *factors, struct content *content)
{
    struct vt_catalog catalog = {0};
    struct vt_content_options options;
    struct vt_content_reader *reader;
    struct vt_sparse matrix;
    float certainties[N_ROWS];
    vt_content_options_default(&options);
    options.ridge = 0.1;
    for (uint32_t number = 1; number <= N_ROWS; number++) {
        certainties[number - 1] = 1;
        assert_ok(vt_catalog_append(
            &catalog,
            &(struct vt_catalog_item){.number = number, .title = vt_slice_str(title_of(number))}));
    }
    assert_ok(vt_content_train(&catalog, &options, NULL, &content->model));
    assert_ok(vt_content_reader_new(content->model.language, NULL, &reader));
    assert_ok(vt_content_matrix(reader, &content->model.space, &catalog, numbers, N_ROWS, &matrix));
    const struct vt_content_map_input input = {.content = &matrix,
                                               .factors = factors,
                                               .dim = DIM,
                                               .row_stride = STRIDE,
                                               .certainties = certainties};
    assert_ok(vt_content_map_train(&input, &options, NULL, &content->map));
    vt_sparse_free(&matrix);
    vt_content_reader_free(reader);
    vt_catalog_free(&catalog);
}

struct model {
    uint32_t numbers[N_ROWS];
    float popularity[N_ROWS], trending[N_ROWS], factors[N_ROWS * STRIDE];
    double gram[DIM * DIM];
    uint64_t together_starts[N_ROWS + 1], group_starts[3], keys[2];
    struct vt_bundle_view view;
};

static void fill_together(struct model *model)
{
    /* item 1 goes with 4 mostly and 6 sometimes, item 2 with 6 mostly */
    static const uint32_t columns[] = {3, 5, 5};
    static const float values[] = {0.6F, 0.2F, 0.5F};
    for (uint32_t row = 0; row < N_ROWS; row++)
        model->together_starts[row + 1] = row == 0 ? 2 : 3;
    model->view.bought_together = (struct vt_csr){N_ROWS, model->together_starts, columns, values};
}

static void fill_groups(struct model *model)
{
    static const uint32_t columns[] = {10, 8, 11};
    static const float values[] = {5, 4, 9};
    uint64_t tea = vt_group_key("category", vt_slice_str("tea"));
    uint64_t newly = vt_group_key("segment", vt_slice_str("new"));
    bool tea_first = tea < newly;
    static const uint32_t tea_last_columns[] = {11, 10, 8};
    static const float tea_last_values[] = {9, 5, 4};
    model->keys[0] = tea_first ? tea : newly;
    model->keys[1] = tea_first ? newly : tea;
    model->group_starts[1] = tea_first ? 2 : 1;
    model->group_starts[2] = 3;
    model->view.groups =
        (struct vt_bundle_groups){model->keys,
                                  {2, model->group_starts, tea_first ? columns : tea_last_columns,
                                   tea_first ? values : tea_last_values}};
}

static void write_bundle(const char *folder, const char *version, bool with_content)
{
    static struct model model;
    struct content content = {0};
    static const struct vt_bundle_parameter language = {"content_language", "english"};
    memset(&model, 0, sizeof model);
    for (uint32_t row = 0; row < N_ROWS; row++) {
        model.numbers[row] = row + 1;
        model.popularity[row] = (float)(N_ROWS - row);
        model.factors[row * STRIDE + (is_about_tea(row + 1) ? 0 : 1)] = 1;
    }
    model.gram[0] = model.gram[3] = 0.1 * N_ROWS / 2;
    model.trending[9] = 0.7F;
    model.trending[7] = 1.2F;
    model.view = (struct vt_bundle_view){.version = version,
                                         .parent = "",
                                         .algorithm = "ials",
                                         .blas = "",
                                         .kernel_name = "",
                                         .n_items = N_ROWS,
                                         .item_numbers = model.numbers,
                                         .dim = DIM,
                                         .factor_stride = STRIDE,
                                         .item_factors = model.factors,
                                         .gram = model.gram,
                                         .regularization = 0.1,
                                         .unobserved_weight = 0.1,
                                         .popularity = model.popularity,
                                         .trending = model.trending,
                                         .parameters = &language,
                                         .n_parameters = 1};
    fill_together(&model);
    fill_groups(&model);
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        model.view.event_weights[type] = vt_event_type_default_weight(type);
    if (with_content) {
        learn_content(model.numbers, model.factors, &content);
        model.view.content = (struct vt_bundle_content){
            content.model.space.n_terms, content.model.terms, content.model.idf, content.map.rows};
    }
    struct vt_diag diag = {0};
    assert_ok(vt_bundle_write(folder, &model.view, &diag));
    assert_ok(vt_bundle_publish(folder, version, &diag));
    vt_content_model_free(&content.model);
    vt_content_map_free(&content.map);
}

static void describe(struct vt_item_table *items, uint32_t number)
{
    char id[16];
    (void)snprintf(id, sizeof id, "sku-%u", number);
    struct vt_item item = {.number = number,
                           .id = vt_slice_str(id),
                           .title = vt_slice_str(title_of(number)),
                           .categories = {vt_slice_str(category_of(number))},
                           .n_categories = 1,
                           .stock = -1};
    assert_ok(vt_item_table_upsert(items, &item));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->folder = vt_test_folder_new();
    write_bundle(fixture->folder, "v1", true);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_item_table_new(&fixture->items));
    for (uint32_t number = 1; number <= N_ITEMS; number++)
        describe(fixture->items, number);
    assert_ok(vt_candidate_service_new(fixture->bundles, fixture->items, vt_clock_system(), NULL,
                                       &fixture->service));
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    fixture->request = (struct vt_request){
        .arena = &fixture->arena, .diag = &fixture->diag, .deadline_ns = INT64_MAX};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt_candidate_service_free(fixture->service);
    vt_item_table_free(fixture->items);
    vt_bundle_set_close(fixture->bundles);
    vt_test_folder_remove(fixture->folder);
    vt_arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static struct vt_candidate_list ask(struct fixture *fixture, struct vt_candidate_query query)
{
    struct vt_candidate_list list;
    if (query.n == 0)
        query.n = 50;
    vt_arena_reset(&fixture->arena);
    assert_ok(vt_candidate_get(fixture->service, &fixture->request, &query, &list));
    return list;
}

static const struct vt_candidate *find(const struct vt_candidate_list *list, uint32_t item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->candidates[i].item == item)
            return &list->candidates[i];
    return NULL;
}

static bool has(const struct vt_candidate *candidate, enum vt_source source)
{
    return candidate != NULL && (candidate->sources >> source & 1) != 0;
}

static struct vt_history_event event(uint32_t item, enum vt_event_type type)
{
    return (struct vt_history_event){
        .item = item, .type = (uint16_t)type, .value = 1, .time_ms = NOW_MS};
}

/* ---- bought together ---- */

static void the_basket_speaks_for_what_goes_with_it(void **state)
{
    static const uint32_t context[] = {1};
    const struct vt_history_event history[] = {event(2, VT_EVENT_CART)};
    struct vt_candidate_list list =
        ask(*state, (struct vt_candidate_query){
                        .context = context, .n_context = 1, .history = history, .n_history = 1});
    const struct vt_candidate *four = find(&list, 4), *six = find(&list, 6);
    assert_true(has(four, VT_SOURCE_BOUGHT_TOGETHER) && has(six, VT_SOURCE_BOUGHT_TOGETHER));
    assert_true(four->scores[VT_SOURCE_BOUGHT_TOGETHER] > 0.59);
    /* the surest of two that speak for it */
    assert_true(six->scores[VT_SOURCE_BOUGHT_TOGETHER] > 0.49 &&
                six->scores[VT_SOURCE_BOUGHT_TOGETHER] < 0.51);
    assert_false(has(find(&list, 8), VT_SOURCE_BOUGHT_TOGETHER));
}

static void what_was_only_looked_at_is_no_basket(void **state)
{
    const struct vt_history_event history[] = {event(1, VT_EVENT_VIEW)};
    struct vt_candidate_list list =
        ask(*state, (struct vt_candidate_query){.history = history, .n_history = 1});
    assert_false(has(find(&list, 4), VT_SOURCE_BOUGHT_TOGETHER));
}

static void one_basket_leaves_nothing_to_the_next(void **state)
{
    static const uint32_t context[] = {1};
    ask(*state, (struct vt_candidate_query){.context = context, .n_context = 1});
    struct vt_candidate_list list = ask(*state, (struct vt_candidate_query){0});
    for (uint32_t i = 0; i < list.n; i++)
        assert_false(has(&list.candidates[i], VT_SOURCE_BOUGHT_TOGETHER));
}

static void seen_items_are_not_bought_again_together(void **state)
{
    const struct vt_history_event history[] = {event(1, VT_EVENT_PURCHASE),
                                               event(4, VT_EVENT_PURCHASE)};
    struct vt_candidate_list list =
        ask(*state, (struct vt_candidate_query){.history = history, .n_history = 2});
    assert_null(find(&list, 4));
    assert_true(has(find(&list, 6), VT_SOURCE_BOUGHT_TOGETHER));
}

/* ---- trends and groups ---- */

static void trends_come_with_their_strength(void **state)
{
    struct vt_candidate_list list = ask(*state, (struct vt_candidate_query){.n = 1});
    assert_int_equal(list.n, 1);
    list = ask(*state, (struct vt_candidate_query){0});
    const struct vt_candidate *strong = find(&list, 8), *weak = find(&list, 10);
    assert_true(has(strong, VT_SOURCE_TRENDING) && has(weak, VT_SOURCE_TRENDING));
    assert_true(strong->scores[VT_SOURCE_TRENDING] > weak->scores[VT_SOURCE_TRENDING]);
    assert_false(has(find(&list, 2), VT_SOURCE_TRENDING));
}

static void the_category_of_the_page_is_represented(void **state)
{
    static const uint32_t context[] = {13}; /* a newcomer about tea: no row, but a category */
    struct vt_candidate_list with =
        ask(*state, (struct vt_candidate_query){.context = context, .n_context = 1, .n = 8});
    struct vt_candidate_list without = {0};
    bool in_both = find(&with, 11) != NULL && find(&with, 9) != NULL;
    assert_true(in_both); /* rows 10 and 8, the least popular but for one */
    without = ask(*state, (struct vt_candidate_query){.n = 8});
    assert_null(find(&without, 9));
    assert_non_null(find(&without, 12)); /* segment:new */
}

/* ---- newcomers ---- */

/* The table of newcomers is made beside the requests that ask for it; so ask until it is there. */
static struct vt_candidate_list ask_until(struct fixture *fixture,
                                          const struct vt_candidate_query *query, uint32_t item,
                                          bool wanted)
{
    struct vt_candidate_list list;
    time_t end = time(NULL) + 60;
    do {
        list = ask(fixture, *query);
    } while (has(find(&list, item), VT_SOURCE_CONTENT) != wanted && time(NULL) < end);
    return list;
}

static void a_newcomer_is_found_by_its_text(void **state)
{
    const struct vt_history_event history[] = {event(1, VT_EVENT_VIEW), event(3, VT_EVENT_CART)};
    const struct vt_candidate_query query = {.history = history, .n_history = 2, .n = 50};
    struct vt_candidate_list list = ask_until(*state, &query, 13, true);
    const struct vt_candidate *tea = find(&list, 13), *paint = find(&list, 14);
    assert_true(has(tea, VT_SOURCE_CONTENT));
    assert_true(tea->because == 3); /* the heavier of two alike */
    assert_true(!has(paint, VT_SOURCE_CONTENT) ||
                paint->scores[VT_SOURCE_CONTENT] < tea->scores[VT_SOURCE_CONTENT] / 10);
    /* on one scale with what has rows: above paint that is known, not above known tea */
    assert_true(tea->scores[VT_SOURCE_FACTOR] > find(&list, 2)->scores[VT_SOURCE_FACTOR]);
    assert_true(tea->scores[VT_SOURCE_FACTOR] <= find(&list, 5)->scores[VT_SOURCE_FACTOR]);
}

static void an_item_inserted_later_joins_and_a_new_text_counts(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_history_event history[] = {event(1, VT_EVENT_CART)};
    const struct vt_candidate_query query = {.history = history, .n_history = 1, .n = 50};
    ask_until(fixture, &query, 13, true);
    describe(fixture->items, 17);
    struct vt_candidate_list list = ask_until(fixture, &query, 17, true);
    assert_true(has(find(&list, 17), VT_SOURCE_CONTENT));
    const struct vt_item silent = {
        .number = 17, .id = vt_slice_str("sku-17"), .title = vt_slice_str("Zzz"), .stock = -1};
    assert_ok(vt_item_table_upsert(fixture->items, &silent));
    list = ask_until(fixture, &query, 17, false);
    assert_false(has(find(&list, 17), VT_SOURCE_CONTENT));
}

static void an_excluded_newcomer_stays_out(void **state)
{
    static const uint32_t exclude[] = {13};
    const struct vt_history_event history[] = {event(1, VT_EVENT_CART)};
    struct vt_candidate_query query = {.history = history, .n_history = 1, .n = 50};
    ask_until(*state, &query, 13, true);
    query.exclude = exclude;
    query.n_exclude = 1;
    struct vt_candidate_list list = ask(*state, query);
    assert_null(find(&list, 13));
    assert_true(has(find(&list, 15), VT_SOURCE_CONTENT));
}

struct reader {
    struct vt__newcomers *newcomers;
    const struct vt_bundle_view *view;
    atomic_bool *stop;
    uint64_t n_tables;
};

static void *keep_reading(void *ctx)
{
    struct reader *reader = ctx;
    while (!atomic_load(reader->stop)) {
        unsigned ticket;
        const struct vt__newcomer_table *table =
            vt__newcomers_enter(reader->newcomers, reader->view, &ticket);
        for (uint32_t i = 0; table != NULL && i < table->n; i++)
            if (vt__newcomer_place(table, table->items[i]) != i)
                abort();
        reader->n_tables += table != NULL;
        vt__newcomers_leave(reader->newcomers, ticket);
    }
    return NULL;
}

/* For the thread sanitizer: readers in both slots while tables are made over and over. */
static void readers_keep_their_table_while_others_are_made(void **state)
{
    struct fixture *fixture = *state;
    struct vt_clock_fake clock;
    struct vt__newcomers *newcomers;
    struct vt_bundle *bundle = vt_bundle_set_current(fixture->bundles);
    atomic_bool stop = false;
    vt_clock_fake_init(&clock, NOW_MS);
    assert_ok(vt__newcomers_new(fixture->bundles, fixture->items, &clock.clock, NULL, &newcomers));
    struct reader readers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        readers[i] = (struct reader){newcomers, vt_bundle_view(bundle), &stop, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &readers[i]), 0);
    }
    for (uint32_t round = 0; round < 300; round++) {
        describe(fixture->items, N_ITEMS + 1 + round);
        vt_clock_fake_advance_ms(&clock, 1000);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    vt__newcomers_free(newcomers);
    vt_bundle_release(bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_basket_speaks_for_what_goes_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_only_looked_at_is_no_basket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_basket_leaves_nothing_to_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(seen_items_are_not_bought_again_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trends_come_with_their_strength, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_category_of_the_page_is_represented, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newcomer_is_found_by_its_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_inserted_later_joins_and_a_new_text_counts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_excluded_newcomer_stays_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_keep_their_table_while_others_are_made, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
