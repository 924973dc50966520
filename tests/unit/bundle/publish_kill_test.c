/*
 * Publishing under a power cut at each call that changes a file: a child writes a version,
 * publishes it and removes old ones, and is cut off at its first, second, … such call, what was not
 * fsynced being lost. Whatever the call, what serves must be whole and what served before known.
 */
#include "models/bundle/bundle.h"
#include "services/common/base/file.h"
#include "tests/testlib/power_cut.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS_MAX = 2000, KEEP = 2, SEEDS = 1, SEEDS_ALL = 10 };

static void write_version(const char *folder, const char *version)
{
    struct content content;
    content_init(&content, version);
    assert_ok(vt_bundle_write(folder, &content.view, NULL));
}

/* v1 … v3 are there, v3 serves and v2 did before. */
static char *folder_with_three(void)
{
    static const char *const versions[] = {"v1", "v2", "v3"};
    char *folder = vt_test_folder_new();
    for (unsigned i = 0; i < 3; i++) {
        write_version(folder, versions[i]);
        assert_ok(vt_bundle_publish(folder, versions[i], NULL));
    }
    return folder;
}

static _Noreturn void publish_in_the_dark(const char *folder, uint64_t at, uint64_t seed)
{
    struct content content;
    content_init(&content, "v4");
    vt_power_cut_arm(folder, at, seed);
    bool done = !vt_failed(vt_bundle_write(folder, &content.view, NULL)) &&
                !vt_failed(vt_bundle_publish(folder, "v4", NULL)) &&
                !vt_failed(vt_bundle_prune(folder, KEEP, NULL, NULL));
    _exit(done ? 0 : 1);
}

static void assert_opens(const char *folder, const char *version)
{
    struct vt_bundle *bundle;
    assert_ok(vt_bundle_open(folder, version, true, NULL, &bundle));
    vt_bundle_release(bundle);
}

/* Old pair or new pair, both whole, and every listed version is whole. */
static void assert_serves(const char *folder, bool finished)
{
    char current[VT_VERSION_BYTES_MAX], previous[VT_VERSION_BYTES_MAX];
    char(*versions)[VT_VERSION_BYTES_MAX];
    uint32_t n;
    assert_ok(vt_bundle_current(folder, NULL, current));
    assert_ok(vt_bundle_previous(folder, NULL, previous));
    bool switched = strcmp(current, "v4") == 0;
    assert_string_equal(current, switched ? "v4" : "v3");
    assert_string_equal(previous, switched ? "v3" : "v2");
    assert_true(switched || !finished);
    assert_opens(folder, current);
    assert_opens(folder, previous);
    assert_ok(vt_bundle_list(folder, &versions, &n));
    assert_in_range(n, 2, 4);
    for (uint32_t i = 0; i < n; i++)
        assert_opens(folder, versions[i]);
    free(versions);
}

/* The next training finds its way through what was left. */
static void assert_next_one_publishes(const char *folder)
{
    char previous[VT_VERSION_BYTES_MAX], path[4200];
    uint32_t n;
    char(*versions)[VT_VERSION_BYTES_MAX];
    char current[VT_VERSION_BYTES_MAX];
    assert_ok(vt_bundle_current(folder, NULL, current));
    write_version(folder, "v5");
    assert_ok(vt_bundle_publish(folder, "v5", NULL));
    assert_ok(vt_bundle_prune(folder, KEEP, NULL, NULL));
    assert_ok(vt_bundle_previous(folder, NULL, previous));
    assert_string_equal(previous, current);
    assert_ok(vt_bundle_list(folder, &versions, &n));
    assert_in_range(n, KEEP, KEEP + 1); /* the one before may be older than the kept ones */
    free(versions);
    snprintf(path, sizeof path, "%s/bundles/.tmp-v4", folder);
    assert_int_equal(access(path, F_OK), -1);
}

/* Returns false when the child came to its end before the cut. */
static bool cut_at(uint64_t at, uint64_t seed)
{
    char *folder = folder_with_three(), buried[4200];
    int status;
    pid_t pid = fork();
    if (pid == 0)
        publish_in_the_dark(folder, at, seed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bool cut = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(cut || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    assert_serves(folder, !cut);
    assert_next_one_publishes(folder);
    snprintf(buried, sizeof buried, "%s.buried", folder);
    assert_ok(vt_folder_remove(buried, NULL));
    vt_test_folder_remove(folder);
    return cut;
}

static void current_and_previous_survive_a_cut_at_every_call(void **state)
{
    (void)state;
    uint64_t seeds = getenv("VITRINE_TEST_ALL") != NULL ? SEEDS_ALL : SEEDS;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t at = 1;
        while (at < CALLS_MAX && cut_at(at, seed * CALLS_MAX + at))
            at++;
        assert_in_range(at, 20, CALLS_MAX - 1); /* it was cut often, and came through in the end */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(current_and_previous_survive_a_cut_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
