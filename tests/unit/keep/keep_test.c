#include "services/keep/restore.h"
#include "tests/testlib/testlib.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of backups, with small files in place of a store. */

static const char STORE[] = "00112233445566778899aabbccddeeff";
static const char OTHER[] = "ffeeddccbbaa99887766554433221100";
static const int64_t NOW_MS = INT64_C(1750000000000), DAY_MS = INT64_C(86400000);
static const struct vt_keep_progress silent = {NULL, NULL};

struct fixture {
    char *folder;
    char data[512], backups[512], target[512];
    struct vt_diag diag;
    struct vt_keep *keep;
};

static void put(const char *folder, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(vt_file_write_atomic(path, vt_slice_str(text), NULL));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    snprintf(f->data, sizeof f->data, "%s/data", f->folder);
    snprintf(f->backups, sizeof f->backups, "%s/backups", f->folder);
    snprintf(f->target, sizeof f->target, "%s/target", f->folder);
    char live[520];
    snprintf(live, sizeof live, "%s/live", f->data);
    assert_ok(vt_folder_create(live, NULL));
    put(live, "000001.sst", "one");
    put(live, "000002.sst", "two");
    put(f->data, "token.key", "key");
    assert_ok(vt_keep_open(f->backups, VT_KEEP_WRITE, &f->diag, &f->keep));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_keep_close(f->keep);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct vt_keep_copied back_up(struct fixture *f, uint64_t sequence, int64_t time_ms,
                                     struct vt_keep_manifest *ret_manifest)
{
    struct vt_keep_collect *collect;
    struct vt_keep_copied copied = {0};
    assert_ok(vt_keep_collect_new(f->keep, &silent, &f->diag, &collect));
    assert_ok(vt_keep_collect_add(collect, f->data, "", NULL, &f->diag));
    assert_ok(vt_keep_claim(f->keep, STORE, &f->diag));
    assert_ok(vt_keep_collect_commit(collect, sequence, time_ms, &f->diag, ret_manifest, &copied));
    vt_keep_collect_free(collect);
    return copied;
}

/* A backup of which only its id matters. */
static void make_backup(struct fixture *f, uint64_t sequence, int64_t time_ms,
                        char ret_id[VT_KEEP_ID_BYTES])
{
    struct vt_keep_manifest manifest;
    back_up(f, sequence, time_ms, &manifest);
    memcpy(ret_id, manifest.id, VT_KEEP_ID_BYTES);
    vt_keep_manifest_fini(&manifest);
}

static unsigned count_contents(const struct fixture *f)
{
    char path[VT_KEEP_PATH_BYTES];
    unsigned n = 0;
    assert_ok(vt_keep_content_path(f->keep, NULL, path));
    DIR *folder = opendir(path);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n - 2;
}

static void assert_text(const char *folder, const char *name, const char *expected)
{
    char path[1024], *text;
    size_t len;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(vt_file_read(path, 1000, NULL, &text, &len));
    assert_string_equal(text, expected);
    free(text);
}

static void restore_id(struct fixture *f, const char *id)
{
    static const char *const none[] = {NULL};
    struct vt_keep_manifest manifest;
    struct vt_keep_target target;
    assert_ok(vt_keep_load(f->keep, id, &f->diag, &manifest));
    assert_ok(vt_keep_target_begin(f->target, none, &f->diag, &target));
    assert_ok(vt_keep_check(f->keep, &manifest, target.staging, &silent, &f->diag));
    assert_ok(vt_keep_target_finish(&target, "live", &f->diag));
    vt_keep_manifest_fini(&manifest);
}

static void a_second_backup_copies_only_what_is_new(void **state)
{
    struct fixture *f = *state;
    struct vt_keep_manifest first, second;
    assert_int_equal(back_up(f, 1, NOW_MS, &first).files, 3);
    put(f->data, "live/000003.sst", "three");
    struct vt_keep_copied copied = back_up(f, 2, NOW_MS + 1, &second);
    assert_int_equal(copied.files, 1);
    assert_int_equal(copied.bytes, strlen("three"));
    assert_int_equal(second.n_files, 4);
    vt_keep_manifest_fini(&first);
    vt_keep_manifest_fini(&second);
}

static void equal_contents_under_a_new_name_are_not_copied_again(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES];
    make_backup(f, 1, NOW_MS, id);
    put(f->data, "live/000009.sst", "one");
    struct vt_keep_manifest second;
    assert_int_equal(back_up(f, 2, NOW_MS + 1, &second).files, 0);
    vt_keep_manifest_fini(&second);
}

static void each_backup_restores_what_was_there_then(void **state)
{
    struct fixture *f = *state;
    char first[VT_KEEP_ID_BYTES], second[VT_KEEP_ID_BYTES];
    make_backup(f, 1, NOW_MS, first);
    put(f->data, "token.key", "another");
    make_backup(f, 2, NOW_MS + 1, second);
    restore_id(f, first);
    assert_text(f->target, "token.key", "key");
    assert_text(f->target, "live/000002.sst", "two");
    assert_ok(vt_folder_remove(f->target, NULL));
    restore_id(f, second);
    assert_text(f->target, "token.key", "another");
}

