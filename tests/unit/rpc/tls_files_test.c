/* Files that would fail at somebody's handshake are refused when they are read, by name. */
#include "services/common/base/file.h"
#include "services/common/rpc/role.h"
#include "services/common/rpc/tls_files.h"
#include "tests/testlib/certs.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH_BYTES = 512, CHAIN_MAX = 16 };

static char *folder;

#define SERVER_NAMES "URI:vitrine://role/service,DNS:localhost,IP:127.0.0.1"
#define BOTH "serverAuth,clientAuth"

static int setup(void **state)
{
    (void)state;
    static const struct vt_test_certificate all[] = {
        {.name = "ca"},
        {.name = "other-ca"},
        {.name = "server", .issuer = "ca", .alternatives = SERVER_NAMES, .purposes = BOTH},
        {.name = "foreign", .issuer = "other-ca", .alternatives = SERVER_NAMES, .purposes = BOTH},
        {.name = "expired",
         .issuer = "ca",
         .alternatives = SERVER_NAMES,
         .from_day = -9,
         .until_day = -2},
        {.name = "early",
         .issuer = "ca",
         .alternatives = SERVER_NAMES,
         .from_day = 2,
         .until_day = 9},
        {.name = "deaf", .issuer = "ca", .alternatives = SERVER_NAMES, .purposes = "clientAuth"},
        {.name = "mute", .issuer = "ca", .alternatives = SERVER_NAMES, .purposes = "serverAuth"},
        {.name = "nameless", .issuer = "ca", .alternatives = "URI:vitrine://role/service"},
        {.name = "outsider", .issuer = "ca", .alternatives = "URI:vitrine://role/operator,DNS:x"},
        {.name = "two-roles",
         .issuer = "ca",
         .alternatives = "URI:vitrine://role/marketer,URI:https://x/,URI:vitrine://role/read-only"},
    };
    folder = vt_test_folder_new();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        vt_test_certificate_make(folder, &all[i]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vt_test_folder_remove(folder);
    return 0;
}

static const char *in_folder(const char *name, const char *ending, char path[PATH_BYTES])
{
    if (name == NULL)
        return NULL;
    snprintf(path, PATH_BYTES, "%s/%s%s", folder, name, ending);
    return path;
}

/* NULL names no file. */
static struct vt_err read_files(const char *cert, const char *key, const char *ca, bool serves,
                                struct vt_diag *diag, struct vt__tls_files *ret_files)
{
    char paths[3][PATH_BYTES];
    const struct vt_rpc_tls_options options = {.cert = in_folder(cert, ".pem", paths[0]),
                                               .key = in_folder(key, ".key", paths[1]),
                                               .ca = in_folder(ca, ".pem", paths[2]),
                                               .serves = serves};
    return vt__tls_files_read(&options, diag, ret_files);
}

static void a_good_server_is_read_with_name_roles_and_last_day(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt__tls_files files;
    assert_ok(read_files("server", "server", "ca", true, &diag, &files));
    assert_string_equal(files.name, "localhost");
    assert_int_equal(files.roles, VT_CALLER_SERVICE);
    int64_t left_s = files.cert_until_s - (int64_t)time(NULL);
    assert_in_range(left_s, 23 * 3600, 24 * 3600);
    assert_in_range(files.ca_until_s, files.cert_until_s - 60, files.cert_until_s);
    assert_non_null(strstr(files.key, "PRIVATE KEY"));
    vt__tls_files_fini(&files);
}

static void several_uris_give_several_roles_and_foreign_ones_none(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt__tls_files files;
    assert_ok(read_files("two-roles", "two-roles", "ca", false, &diag, &files));
    assert_int_equal(files.roles, VT_CALLER_MARKETER | VT_CALLER_READ_ONLY);
    assert_string_equal(files.name, "");
    vt__tls_files_fini(&files);
}

static void a_caller_may_have_no_certificate(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt__tls_files files;
    assert_ok(read_files(NULL, NULL, "ca", false, &diag, &files));
    assert_null(files.cert);
    vt__tls_files_fini(&files);
}

static void each_mistake_is_told_with_option_file_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *key, *ca;
        bool serves;
        enum vt_code code;
        const char *option, *text;
    } rows[] = {
        {"missing", "server", "ca", true, VT_NOT_FOUND, "tls-cert", "missing.pem: No such file"},
        {"server", "missing", "ca", true, VT_NOT_FOUND, "tls-key", "missing.key: No such file"},
        {"server", "server", "missing", true, VT_NOT_FOUND, "tls-ca", "missing.pem: No such file"},
        {"server", "foreign", "ca", true, VT_INVALID, "tls-key", "is not the key of"},
        {"foreign", "foreign", "ca", true, VT_INVALID, "tls-cert", "unable to get local issuer"},
        {"expired", "expired", "ca", true, VT_INVALID, "tls-cert", "has expired"},
        {"expired", "expired", "ca", false, VT_INVALID, "tls-cert", "has expired"},
        {"early", "early", "ca", true, VT_INVALID, "tls-cert", "not yet valid"},
        {"deaf", "deaf", "ca", true, VT_INVALID, "tls-cert", "does not do for serving"},
        {"mute", "mute", "ca", true, VT_INVALID, "tls-cert", "does not do for calling"},
        {"early", "early", "ca", false, VT_INVALID, "tls-cert", "is not yet valid"},
        {"nameless", "nameless", "ca", true, VT_INVALID, "tls-cert", "a DNS name or IP address"},
        {"outsider", "outsider", "ca", true, VT_INVALID, "tls-cert", "vitrine://role/service"},
        {"server", "server", NULL, true, VT_INVALID, "tls-ca", "is missing"},
        {"server", NULL, "ca", true, VT_INVALID, "tls-key", "is missing"},
        {NULL, "server", "ca", false, VT_INVALID, "tls-cert", "is missing"},
        {NULL, NULL, "ca", true, VT_INVALID, "tls-cert", "is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_diag diag = {0};
        struct vt__tls_files files;
        assert_code(
            read_files(rows[i].cert, rows[i].key, rows[i].ca, rows[i].serves, &diag, &files),
            rows[i].code);
        assert_string_equal(diag.field, rows[i].option);
        if (strstr(diag.text, rows[i].text) == NULL)
            fail_msg("row %zu: '%s' does not say '%s'", i, diag.text, rows[i].text);
    }
}

