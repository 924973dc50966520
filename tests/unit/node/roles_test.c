/* Every method of every service against every role: what the tables of the servers allow is what
 * docs/api.md promises, cell by cell, and neither has a method that the other lacks. */
#include "services/candidate/handlers.h"
#include "services/common/base/file.h"
#include "services/common/rpc/access.h"
#include "services/common/rpc/server_internal.h"
#include "services/model/handlers.h"
#include "services/profile/handlers.h"
#include "services/ranking/handlers.h"
#include "services/ranking/handlers_audience.h"
#include "services/ranking/handlers_explain.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHODS_MAX = 128, PATH_BYTES = 128, API_BYTES_MAX = 1 << 20 };

/* One line of the page's table. */
struct promise {
    char path[PATH_BYTES]; /* "/vitrine.v1.EventService/WriteEvents" */
    unsigned roles;
};

static const struct vt_rpc_method *methods[METHODS_MAX];
static size_t n_methods;
static struct promise promises[METHODS_MAX];
static size_t n_promises;

/* ---- what the servers have ---- */

static void add(const struct vt_rpc_method *table, size_t n)
{
    assert_true(n_methods + n <= METHODS_MAX);
    for (size_t i = 0; i < n; i++)
        methods[n_methods++] = &table[i];
}

static void collect_methods(void)
{
    size_t n;
    const struct vt_rpc_method *table = vt_profile_rpc_methods(&n);
    add(table, n);
    table = vt_candidate_rpc_methods(&n);
    add(table, n);
    table = vt_ranking_rpc_methods(&n);
    add(table, n);
    table = vt_audience_rpc_methods(&n);
    add(table, n);
    table = vt_explain_rpc_methods(&n);
    add(table, n);
    table = vt_model_rpc_methods(&n);
    add(table, n);
    add(vt__health_methods, VT__N_HEALTH_METHODS);
    add(vt__reflection_methods, VT__N_REFLECTION_METHODS);
}

/* ---- what the page says ---- */

/* "| `EventService/WriteEvents` | yes | | …": the columns are the roles in their order. */
static void read_row(char *line)
{
    char *cells = strchr(line + 3, '`');
    assert_non_null(cells);
    assert_true(n_promises < METHODS_MAX);
    struct promise *promise = &promises[n_promises++];
    bool ours = strncmp(line + 3, "grpc.", 5) != 0;
    snprintf(promise->path, sizeof promise->path, "/%s%.*s", ours ? "vitrine.v1." : "",
             (int)(cells - line - 3), line + 3);
    strsep(&cells, "|");
    for (unsigned role = 0; role < VT_RPC_N_ROLES; role++) {
        const char *cell = strsep(&cells, "|");
        assert_non_null(cell);
        if (strcmp(cell, " yes ") == 0)
            promise->roles |= 1U << role;
        else if (strspn(cell, " ") != strlen(cell))
            fail_msg("%s: a cell is 'yes' or empty, not '%s'", promise->path, cell);
    }
}

static void check_heading(char *line)
{
    strsep(&line, "|");
    strsep(&line, "|"); /* "call" */
    for (unsigned role = 0; role < VT_RPC_N_ROLES; role++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, " %s ", vt_rpc_role_name(role));
        assert_string_equal(strsep(&line, "|"), wanted);
    }
}

static void read_page(void)
{
    struct vt_diag diag = {0};
    char *text = NULL;
    size_t len = 0;
    bool in_table = false;
    assert_ok(vt_file_read(VT_TEST_API_PAGE, API_BYTES_MAX, &diag, &text, &len));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, "| call | storefront |", 21) == 0) {
            check_heading(line);
            in_table = true;
        } else if (in_table && strncmp(line, "| `", 3) == 0) {
            read_row(line);
        } else if (in_table && line[0] != '|') {
            break;
        }
    }
    free(text);
}

static int setup(void **state)
{
    (void)state;
    collect_methods();
    read_page();
    return 0;
}

/* ---- the comparison ---- */

static const struct promise *promise_of(const char *path)
{
    for (size_t i = 0; i < n_promises; i++)
        if (strcmp(promises[i].path, path) == 0)
            return &promises[i];
    return NULL;
}

static bool may(const struct vt_rpc_method *method, unsigned role)
{
    unsigned roles = 0;
    struct vt_diag diag = {0};
    const struct vt__caller caller = {.certified = true, .roles = role};
    struct vt_err err = vt__access_judge(method, &caller, &diag, &roles);
    if (vt_failed(err))
        assert_int_equal(err.code, VT_DENIED);
    return !vt_failed(err);
}

static void every_pair_is_as_the_page_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_methods; i++) {
        const struct promise *promise = promise_of(methods[i]->path);
        if (promise == NULL)
            fail_msg("docs/api.md, \"Who may call\", lacks a row for %s", methods[i]->path);
        for (unsigned role = 0; role < VT_RPC_N_ROLES; role++)
            if (may(methods[i], 1U << role) != ((promise->roles >> role & 1) != 0))
                fail_msg("%s as %s: docs/api.md and the method's row differ", methods[i]->path,
                         vt_rpc_role_name(role));
    }
}

static void the_page_has_no_method_twice_or_too_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_promises; i++) {
        assert_ptr_equal(promise_of(promises[i].path), &promises[i]);
        bool served = false;
        for (size_t j = 0; j < n_methods && !served; j++)
            served = strcmp(methods[j]->path, promises[i].path) == 0;
        if (!served)
            fail_msg("docs/api.md has a row for %s, which nobody serves", promises[i].path);
    }
    assert_int_equal(n_promises, n_methods);
}

static void a_caller_without_role_may_call_nothing(void **state)
{
    (void)state;
    unsigned roles = 0;
    struct vt_diag diag = {0};
    const struct vt__caller nobody = {.certified = true};
    for (size_t i = 0; i < n_methods; i++)
        assert_code(vt__access_judge(methods[i], &nobody, &diag, &roles), VT_UNAUTHENTICATED);
}

static void the_admin_socket_may_call_everything(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_methods; i++)
        assert_true(may(methods[i], VT_CALLER_ANY | VT__CALLER_ADMIN));
}

static void no_outside_role_reaches_a_method_of_the_admin_socket(void **state)
{
    (void)state;
    size_t n_admin = 0;
    for (size_t i = 0; i < n_methods; i++)
        if (strncmp(methods[i]->path, "/vitrine.v1.AdminService/", 25) == 0) {
            n_admin++;
            assert_false(may(methods[i], VT_CALLER_ANY));
        }
    assert_true(n_admin > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_as_the_page_says),
        cmocka_unit_test(the_page_has_no_method_twice_or_too_many),
        cmocka_unit_test(a_caller_without_role_may_call_nothing),
        cmocka_unit_test(the_admin_socket_may_call_everything),
        cmocka_unit_test(no_outside_role_reaches_a_method_of_the_admin_socket),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