static void a_damaged_file_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct vt_keep_manifest manifest;
    char path[VT_KEEP_PATH_BYTES];
    back_up(f, 1, NOW_MS, &manifest);
    size_t damaged = strcmp(manifest.files[0].path, "live/000002.sst") == 0 ? 0 : 1;
    assert_ok(vt_keep_content_path(f->keep, manifest.files[damaged].sha256, path));
    assert_ok(vt_file_write_atomic(path, vt_slice_str("tw0"), NULL));
    assert_code(vt_keep_check(f->keep, &manifest, NULL, &silent, &f->diag), VT_CORRUPT);
    assert_string_equal(f->diag.field, manifest.files[damaged].path);
    assert_non_null(strstr(f->diag.text, "damaged"));
    unlink(path);
    assert_code(vt_keep_check(f->keep, &manifest, NULL, &silent, &f->diag), VT_CORRUPT);
    assert_non_null(strstr(f->diag.text, "missing"));
    vt_keep_manifest_fini(&manifest);
}

static void old_backups_go_and_the_newest_stays(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES], (*ids)[VT_KEEP_ID_BYTES];
    uint32_t removed = 0, kept = 0;
    size_t n = 0;
    make_backup(f, 1, NOW_MS - 40 * DAY_MS, id);
    make_backup(f, 2, NOW_MS - 30 * DAY_MS, id);
    make_backup(f, 3, NOW_MS - 20 * DAY_MS, id);
    struct vt_keep_rule rule = {.now_ms = NOW_MS, .max_age_ms = 30 * DAY_MS};
    assert_ok(vt_keep_prune(f->keep, &rule, &f->diag, &removed, &kept));
    assert_int_equal(removed, 1);
    assert_int_equal(kept, 2);
    rule.now_ms += 365 * DAY_MS;
    assert_ok(vt_keep_prune(f->keep, &rule, &f->diag, &removed, &kept));
    assert_int_equal(kept, 1);
    assert_ok(vt_keep_list(f->keep, &f->diag, &ids, &n));
    assert_string_equal(ids[0], id);
    free(ids);
}

static void pruning_by_number_keeps_the_contents_that_are_still_held(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES];
    uint32_t removed = 0, kept = 0;
    make_backup(f, 1, NOW_MS, id);
    put(f->data, "token.key", "another");
    make_backup(f, 2, NOW_MS + 1, id);
    assert_int_equal(count_contents(f), 4);
    struct vt_keep_rule rule = {.now_ms = NOW_MS, .n_max = 1};
    assert_ok(vt_keep_prune(f->keep, &rule, &f->diag, &removed, &kept));
    assert_int_equal(count_contents(f), 3);
    restore_id(f, id);
    assert_text(f->target, "token.key", "another");
}

static void nothing_is_pruned_while_a_manifest_is_damaged(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES], path[1024];
    uint32_t removed = 0, kept = 0;
    make_backup(f, 1, NOW_MS - 40 * DAY_MS, id);
    snprintf(path, sizeof path, "%s/backups/%s.json", f->backups, id);
    make_backup(f, 2, NOW_MS, id);
    assert_ok(vt_file_write_atomic(path, vt_slice_str("{}"), NULL));
    struct vt_keep_rule rule = {.now_ms = NOW_MS, .max_age_ms = DAY_MS};
    assert_code(vt_keep_prune(f->keep, &rule, &f->diag, &removed, &kept), VT_CORRUPT);
    assert_int_equal(count_contents(f), 3);
}

static void the_folder_of_another_store_is_refused(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES];
    make_backup(f, 1, NOW_MS, id);
    vt_keep_close(f->keep);
    assert_ok(vt_keep_open(f->backups, VT_KEEP_WRITE, &f->diag, &f->keep));
    assert_ok(vt_keep_claim(f->keep, STORE, &f->diag));
    assert_code(vt_keep_claim(f->keep, OTHER, &f->diag), VT_PRECONDITION);
    assert_non_null(strstr(f->diag.text, OTHER));
}

static void a_folder_of_something_else_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct vt_keep *keep;
    assert_code(vt_keep_open(f->data, VT_KEEP_WRITE, &f->diag, &keep), VT_PRECONDITION);
    assert_code(vt_keep_open(f->data, VT_KEEP_READ, &f->diag, &keep), VT_NOT_FOUND);
}

static void one_writer_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct vt_keep *second;
    char id[VT_KEEP_ID_BYTES];
    make_backup(f, 1, NOW_MS, id);
    assert_code(vt_keep_open(f->backups, VT_KEEP_WRITE, &f->diag, &second), VT_UNAVAILABLE);
    assert_code(vt_keep_open(f->backups, VT_KEEP_READ, &f->diag, &second), VT_UNAVAILABLE);
    vt_keep_close(f->keep);
    f->keep = NULL;
    assert_ok(vt_keep_open(f->backups, VT_KEEP_READ, &f->diag, &second));
    vt_keep_close(second);
}

