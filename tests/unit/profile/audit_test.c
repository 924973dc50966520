#include "services/profile/audit.h"
#include "tests/testlib/testlib.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 16, ENTRIES = 5 };
static const unsigned char key[VT_AUDIT_KEY_BYTES] = "thirty-two bytes of a secret key";

struct desk {
    char *folder;
    char path[4096];
    char bytes[FILE_BYTES_MAX];
    size_t len;
};

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    desk->folder = vt_test_folder_new();
    snprintf(desk->path, sizeof desk->path, "%s/audit.log", desk->folder);
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    vt_test_folder_remove(desk->folder);
    free(desk);
    return 0;
}

static void read_file(struct desk *desk)
{
    FILE *file = fopen(desk->path, "r");
    assert_non_null(file);
    desk->len = fread(desk->bytes, 1, sizeof desk->bytes, file);
    fclose(file);
}

static void write_file(struct desk *desk)
{
    FILE *file = fopen(desk->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(desk->bytes, 1, desk->len, file), desk->len);
    fclose(file);
}

static void append(const char *path, unsigned n)
{
    struct vt_audit *audit = NULL;
    struct vt_audit_subject subjects[2];
    char receipt[VT_AUDIT_RECEIPT_BYTES];
    assert_ok(vt_audit_open(path, NULL, &audit));
    for (unsigned i = 0; i < n; i++) {
        vt_audit_subject(key, "member", vt_slice_str(""), vt_slice_str("ann@example.org"),
                         &subjects[0]);
        vt_audit_subject(key, "visitor", vt_slice_str("web"), vt_slice_str("v1"), &subjects[1]);
        struct vt_audit_entry entry = {.time_ms = 1323435000250 + i,
                                       .action = "export",
                                       .actor = "operator \"one\"",
                                       .customer = 42,
                                       .subjects = subjects,
                                       .n_subjects = 2,
                                       .detail = i == 0 ? "because" : NULL};
        assert_ok(vt_audit_append(audit, &entry, receipt));
    }
    vt_audit_close(audit);
}

static struct vt_err check_entry(void *ctx, const struct vt_audit_entry *entry)
{
    uint64_t *n = ctx;
    struct vt_audit_subject expected;
    vt_audit_subject(key, "visitor", vt_slice_str("web"), vt_slice_str("v1"), &expected);
    assert_int_equal(entry->number, ++*n);
    assert_int_equal(entry->time_ms, 1323435000250 + (int64_t)*n - 1);
    assert_string_equal(entry->action, "export");
    assert_string_equal(entry->actor, "operator \"one\"");
    assert_int_equal(entry->customer, 42);
    assert_int_equal(entry->n_subjects, 2);
    assert_string_equal(entry->subjects[1].text, expected.text);
    assert_string_equal(entry->detail, *n == 1 ? "because" : "");
    return vt_ok();
}

