#include "services/common/base/clock.h"
#include "services/profile/profile_internal.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdlib.h>

/* What the writer does with a job that fails half-way, which only a damaged store provokes. */

#define NOW_MS INT64_C(1750000000000)

struct fixture {
    char *folder;
    struct vt_clock_fake clock;
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
};

static void open_profile(struct fixture *f)
{
    const struct vt_profile_options options = {
        .data_dir = f->folder, .clock = &f->clock.clock, .consent_default = true, .create = true};
    assert_ok(vt_profile_open(&options, &f->diag, &f->profile));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    vt_clock_fake_init(&f->clock, NOW_MS);
    assert_true(vt_arena_init_owned(&f->arena, 1 << 20));
    f->request =
        (struct vt_request){.arena = &f->arena, .diag = &f->diag, .deadline_ns = INT64_MAX};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    open_profile(f);
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

static void on_written(void *ctx, struct vt_err err)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->err = err;
    f->done = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static struct vt_err upsert(struct fixture *f, const struct vt_item *items, uint32_t n)
{
    struct vt_upsert_result result;
    const struct vt_profile_write write = {.request = &f->request, .done = on_written, .ctx = f};
    vt_profile_upsert_items(f->profile, &write, items, n, 0, &result);
    pthread_mutex_lock(&f->lock);
    while (!f->done)
        pthread_cond_wait(&f->changed, &f->lock);
    f->done = false;
    pthread_mutex_unlock(&f->lock);
    return f->err;
}

static struct vt_item item_of(const char *id)
{
    return (struct vt_item){.id = vt_slice_str(id), .title = vt_slice_str(id), .stock = -1};
}

/* Past the writer, which rests: nothing is queued. */
static void damage_item(struct fixture *f, uint32_t number)
{
    struct vt_store_batch *batch;
    struct vt__key key = vt__key_item(number);
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_put(batch, VT__ITEMS, vt__key_slice(&key), vt_slice_str("no item"));
    assert_ok(vt_store_write(f->profile->store, batch, &f->diag));
    vt_store_batch_free(batch);
}

static void job_refused_before_its_first_row_leaves_the_writer_working(void **state)
{
    struct fixture *f = *state;
    const struct vt_item items[] = {item_of("mug"), item_of("cup")};
    assert_ok(upsert(f, items, 1));
    damage_item(f, 1);
    assert_code(upsert(f, items, 2), VT_CORRUPT);
    assert_ok(upsert(f, items + 1, 1));
}

static void job_that_fails_half_way_stops_writing_until_the_store_is_opened_again(void **state)
{
    struct fixture *f = *state;
    const struct vt_item mug = item_of("mug"), cup_and_mug[] = {item_of("cup"), mug};
    bool found = false;
    struct vt_item item;
    assert_ok(upsert(f, &mug, 1));
    damage_item(f, 1);
    assert_code(upsert(f, cup_and_mug, 2), VT_CORRUPT); /* the cup has a number in memory only */
    assert_code(upsert(f, cup_and_mug, 1), VT_UNAVAILABLE);
    vt_profile_close(f->profile);
    open_profile(f);
    assert_ok(upsert(f, cup_and_mug, 1));
    assert_ok(vt_profile_get_item(f->profile, &f->request, vt_slice_str("cup"), 0, &item, &found));
    assert_true(found);
    assert_int_equal(item.number, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(job_refused_before_its_first_row_leaves_the_writer_working,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            job_that_fails_half_way_stops_writing_until_the_store_is_opened_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
