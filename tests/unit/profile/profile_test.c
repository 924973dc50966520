#include "services/common/base/clock.h"
#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The domain from outside: through profile.h alone. */

#define NOW_MS INT64_C(1750000000000)

struct fixture {
    char *folder;
    struct vt_clock_fake clock;
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    struct vt_profile_write write;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
};

static void on_written(void *ctx, struct vt_err err);

static struct vt_profile_options options_of(struct fixture *f)
{
    return (struct vt_profile_options){
        .data_dir = f->folder, .clock = &f->clock.clock, .consent_default = true, .create = true};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    vt_clock_fake_init(&f->clock, NOW_MS);
    assert_true(vt_arena_init_owned(&f->arena, 8 << 20));
    f->request =
        (struct vt_request){.arena = &f->arena, .diag = &f->diag, .deadline_ns = INT64_MAX};
    f->write = (struct vt_profile_write){.request = &f->request, .done = on_written, .ctx = f};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    struct vt_profile_options options = options_of(f);
    assert_ok(vt_profile_open(&options, &f->diag, &f->profile));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_profile_close(f->profile);
    vt_arena_fini(&f->arena);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    vt_profile_close(f->profile);
    f->profile = NULL;
    struct vt_profile_options options = options_of(f);
    assert_ok(vt_profile_open(&options, &f->diag, &f->profile));
}

static void on_written(void *ctx, struct vt_err err)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->err = err;
    f->done = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static struct vt_err wait_written(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->done)
        pthread_cond_wait(&f->changed, &f->lock);
    f->done = false;
    pthread_mutex_unlock(&f->lock);
    return f->err;
}

static struct vt_slice s(const char *text)
{
    return vt_slice_str(text);
}

static struct vt_event view_of(const char *id, const char *customer, const char *item)
{
    return (struct vt_event){.event_id = s(id),
                             .type = VT_EVENT_VIEW,
                             .customer_id = s(customer),
                             .item_id = s(item),
                             .time_ms = NOW_MS};
}

static struct vt_event_result write_one(struct fixture *f, struct vt_event event)
{
    struct vt_event_result result = {0};
    vt_profile_write_events(f->profile, &f->write, &event, 1, &result);
    assert_ok(wait_written(f));
    return result;
}

static struct vt_profile_view get(struct fixture *f, const char *customer)
{
    struct vt_profile_key key = {.customer_id = s(customer)};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &view));
    return view;
}

static struct vt_upsert_result upsert(struct fixture *f, struct vt_item item, uint32_t mask)
{
    struct vt_upsert_result result;
    vt_profile_upsert_items(f->profile, &f->write, &item, 1, mask, &result);
    assert_ok(wait_written(f));
    return result;
}

static void first_event_is_in_the_next_answer(void **state)
{
    struct fixture *f = *state;
    assert_false(get(f, "ann").found);
    struct vt_event_result result = write_one(f, view_of("e1", "ann", "mug"));
    assert_int_equal(result.outcome, VT_EVENT_ACCEPTED);
    struct vt_profile_view view = get(f, "ann");
    assert_true(view.found);
    assert_int_equal(view.n_events, 1);
    assert_int_equal(view.events[0].item, 1);
    assert_int_equal(view.events[0].type, VT_EVENT_VIEW);
}

static void event_id_counts_once_even_after_reopening(void **state)
{
    struct fixture *f = *state;
    uint64_t sequence = write_one(f, view_of("e1", "ann", "mug")).sequence;
    struct vt_event_result again = write_one(f, view_of("e1", "ann", "mug"));
    assert_int_equal(again.outcome, VT_EVENT_DUPLICATE);
    assert_int_equal(again.sequence, sequence);
    reopen(f);
    assert_int_equal(write_one(f, view_of("e1", "ann", "cup")).outcome, VT_EVENT_DUPLICATE);
    assert_int_equal(get(f, "ann").n_events, 1);
}

static void event_id_is_free_again_behind_the_window(void **state)
{
    struct fixture *f = *state;
    write_one(f, view_of("e1", "ann", "mug"));
    vt_clock_fake_advance_ms(&f->clock, INT64_C(15) * 24 * 3600 * 1000);
    assert_int_equal(write_one(f, view_of("e1", "ann", "cup")).outcome, VT_EVENT_ACCEPTED);
}

static void duplicate_inside_one_batch_is_found(void **state)
{
    struct fixture *f = *state;
    struct vt_event events[2] = {view_of("e1", "ann", "mug"), view_of("e1", "ann", "mug")};
    struct vt_event_result results[2];
    vt_profile_write_events(f->profile, &f->write, events, 2, results);
    assert_ok(wait_written(f));
    assert_int_equal(results[0].outcome, VT_EVENT_ACCEPTED);
    assert_int_equal(results[1].outcome, VT_EVENT_DUPLICATE);
    assert_int_equal(results[1].sequence, results[0].sequence);
}

