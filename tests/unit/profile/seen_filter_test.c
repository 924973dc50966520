#include "services/profile/chores.h"
#include "services/profile/profile_internal.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>

/* More than opening reads at once, so that the rest is the chore's. */
enum { IDS = 130000, BATCH = 1000, MEMORY_BYTES = 4 << 20 };

struct shop {
    char *folder;
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_request request;
    struct vt_event_result results[BATCH];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
};

static void open_shop(struct shop *shop)
{
    struct vt_profile_options options = {
        .data_dir = shop->folder, .consent_default = true, .create = true};
    assert_ok(vt_profile_open(&options, NULL, &shop->profile));
}

static int set_up(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    assert_non_null(shop);
    shop->folder = vt_test_folder_new();
    shop->request = (struct vt_request){.arena = &shop->arena, .deadline_ns = INT64_MAX};
    pthread_mutex_init(&shop->lock, NULL);
    pthread_cond_init(&shop->changed, NULL);
    assert_true(vt_arena_init_owned(&shop->arena, MEMORY_BYTES));
    open_shop(shop);
    *state = shop;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *shop = *state;
    vt_profile_close(shop->profile);
    vt_arena_fini(&shop->arena);
    pthread_cond_destroy(&shop->changed);
    pthread_mutex_destroy(&shop->lock);
    vt_test_folder_remove(shop->folder);
    free(shop);
    return 0;
}

static void on_written(void *ctx, struct vt_err err)
{
    struct shop *shop = ctx;
    pthread_mutex_lock(&shop->lock);
    shop->err = err;
    shop->done = true;
    pthread_cond_signal(&shop->changed);
    pthread_mutex_unlock(&shop->lock);
}

static struct vt_event make_event(struct shop *shop, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "event-%u", number);
    return (struct vt_event){
        .event_id = vt_arena_copy(&shop->arena, vt_slice_str(id)),
        .type = VT_EVENT_VIEW,
        .customer_id = vt_slice_str("ann"),
        .item_id = vt_slice_str("mug"),
        .time_ms = VT_EVENT_TIME_MIN_MS + number,
    };
}

/* Writes events first … first + n - 1; how many were duplicates. */
static unsigned write_events(struct shop *shop, uint32_t first, uint32_t n)
{
    vt_arena_reset(&shop->arena);
    struct vt_event *events = vt_arena_array(&shop->arena, n, sizeof *events);
    assert_non_null(events);
    for (uint32_t i = 0; i < n; i++)
        events[i] = make_event(shop, first + i);
    const struct vt_profile_write write = {
        .request = &shop->request, .done = on_written, .ctx = shop};
    shop->done = false;
    vt_profile_write_events(shop->profile, &write, events, n, shop->results);
    pthread_mutex_lock(&shop->lock);
    while (!shop->done)
        pthread_cond_wait(&shop->changed, &shop->lock);
    pthread_mutex_unlock(&shop->lock);
    assert_ok(shop->err);
    unsigned n_duplicates = 0;
    for (uint32_t i = 0; i < n; i++)
        n_duplicates += shop->results[i].outcome == VT_EVENT_DUPLICATE ? 1 : 0;
    return n_duplicates;
}

static bool may_have(struct shop *shop, uint32_t number)
{
    vt_arena_reset(&shop->arena);
    struct vt__key key = vt__key_seen(make_event(shop, number).event_id);
    return vt__seen_filter_may_have(shop->profile->seen, &key);
}

static unsigned count_perhaps(struct shop *shop, uint32_t first, uint32_t n)
{
    unsigned n_perhaps = 0;
    for (uint32_t i = 0; i < n; i++)
        n_perhaps += may_have(shop, first + i) ? 1 : 0;
    return n_perhaps;
}

static void a_small_filter_is_complete_when_the_store_opens(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(write_events(shop, 0, BATCH), 0);
    vt_profile_close(shop->profile);
    open_shop(shop);
    assert_int_equal(count_perhaps(shop, 0, BATCH), BATCH);
    assert_true(count_perhaps(shop, BATCH, BATCH) < BATCH / 20);
}

/* Until the filter is complete: two slices at most. */
static void *tend(void *profile)
{
    for (unsigned i = 0; i < 2; i++)
        if (vt_failed(vt__seen_filter_tend(profile)))
            abort();
    return NULL;
}

static void ids_are_known_before_while_and_after_the_filter_fills(void **state)
{
    struct shop *shop = *state;
    for (uint32_t first = 0; first < IDS; first += BATCH)
        assert_int_equal(write_events(shop, first, BATCH), 0);
    vt_profile_close(shop->profile);
    open_shop(shop);
    vt__chores_stop(shop->profile->chores); /* its work is done here, by a thread of ours */
    shop->profile->chores = NULL;

    assert_true(may_have(shop, IDS + BATCH)); /* it does not know all yet: asks the store */
    assert_int_equal(write_events(shop, 7000, BATCH), BATCH);
    pthread_t chore;
    assert_int_equal(pthread_create(&chore, NULL, tend, shop->profile), 0);
    assert_int_equal(write_events(shop, IDS, BATCH), 0); /* new ones, while it fills */
    pthread_join(chore, NULL);

    for (uint32_t first = 0; first <= IDS; first += BATCH)
        assert_int_equal(count_perhaps(shop, first, BATCH), BATCH);
    assert_true(count_perhaps(shop, 2 * IDS, BATCH) < BATCH / 20);
    assert_int_equal(write_events(shop, IDS, BATCH), BATCH);
    assert_int_equal(write_events(shop, 2 * IDS, BATCH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_small_filter_is_complete_when_the_store_opens, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ids_are_known_before_while_and_after_the_filter_fills,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
