/* What is asked: the mix as told and as drawn. */
#include "loadtest/wire.h"
#include "loadtest/workload.h"
#include "tests/testlib/testlib.h"

#include <math.h>

static void mix_is_read(void **state)
{
    struct workload workload = {0};
    struct vt_diag diag = {0};
    (void)state;
    assert_ok(workload_parse_mix("events=10,recommend=80,similar=10", &workload, &diag));
    assert_int_equal(workload.weights[CALL_RECOMMEND], 80);
    assert_int_equal(workload.weights[CALL_SIMILAR], 10);
    assert_int_equal(workload.weights[CALL_EVENTS], 10);
    assert_int_equal(workload.weights_sum, 100);
    assert_true(workload_needs_items(&workload));
    assert_ok(workload_parse_mix("recommend=1", &workload, &diag));
    assert_false(workload_needs_items(&workload));
}

static void mix_that_means_nothing_is_refused(void **state)
{
    static const char *const mixes[] = {"",
                                        "recommend",
                                        "recommend=",
                                        "recommend=-1",
                                        "recommend=1,",
                                        "rccmmd=1",
                                        "recommend=1x",
                                        "=1",
                                        "recommend=1000001",
                                        "recommend=0",
                                        "rank=1,rank=2"};
    struct workload workload = {0};
    (void)state;
    for (size_t i = 0; i < sizeof mixes / sizeof mixes[0]; i++) {
        struct vt_diag diag = {0};
        assert_code(workload_parse_mix(mixes[i], &workload, &diag), VT_INVALID);
    }
    assert_int_equal(workload.weights_sum, 0);
}

struct shop {
    struct workload workload;
    struct vt_arena arena;
};

static int open_shop(void **state)
{
    static struct shop shop;
    struct vt_diag diag = {0};
    shop = (struct shop){.workload = {.n = 10, .rank_size = 5}};
    assert_ok(workload_parse_mix("recommend=80,similar=10,events=10", &shop.workload, &diag));
    assert_ok(ids_numbered(100, &shop.workload.customers));
    assert_ok(ids_numbered(50, &shop.workload.items));
    zipf_init(&shop.workload.customer_law, 100, 0.8);
    zipf_init(&shop.workload.item_law, 50, 0.8);
    assert_true(vt_arena_init_owned(&shop.arena, 64 << 10));
    *state = &shop;
    return 0;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    ids_fini(&shop->workload.customers);
    ids_fini(&shop->workload.items);
    vt_arena_fini(&shop->arena);
    return 0;
}

static struct workload_call draw(struct shop *shop, struct load_random *random, uint64_t serial)
{
    struct workload_call call;
    vt_arena_reset(&shop->arena);
    assert_ok(workload_draw(&shop->workload, random, serial, &shop->arena, &call));
    return call;
}

static void kinds_are_drawn_by_weight(void **state)
{
    enum { DRAWS = 20000 };
    struct shop *shop = *state;
    struct load_random random = {3};
    double n[N_CALL_KINDS] = {0};
    for (uint64_t i = 0; i < DRAWS; i++)
        n[draw(shop, &random, i).kind]++;
    assert_true(fabs(n[CALL_RECOMMEND] / DRAWS - 0.8) < 4 * sqrt(0.16 / DRAWS));
    assert_true(fabs(n[CALL_SIMILAR] / DRAWS - 0.1) < 4 * sqrt(0.09 / DRAWS));
    assert_true(fabs(n[CALL_EVENTS] / DRAWS - 0.1) < 4 * sqrt(0.09 / DRAWS));
    assert_true(n[CALL_RANK] + n[CALL_PROFILE] == 0);
}

static void only_calls_about_a_customer_name_one(void **state)
{
    struct shop *shop = *state;
    struct load_random random = {5};
    for (uint64_t i = 0; i < 200; i++) {
        struct workload_call call = draw(shop, &random, i);
        assert_int_equal(call.customer == NULL, call.kind == CALL_SIMILAR);
        assert_true(call.body.len > 0);
    }
}

/* The store would answer a repeated id DUPLICATE and write nothing. */
static void every_event_has_an_id_of_its_own(void **state)
{
    struct shop *shop = *state;
    struct vt_diag diag = {0};
    char first[512];
    assert_ok(workload_parse_mix("events=1", &shop->workload, &diag));
    struct load_random random = {9}, again = {9};
    struct workload_call call = draw(shop, &random, 1);
    assert_true(call.body.len < sizeof first);
    memcpy(first, call.body.data, call.body.len);
    struct workload_call second = draw(shop, &again, 2);
    assert_int_equal(call.body.len, second.body.len);
    assert_memory_not_equal(first, second.body.data, second.body.len);
}

static void a_rank_of_the_largest_size_fits_a_sender(void **state)
{
    enum { SKU_BYTES = 128, SENDER_BYTES = 64 << 10 };
    static char sku[SKU_BYTES + 1];
    const char *items[WORKLOAD_RANK_MAX];
    struct shop *shop = *state;
    struct vt_slice body;
    memset(sku, 'x', SKU_BYTES);
    for (size_t i = 0; i < WORKLOAD_RANK_MAX; i++)
        items[i] = sku;
    assert_int_equal(shop->arena.capacity, SENDER_BYTES);
    assert_ok(load_wire_rank(sku, items, WORKLOAD_RANK_MAX, &shop->arena, &body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mix_is_read),
        cmocka_unit_test(mix_that_means_nothing_is_refused),
        cmocka_unit_test_setup_teardown(kinds_are_drawn_by_weight, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(only_calls_about_a_customer_name_one, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(every_event_has_an_id_of_its_own, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_rank_of_the_largest_size_fits_a_sender, open_shop,
                                        close_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
