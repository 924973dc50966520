/* The best customers for an item, against scoring everybody and sorting. */
#include "services/ranking/fans.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>
#include <string.h>

enum { N_CUSTOMERS = 500, ARENA_BYTES = 1 << 20 };

/* Stands for the candidate service: a score from the customer's only event and the item. */
static uint32_t value_of(uint32_t seed, uint32_t item)
{
    uint32_t x = seed * 2654435761U + item * 40503U;
    return (x >> 9) % 64; /* few values: many ties */
}

struct vt_err vt_candidate_get(struct vt_candidate_service *service, struct vt_request *request,
                               const struct vt_candidate_query *query,
                               struct vt_candidate_list *ret_list)
{
    (void)service;
    struct vt_candidate_list list = {.n = query->n_score_only};
    list.candidates = vt_arena_array(request->arena, list.n, sizeof *list.candidates);
    assert_non_null(list.candidates);
    for (uint32_t i = 0; i < list.n; i++) {
        struct vt_candidate *candidate = &list.candidates[i];
        *candidate =
            (struct vt_candidate){.item = query->score_only[i], .sources = 1U << VT_SOURCE_POPULAR};
        if (query->history[0].item % 10 == 0)
            continue; /* a history that the model does not know */
        candidate->sources |= 1U << VT_SOURCE_MODEL;
        candidate->scores[VT_SOURCE_MODEL] =
            (double)value_of(query->history[0].item, candidate->item) - 32;
    }
    *ret_list = list;
    return vt_ok();
}

static struct vt_arena arena;
static struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};

static struct vt_fans *fans_of(const uint32_t *items, uint32_t n_items, uint32_t n, bool buyers)
{
    struct vt_fans *fans = NULL;
    const struct vt_fans_query query = {
        .items = items, .n_items = n_items, .n = n, .include_buyers = buyers};
    assert_ok(vt_fans_new(NULL, &query, &fans));
    return fans;
}

static void look(struct vt_fans *fans, uint64_t number, struct vt_history_event event, bool consent)
{
    const struct vt_profile_view view = {.found = true,
                                         .consent = consent,
                                         .customer_number = number,
                                         .customer.id = vt_slice_str("anna"),
                                         .events = &event,
                                         .n_events = 1};
    vt_arena_reset(&arena);
    assert_ok(vt_fans_look(fans, &request, &view));
}

static int by_score(const void *left, const void *right)
{
    const struct vt_fan *a = left, *b = right;
    if (a->score != b->score) /* NOLINT: small whole numbers */
        return a->score > b->score ? -1 : 1;
    return a->customer_number > b->customer_number ? 1 : -1;
}

static void the_best_are_those_of_scoring_all_and_sorting(void **state)
{
    (void)state;
    static const uint32_t items[] = {7, 3};
    static struct vt_fan wanted[N_CUSTOMERS];
    for (uint32_t n = 1; n <= 300; n += 37) {
        struct vt_fans *fans = fans_of(items, 2, n, false);
        uint32_t n_wanted = 0, n_found = 0;
        for (uint32_t c = 1; c <= N_CUSTOMERS; c++) {
            uint32_t three = value_of(c, 3), seven = value_of(c, 7);
            look(fans, c, (struct vt_history_event){.item = c, .type = VT_EVENT_VIEW}, true);
            if (c % 10 != 0)
                wanted[n_wanted++] =
                    (struct vt_fan){.score = (double)(three >= seven ? three : seven) - 32,
                                    .customer_number = c,
                                    .item = seven > three ? 7 : 3};
        }
        qsort(wanted, n_wanted, sizeof *wanted, by_score);
        const struct vt_fan *found = vt_fans_best(fans, &n_found);
        assert_int_equal(n_found, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(found[i].customer_number, wanted[i].customer_number);
            assert_int_equal(found[i].item, wanted[i].item);
            assert_true(found[i].score == wanted[i].score); /* NOLINT */
            assert_string_equal(found[i].customer_id, "anna");
        }
        vt_fans_free(fans);
    }
}

static uint32_t n_after(struct vt_history_event event, bool consent, bool buyers)
{
    static const uint32_t item = 7;
    uint32_t n = 0;
    struct vt_fans *fans = fans_of(&item, 1, 5, buyers);
    look(fans, 1, event, consent);
    (void)vt_fans_best(fans, &n);
    vt_fans_free(fans);
    return n;
}

static void who_bought_dislikes_or_gave_no_consent_is_none(void **state)
{
    (void)state;
    const struct vt_history_event viewed = {.item = 7, .type = VT_EVENT_VIEW};
    const struct vt_history_event bought = {.item = 7, .type = VT_EVENT_PURCHASE};
    const struct vt_history_event disliked = {.item = 7, .type = VT_EVENT_DISLIKE};
    assert_int_equal(n_after(viewed, true, false), 1);
    assert_int_equal(n_after(viewed, false, false), 0);
    assert_int_equal(n_after(bought, true, false), 0);
    assert_int_equal(n_after(bought, true, true), 1);
    assert_int_equal(n_after(disliked, true, true), 0);
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    static const uint32_t items[VT_FANS_ITEMS_MAX + 1] = {1};
    static const struct {
        uint32_t n_items, n;
    } rows[] = {{0, 1}, {VT_FANS_ITEMS_MAX + 1, 1}, {1, 0}, {1, VT_FANS_MAX + 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_fans *fans = NULL;
        const struct vt_fans_query query = {
            .items = items, .n_items = rows[i].n_items, .n = rows[i].n};
        assert_code(vt_fans_new(NULL, &query, &fans), VT_INVALID);
    }
}

static int make_arena(void **state)
{
    (void)state;
    return vt_arena_init_owned(&arena, ARENA_BYTES) ? 0 : 1;
}

static int free_arena(void **state)
{
    (void)state;
    vt_arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_those_of_scoring_all_and_sorting),
        cmocka_unit_test(who_bought_dislikes_or_gave_no_consent_is_none),
        cmocka_unit_test(sizes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