static void numbers_survive_reopening(void **state)
{
    struct fixture *f = *state;
    write_one(f, view_of("e1", "ann", "mug"));
    write_one(f, view_of("e2", "bob", "cup"));
    reopen(f);
    write_one(f, view_of("e3", "bob", "pot"));
    write_one(f, view_of("e4", "bob", "mug"));
    struct vt_profile_view view = get(f, "bob");
    assert_int_equal(view.customer_number, 2);
    assert_int_equal(view.n_events, 3); /* equal times: by item */
    assert_int_equal(view.events[0].item, 1);
    assert_int_equal(view.events[1].item, 2);
    assert_int_equal(view.events[2].item, 3);
}

static void bad_events_are_rejected_with_field_and_reason(void **state)
{
    struct fixture *f = *state;
    static char long_id[VT_ID_BYTES_MAX + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    struct vt_event good = view_of("e1", "ann", "mug");
    struct {
        struct vt_event event;
        const char *field;
    } cases[12];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cases[i].event = good;
    cases[0].event.event_id = s(""), cases[0].field = "event_id";
    cases[1].event.event_id = s(long_id), cases[1].field = "event_id";
    cases[2].event.event_id = s("\xff"), cases[2].field = "event_id";
    cases[3].event.type = (enum vt_event_type)99, cases[3].field = "type";
    cases[4].event.customer_id = s(""), cases[4].field = "customer_id";
    cases[5].event.item_id = s(""), cases[5].field = "item_id";
    cases[6].event.time_ms = VT_EVENT_TIME_MIN_MS - 1, cases[6].field = "time";
    cases[7].event.time_ms = NOW_MS + VT_EVENT_FUTURE_MS + 1, cases[7].field = "time";
    cases[8].event.revenue = -1, cases[8].field = "revenue";
    cases[9].event.quantity = __builtin_nan(""), cases[9].field = "quantity";
    cases[10].event.currency_code = s("euro"), cases[10].field = "currency_code";
    cases[11].event.type = VT_EVENT_RATING, cases[11].event.value = 11, cases[11].field = "value";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_event_result result = write_one(f, cases[i].event);
        assert_int_equal(result.outcome, VT_EVENT_REJECTED);
        assert_string_equal(result.field, cases[i].field);
        assert_true(result.reason.len > 0);
    }
    assert_false(get(f, "ann").found);
}

static void denied_consent_forgets_the_history_and_keeps_none(void **state)
{
    struct fixture *f = *state;
    struct vt_upsert_result result;
    struct vt_customer ann = {.id = s("ann"), .consent = 2};
    write_one(f, view_of("e1", "ann", "mug"));
    vt_profile_upsert_customers(f->profile, &f->write, &ann, 1, &result);
    assert_ok(wait_written(f));
    assert_int_equal(result.updated, 1);
    write_one(f, view_of("e2", "ann", "mug"));
    assert_false(get(f, "ann").consent);
    ann.consent = 1;
    vt_profile_upsert_customers(f->profile, &f->write, &ann, 1, &result);
    assert_ok(wait_written(f));
    assert_true(get(f, "ann").consent);
    assert_int_equal(get(f, "ann").n_events, 0);
}

static void equal_entry_is_unchanged_and_masks_touch_one_field(void **state)
{
    struct fixture *f = *state;
    struct vt_item mug = {.id = s("mug"), .title = s("Mug"), .price = 4, .stock = 3};
    struct vt_item found;
    bool is_there = false;
    assert_int_equal(upsert(f, mug, 0).inserted, 1);
    assert_int_equal(upsert(f, mug, 0).unchanged, 1);
    assert_int_equal(upsert(f, (struct vt_item){.id = s("mug"), .price = 5}, VT_ITEM_PRICE).updated,
                     1);
    assert_ok(vt_profile_get_item(f->profile, &f->request, s("mug"), 0, &found, &is_there));
    assert_true(is_there);
    assert_true(vt_slice_equal(found.title, s("Mug")));
    assert_true(found.price > 4.9 && found.price < 5.1);
    assert_int_equal(found.stock, 3);
}

static void mask_on_an_unknown_item_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct vt_item cup = {.id = s("cup"), .price = 5};
    struct vt_upsert_result result;
    vt_profile_upsert_items(f->profile, &f->write, &cup, 1, VT_ITEM_PRICE, &result);
    assert_code(wait_written(f), VT_NOT_FOUND);
    assert_string_equal(f->diag.field, "items[0].id");
}

static void follow(struct vt_watch *watch, struct vt_arena *arena, struct vt_item_table *table)
{
    static struct vt_change changes[64];
    for (uint32_t n = 1; n != 0;) {
        vt_arena_reset(arena);
        assert_ok(vt_watch_next(watch, arena, 64, changes, &n));
        for (uint32_t i = 0; i < n; i++)
            assert_ok(vt_change_apply(&changes[i], table));
    }
}