static void what_was_appended_is_read(void **state)
{
    struct desk *desk = *state;
    uint64_t n = 0, n_told = 0;
    append(desk->path, ENTRIES);
    assert_ok(vt_audit_read(desk->path, NULL, check_entry, &n_told, &n));
    assert_int_equal(n, ENTRIES);
    assert_int_equal(n_told, ENTRIES);
    read_file(desk);
    assert_null(memmem(desk->bytes, desk->len, "ann", 3)); /* no id in the clear */
    struct stat info;
    assert_int_equal(stat(desk->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void the_chain_goes_on_when_the_log_is_opened_again(void **state)
{
    struct desk *desk = *state;
    uint64_t n = 0;
    append(desk->path, 2);
    append(desk->path, 3);
    assert_ok(vt_audit_read(desk->path, NULL, NULL, NULL, &n));
    assert_int_equal(n, 5);
}

static void any_changed_byte_is_found(void **state)
{
    struct desk *desk = *state;
    uint64_t n = 0;
    append(desk->path, ENTRIES);
    read_file(desk);
    for (size_t at = 0; at + 1 < desk->len; at++) { /* without the last newline: a torn line */
        struct vt_diag diag = {0};
        desk->bytes[at] ^= 1;
        write_file(desk);
        assert_code(vt_audit_read(desk->path, &diag, NULL, NULL, &n), VT_CORRUPT);
        assert_non_null(strstr(diag.text, "line "));
        desk->bytes[at] ^= 1;
    }
}

static void a_line_taken_out_or_moved_is_found(void **state)
{
    struct desk *desk = *state;
    uint64_t n = 0;
    append(desk->path, ENTRIES);
    read_file(desk);
    char *first = strchr(desk->bytes, '\n') + 1, *second = strchr(first, '\n') + 1;
    size_t gap = (size_t)(second - first);
    memmove(first, second, desk->len - (size_t)(second - desk->bytes));
    desk->len -= gap;
    write_file(desk);
    assert_code(vt_audit_read(desk->path, NULL, NULL, NULL, &n), VT_CORRUPT);
    struct vt_audit *audit = NULL;
    assert_code(vt_audit_open(desk->path, NULL, &audit), VT_CORRUPT);
    assert_null(audit);
}

static void a_torn_last_line_is_cut_off(void **state)
{
    struct desk *desk = *state;
    append(desk->path, 3);
    read_file(desk);
    size_t whole = desk->len;
    const char *last = memrchr(desk->bytes, '\n', whole - 1);
    for (size_t len = (size_t)(last - desk->bytes) + 1; len < whole; len += 7) {
        uint64_t n = 0;
        desk->len = len;
        write_file(desk);
        assert_ok(vt_audit_read(desk->path, NULL, NULL, NULL, &n));
        assert_int_equal(n, 2);
        append(desk->path, 1);
        assert_ok(vt_audit_read(desk->path, NULL, NULL, NULL, &n));
        assert_int_equal(n, 3);
    }
}

static void a_failed_append_leaves_the_log_as_it_was(void **state)
{
    struct desk *desk = *state;
    uint64_t n = 0;
    append(desk->path, 2);
    struct vt_audit_entry entry = {
        .action = "export", .actor = "operator", .n_subjects = VT_AUDIT_SUBJECTS_MAX + 1};
    char receipt[VT_AUDIT_RECEIPT_BYTES];
    struct vt_audit *audit = NULL;
    assert_ok(vt_audit_open(desk->path, NULL, &audit));
    assert_code(vt_audit_append(audit, &entry, receipt), VT_EXHAUSTED);
    vt_audit_close(audit);
    assert_ok(vt_audit_read(desk->path, NULL, NULL, NULL, &n));
    assert_int_equal(n, 2);
}

static void subjects_differ_by_key_type_channel_and_id(void **state)
{
    (void)state;
    static const unsigned char other_key[VT_AUDIT_KEY_BYTES] = "another secret key of same size";
    struct vt_audit_subject all[6];
    vt_audit_subject(key, "member", vt_slice_str(""), vt_slice_str("a"), &all[0]);
    vt_audit_subject(key, "visitor", vt_slice_str(""), vt_slice_str("a"), &all[1]);
    vt_audit_subject(key, "member", vt_slice_str("a"), vt_slice_str(""), &all[2]);
    vt_audit_subject(key, "member", vt_slice_str("web"), vt_slice_str("a"), &all[3]);
    vt_audit_subject(key, "member", vt_slice_str(""), vt_slice_str("b"), &all[4]);
    vt_audit_subject(other_key, "member", vt_slice_str(""), vt_slice_str("a"), &all[5]);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(all[i].text, all[j].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_appended_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_chain_goes_on_when_the_log_is_opened_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(any_changed_byte_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_taken_out_or_moved_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_last_line_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_append_leaves_the_log_as_it_was, set_up,
                                        tear_down),
        cmocka_unit_test(subjects_differ_by_key_type_channel_and_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
