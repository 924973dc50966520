/* The swap under readers; run it under ThreadSanitizer too (preset tsan). */
#include "models/bundle/bundle_set.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READERS = 4, SWAPS = 60, VERSIONS = 4 };

static int make_folder(void **state)
{
    vt_log_set_level(VT_LOG_ERROR);
    *state = vt_test_folder_new();
    return 0;
}

static int remove_folder(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

static void write_version(const char *dir, const char *version, float popularity)
{
    struct content content;
    content_init(&content, version);
    content.popularity[0] = popularity;
    assert_ok(vt_bundle_write(dir, &content.view, NULL));
}

static void damage(const char *dir, const char *version)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/bundles/%s/gram.arr", dir, version);
    assert_int_equal(truncate(path, 70), 0);
}

static void assert_current(struct vt_bundle_set *set, const char *version)
{
    struct vt_bundle *bundle = vt_bundle_set_current(set);
    assert_non_null(bundle);
    assert_string_equal(vt_bundle_view(bundle)->version, version);
    vt_bundle_release(bundle);
}

static void set_without_bundles_serves_none(void **state)
{
    struct vt_bundle_set *set;
    char damage_text[64] = "x";
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    assert_null(vt_bundle_set_current(set));
    assert_null(vt_bundle_set_find(set, vt_slice_str("v1")));
    vt_bundle_set_damage(set, damage_text, sizeof damage_text);
    assert_string_equal(damage_text, "");
    assert_code(vt_bundle_set_rollback(set, NULL), VT_PRECONDITION);
    vt_bundle_set_close(set);
}

static void activate_swaps_and_keeps_the_previous_findable(void **state)
{
    struct vt_bundle_set *set;
    write_version(*state, "v1", 1);
    write_version(*state, "v2", 2);
    write_version(*state, "v3", 3);
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    assert_current(set, "v1");
    assert_ok(vt_bundle_set_activate(set, "v2", NULL));
    assert_current(set, "v2");
    struct vt_bundle *previous = vt_bundle_set_find(set, vt_slice_str("v1"));
    assert_non_null(previous);
    assert_ok(vt_bundle_set_activate(set, "v3", NULL));
    assert_null(vt_bundle_set_find(set, vt_slice_str("v1")));
    assert_string_equal(vt_bundle_view(previous)->version, "v1"); /* held: still readable */
    vt_bundle_release(previous);
    vt_bundle_set_close(set);
}

static void rollback_goes_to_the_previous_and_back(void **state)
{
    struct vt_bundle_set *set;
    write_version(*state, "v1", 1);
    write_version(*state, "v2", 2);
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_ok(vt_bundle_publish(*state, "v2", NULL));
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    assert_ok(vt_bundle_set_rollback(set, NULL));
    assert_current(set, "v1");
    assert_ok(vt_bundle_set_rollback(set, NULL));
    assert_current(set, "v2");
    vt_bundle_set_close(set);
}

static void damaged_version_is_refused_and_the_old_one_serves(void **state)
{
    struct vt_bundle_set *set;
    struct vt_diag diag = {0};
    write_version(*state, "v1", 1);
    write_version(*state, "v2", 2);
    damage(*state, "v2");
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    assert_code(vt_bundle_set_activate(set, "v2", &diag), VT_CORRUPT);
    assert_non_null(strstr(diag.text, "gram.arr"));
    assert_current(set, "v1");
    vt_bundle_set_close(set);
}

static void damaged_current_falls_back_to_the_previous_at_start(void **state)
{
    struct vt_bundle_set *set;
    struct vt_metrics *metrics;
    char text[400];
    vt_log_set_level(VT_LOG_ERROR);
    write_version(*state, "v1", 1);
    write_version(*state, "v2", 2);
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_ok(vt_bundle_publish(*state, "v2", NULL));
    damage(*state, "v2");
    assert_ok(vt_metrics_new(&metrics));
    assert_ok(vt_bundle_set_open(*state, metrics, NULL, &set));
    assert_current(set, "v1");
    vt_bundle_set_damage(set, text, sizeof text);
    assert_non_null(strstr(text, "v2"));
    assert_non_null(strstr(text, "gram.arr"));
    struct vt_counter *refusals =
        vt_metrics_counter(metrics, "vitrine_model_refusals_total", "", "");
    assert_int_equal(vt_counter_value(refusals), 1);
    vt_bundle_set_close(set);
    vt_metrics_free(metrics);
}

static void watcher_follows_a_publish_by_another_process(void **state)
{
    struct vt_bundle_set *set;
    write_version(*state, "v1", 1);
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    assert_null(vt_bundle_set_current(set));
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    struct vt_bundle *bundle; /* bounded by the program's own time limit */
    while ((bundle = vt_bundle_set_current(set)) == NULL)
        usleep(1000);
    assert_string_equal(vt_bundle_view(bundle)->version, "v1");
    vt_bundle_release(bundle);
    vt_bundle_set_close(set);
}

static void bundle_outlives_the_set_while_held(void **state)
{
    struct vt_bundle_set *set;
    write_version(*state, "v1", 7);
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &set));
    struct vt_bundle *bundle = vt_bundle_set_current(set);
    vt_bundle_set_close(set);
    assert_true(vt_bundle_view(bundle)->popularity[0] > 6);
    vt_bundle_release(bundle);
}

/* ---- readers against swaps ---- */

struct race {
    struct vt_bundle_set *set;
    _Atomic bool stop;
    _Atomic uint64_t reads, wrong;
};

static bool is_whole(struct vt_bundle *bundle)
{
    /* version "v<k>" was written with popularity k: a mix of two versions shows. */
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    return (int)view->popularity[0] == view->version[1] - '0';
}

static void *read_until_stopped(void *ctx)
{
    struct race *race = ctx;
    for (unsigned i = 0; !atomic_load(&race->stop); i++) {
        struct vt_bundle *bundle = i % 2 == 0 ? vt_bundle_set_current(race->set)
                                              : vt_bundle_set_find(race->set, vt_slice_str("v1"));
        if (bundle != NULL && !is_whole(bundle))
            atomic_fetch_add(&race->wrong, 1);
        vt_bundle_release(bundle);
        atomic_fetch_add(&race->reads, 1);
    }
    return NULL;
}

static void readers_see_whole_versions_while_they_are_swapped(void **state)
{
    struct race race = {0};
    pthread_t readers[READERS];
    char version[8];
    for (int i = 0; i < VERSIONS; i++) {
        snprintf(version, sizeof version, "v%d", i);
        write_version(*state, version, (float)i);
    }
    assert_ok(vt_bundle_publish(*state, "v0", NULL));
    assert_ok(vt_bundle_set_open(*state, NULL, NULL, &race.set));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_stopped, &race), 0);
    for (int i = 1; i <= SWAPS; i++) {
        snprintf(version, sizeof version, "v%d", i % VERSIONS);
        assert_ok(vt_bundle_set_activate(race.set, version, NULL));
    }
    while (atomic_load(&race.reads) < 10000)
        usleep(100);
    atomic_store(&race.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&race.wrong), 0);
    vt_bundle_set_close(race.set);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_without_bundles_serves_none),
        TEST(activate_swaps_and_keeps_the_previous_findable),
        TEST(rollback_goes_to_the_previous_and_back),
        TEST(damaged_version_is_refused_and_the_old_one_serves),
        TEST(damaged_current_falls_back_to_the_previous_at_start),
        TEST(watcher_follows_a_publish_by_another_process),
        TEST(bundle_outlives_the_set_while_held),
        TEST(readers_see_whole_versions_while_they_are_swapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