static void watch_gives_snapshot_then_tail(void **state)
{
    struct fixture *f = *state;
    struct vt_item_table *table = NULL;
    struct vt_watch *watch = NULL;
    struct vt_delete_result deleted = {.missing = (bool[1]){false}};
    struct vt_slice mug = s("mug");
    uint32_t n = 0;
    assert_ok(vt_item_table_new(&table));
    upsert(f, (struct vt_item){.id = mug, .title = s("Mug"), .stock = -1}, 0);
    write_one(f, view_of("e1", "ann", "pot"));
    assert_ok(vt_watch_open(f->profile, 0, NULL, NULL, &watch));
    follow(watch, &f->arena, table);
    assert_true(vt_item_table_ready(table));
    assert_int_equal(vt_item_table_number(table, mug), 1);
    assert_int_equal(vt_item_table_number(table, s("pot")), 2);
    assert_int_equal(vt_item_table_n_described(table), 1);
    upsert(f, (struct vt_item){.id = s("cup"), .stock = 1}, 0);
    vt_profile_delete_items(f->profile, &f->write, &mug, 1, &deleted);
    assert_ok(wait_written(f));
    vt_clock_fake_advance_ms(&f->clock, 2000);
    write_one(f, view_of("e2", "ann", "cup"));
    follow(watch, &f->arena, table);
    assert_false(vt_item_table_recommendable(table, 1, NOW_MS));
    assert_true(vt_item_table_recommendable(table, 3, NOW_MS));
    (void)vt_item_table_popular(table, &n);
    assert_int_equal(n, 1);
    vt_watch_close(watch);
    vt_item_table_free(table);
}

static void watch_resumes_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct vt_watch *watch = NULL;
    struct vt_change changes[8];
    uint32_t n = 0;
    uint64_t seen = upsert(f, (struct vt_item){.id = s("mug"), .stock = 1}, 0).sequence;
    upsert(f, (struct vt_item){.id = s("cup"), .stock = 1}, 0);
    reopen(f);
    assert_ok(vt_watch_open(f->profile, seen, NULL, NULL, &watch));
    assert_ok(vt_watch_next(watch, &f->arena, 8, changes, &n));
    assert_int_equal(n, 1);
    assert_int_equal(changes[0].kind, VT_CHANGE_UPSERT);
    assert_int_equal(changes[0].item.number, 2);
    vt_watch_close(watch);
}

static struct vt_err count_event(void *ctx, const struct vt_logged_event *event)
{
    uint64_t *last = ctx;
    VT_CHECK(event->sequence > *last, VT_INTERNAL, "out of order");
    *last = event->sequence;
    return vt_ok();
}

static void checkpoint_holds_the_log(void **state)
{
    struct fixture *f = *state;
    char path[4096];
    uint64_t sequence = 0, last = 0;
    struct vt_profile *copy = NULL;
    write_one(f, view_of("e1", "ann", "mug"));
    uint64_t second = write_one(f, view_of("e2", "ann", "cup")).sequence;
    snprintf(path, sizeof path, "%s/copy", f->folder);
    assert_ok(vt_profile_checkpoint(f->profile, path, &f->diag, &sequence));
    struct vt_profile_options options = {.data_dir = path, .read_only = true};
    assert_ok(vt_profile_open(&options, &f->diag, &copy));
    assert_ok(vt_profile_each_event(copy, count_event, &last));
    assert_int_equal(last, second);
    vt_profile_close(copy);
}

static void second_opening_names_the_holder(void **state)
{
    struct fixture *f = *state;
    struct vt_profile *other = NULL;
    struct vt_profile_options options = options_of(f);
    assert_code(vt_profile_open(&options, &f->diag, &other), VT_UNAVAILABLE);
    assert_non_null(strstr(f->diag.text, "held by process"));
}

static void store_behind_its_mark_is_refused(void **state)
{
    struct fixture *f = *state;
    char command[8300];
    struct vt_profile *other = NULL;
    write_one(f, view_of("e1", "ann", "mug"));
    vt_profile_close(f->profile);
    f->profile = NULL;
    snprintf(command, sizeof command, "rm -rf %s/live", f->folder);
    assert_int_equal(system(command), 0);
    struct vt_profile_options options = options_of(f);
    assert_code(vt_profile_open(&options, &f->diag, &other), VT_CORRUPT);
    assert_non_null(strstr(f->diag.text, "are lost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_event_is_in_the_next_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(event_id_counts_once_even_after_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(event_id_is_free_again_behind_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(duplicate_inside_one_batch_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_survive_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_events_are_rejected_with_field_and_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(denied_consent_forgets_the_history_and_keeps_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(equal_entry_is_unchanged_and_masks_touch_one_field, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mask_on_an_unknown_item_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_gives_snapshot_then_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_resumes_after_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(checkpoint_holds_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(second_opening_names_the_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(store_behind_its_mark_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
