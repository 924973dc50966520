/* The nearest limit counts, whoever sets it. */
#include "services/common/base/file.h"
#include "services/common/base/memory.h"
#include "tests/testlib/testlib.h"

#include <limits.h>
#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

static int make_root(void **state)
{
    *state = vt_test_folder_new();
    return 0;
}

static int remove_root(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

static void put(const char *root, const char *folder, const char *file, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    assert_ok(vt_folder_create(path, NULL));
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, file);
    assert_ok(vt_file_write_atomic(path, vt_slice_str(text), NULL));
}

static void put_machine(const char *root)
{
    put(root, "proc", "meminfo", "MemTotal: 8388608 kB\nMemAvailable:   1048576 kB\n");
}

static void nothing_to_read_is_no_limit(void **state)
{
    assert_true(vt_memory_available_below(*state) == UINT64_MAX);
}

static void machine_without_groups_has_what_the_kernel_says(void **state)
{
    put_machine(*state);
    assert_true(vt_memory_available_below(*state) == 1024 * MIB);
}

static void limit_of_a_container_counts_without_its_page_cache(void **state)
{
    put_machine(*state);
    put(*state, "proc/self", "cgroup", "0::/pod/trainer\n");
    put(*state, "sys/fs/cgroup/pod/trainer", "memory.max", "536870912\n");
    put(*state, "sys/fs/cgroup/pod/trainer", "memory.current", "268435456\n");
    put(*state, "sys/fs/cgroup/pod/trainer", "memory.stat",
        "anon 1\ninactive_file 104857600\nactive_file 7\n");
    assert_true(vt_memory_available_below(*state) == (512 - 256 + 100) * MIB);
}

static void limit_of_a_group_above_counts(void **state)
{
    put_machine(*state);
    put(*state, "proc/self", "cgroup", "0::/pod/trainer\n");
    put(*state, "sys/fs/cgroup/pod/trainer", "memory.max", "max\n");
    put(*state, "sys/fs/cgroup/pod", "memory.max", "209715200\n");
    assert_true(vt_memory_available_below(*state) == 200 * MIB);
}

static void group_that_is_full_leaves_nothing(void **state)
{
    put_machine(*state);
    put(*state, "sys/fs/cgroup", "memory.max", "1000\n");
    put(*state, "sys/fs/cgroup", "memory.current", "2000\n");
    assert_true(vt_memory_available_below(*state) == 0);
}

static void first_version_of_groups_is_read_too(void **state)
{
    put_machine(*state);
    put(*state, "proc/self", "cgroup", "9:cpu:/x\n5:memory:/docker/1\n");
    put(*state, "sys/fs/cgroup/memory/docker/1", "memory.limit_in_bytes", "104857600\n");
    assert_true(vt_memory_available_below(*state) == 100 * MIB);
}

static void this_process_has_some(void **state)
{
    (void)state;
    assert_true(vt_memory_available_bytes() > MIB);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_to_read_is_no_limit),
        TEST(machine_without_groups_has_what_the_kernel_says),
        TEST(limit_of_a_container_counts_without_its_page_cache),
        TEST(limit_of_a_group_above_counts),
        TEST(group_that_is_full_leaves_nothing),
        TEST(first_version_of_groups_is_read_too),
        cmocka_unit_test(this_process_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