static void write_text(const char *name, const char *text, size_t times)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < times; i++)
        fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void text_that_is_no_pem_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "hello\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct vt_diag diag = {0};
        struct vt__tls_files files;
        write_text("garbage.pem", texts[i], 1);
        write_text("garbage.key", texts[i], 1);
        assert_code(read_files("garbage", "server", "ca", true, &diag, &files), VT_INVALID);
        assert_string_equal(diag.field, "tls-cert");
        assert_code(read_files("server", "garbage", "ca", true, &diag, &files), VT_INVALID);
        assert_string_equal(diag.field, "tls-key");
        assert_code(read_files("server", "server", "garbage", true, &diag, &files), VT_INVALID);
        assert_string_equal(diag.field, "tls-ca");
    }
}

static void a_chain_has_at_most_sixteen_certificates(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    char *pem = NULL, *key = NULL;
    size_t len = 0;
    struct vt_diag diag = {0};
    struct vt__tls_files files;
    assert_ok(vt_file_read(in_folder("server", ".pem", path), 1 << 16, &diag, &pem, &len));
    assert_ok(vt_file_read(in_folder("server", ".key", path), 1 << 16, &diag, &key, &len));
    write_text("chain.key", key, 1);
    write_text("chain.pem", pem, CHAIN_MAX);
    assert_ok(read_files("chain", "chain", "ca", true, &diag, &files));
    vt__tls_files_fini(&files);
    write_text("chain.pem", pem, CHAIN_MAX + 1);
    assert_code(read_files("chain", "chain", "ca", true, &diag, &files), VT_INVALID);
    assert_non_null(strstr(diag.text, "more than 16"));
    free(pem);
    free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_server_is_read_with_name_roles_and_last_day),
        cmocka_unit_test(several_uris_give_several_roles_and_foreign_ones_none),
        cmocka_unit_test(a_caller_may_have_no_certificate),
        cmocka_unit_test(each_mistake_is_told_with_option_file_and_reason),
        cmocka_unit_test(text_that_is_no_pem_is_refused),
        cmocka_unit_test(a_chain_has_at_most_sixteen_certificates),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