static void an_unknown_id_is_answered_with_those_there_are(void **state)
{
    struct fixture *f = *state;
    struct vt_keep_manifest manifest;
    char id[VT_KEEP_ID_BYTES];
    make_backup(f, 1, NOW_MS, id);
    assert_code(vt_keep_load(f->keep, "20200101-000000000", &f->diag, &manifest), VT_NOT_FOUND);
    assert_non_null(strstr(f->diag.text, id));
    assert_code(vt_keep_load(f->keep, "../../etc", &f->diag, &manifest), VT_NOT_FOUND);
}

/* ---- the data folder ---- */

static void a_folder_with_data_is_not_restored_into(void **state)
{
    struct fixture *f = *state;
    static const char *const none[] = {NULL}, *const key[] = {"token.key", "live", NULL};
    struct vt_keep_target target;
    assert_code(vt_keep_target_begin(f->data, none, &f->diag, &target), VT_PRECONDITION);
    assert_text(f->data, "token.key", "key");
    assert_ok(vt_keep_target_begin(f->data, key, &f->diag, &target));
    vt_keep_target_drop(&target);
    assert_text(f->data, "token.key", "key");
}

static void what_an_interrupted_restore_put_in_place_is_removed_by_the_next(void **state)
{
    struct fixture *f = *state;
    char id[VT_KEEP_ID_BYTES], path[1024];
    make_backup(f, 1, NOW_MS, id);
    snprintf(path, sizeof path, "%s/.restore/live", f->target);
    assert_ok(vt_folder_create(path, NULL));
    put(f->target, "token.key", "half");
    restore_id(f, id);
    assert_text(f->target, "token.key", "key");
    assert_text(f->target, "live/000001.sst", "one");
    snprintf(path, sizeof path, "%s/.restore", f->target);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* ---- manifests ---- */

static void a_changed_manifest_is_damage(void **state)
{
    struct fixture *f = *state;
    struct vt_keep_manifest manifest, again;
    char *text;
    back_up(f, 77, NOW_MS, &manifest);
    assert_ok(vt_keep_manifest_encode(&manifest, &text));
    assert_ok(vt_keep_manifest_decode(vt_slice_str(text), &f->diag, &again));
    assert_int_equal(again.sequence, 77);
    vt_keep_manifest_fini(&again);
    char *digit = strstr(text, "\"sequence\": 77");
    assert_non_null(digit);
    digit[13] = '8';
    assert_code(vt_keep_manifest_decode(vt_slice_str(text), &f->diag, &again), VT_CORRUPT);
    for (size_t len = 0; len < strlen(text); len += 7)
        assert_true(vt_failed(vt_keep_manifest_decode(vt_slice(text, len), &f->diag, &again)));
    free(text);
    vt_keep_manifest_fini(&manifest);
}

static void assert_path_refused(struct fixture *f, const char *path)
{
    struct vt_keep_manifest manifest = {.id = "1", .time_ms = 1}, again;
    struct vt_keep_file file = {.path = (char *)(uintptr_t)path};
    char *text;
    memset(file.sha256, '0', sizeof file.sha256 - 1);
    assert_ok(vt_keep_manifest_add(&manifest, &file));
    assert_ok(vt_keep_manifest_encode(&manifest, &text));
    assert_code(vt_keep_manifest_decode(vt_slice_str(text), &f->diag, &again), VT_CORRUPT);
    assert_non_null(strstr(f->diag.text, "outside"));
    free(text);
    vt_keep_manifest_fini(&manifest);
}

static void a_path_that_leads_outside_is_refused(void **state)
{
    static const char *const paths[] = {
        "/etc/passwd", "../x", "live/../../x", "live//x", "", "live/", "./x", ".."};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_path_refused(*state, paths[i]);
}

static void a_manifest_of_a_later_version_is_refused_as_such(void **state)
{
    struct fixture *f = *state;
    struct vt_keep_manifest manifest;
    struct vt_slice later = vt_slice_str("{\"format\": 2, \"anything\": []}");
    assert_code(vt_keep_manifest_decode(later, &f->diag, &manifest), VT_PRECONDITION);
    assert_non_null(strstr(f->diag.text, "format 2"));
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_second_backup_copies_only_what_is_new),
        CASE(equal_contents_under_a_new_name_are_not_copied_again),
        CASE(each_backup_restores_what_was_there_then),
        CASE(a_damaged_file_is_refused_by_name),
        CASE(old_backups_go_and_the_newest_stays),
        CASE(pruning_by_number_keeps_the_contents_that_are_still_held),
        CASE(nothing_is_pruned_while_a_manifest_is_damaged),
        CASE(the_folder_of_another_store_is_refused),
        CASE(a_folder_of_something_else_is_left_alone),
        CASE(one_writer_at_a_time),
        CASE(an_unknown_id_is_answered_with_those_there_are),
        CASE(a_folder_with_data_is_not_restored_into),
        CASE(what_an_interrupted_restore_put_in_place_is_removed_by_the_next),
        CASE(a_changed_manifest_is_damage),
        CASE(a_path_that_leads_outside_is_refused),
        CASE(a_manifest_of_a_later_version_is_refused_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
