/* Which options of `vitrine serve` go with which role, and the limits of its table. */
#include "services/node/serve_options.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

#define P "--profile=127.0.0.1:1"
#define C "--candidate=127.0.0.1:2"

struct role_case {
    const char *role, *first, *second;
    const char *refused; /* the option named when it is refused; NULL: accepted */
};

static const struct role_case role_cases[] = {
    {"all", NULL, NULL, NULL},         {"all", P, NULL, "profile"},
    {"all", C, NULL, "candidate"},     {"profile", NULL, NULL, NULL},
    {"profile", P, NULL, "profile"},   {"profile", C, NULL, "candidate"},
    {"candidate", P, NULL, NULL},      {"candidate", NULL, NULL, "profile"},
    {"candidate", P, C, "candidate"},  {"ranking", P, C, NULL},
    {"ranking", P, NULL, "candidate"}, {"ranking", C, NULL, "profile"},
};

enum { ARGUMENTS_MAX = 6 };

/* What the program says of these arguments after "--data d"; NULL ends them. */
static struct vt_err judge(const char *const *arguments, struct vt_serve_options *ret_options,
                           struct vt_options *ret_parsed, struct vt_diag *diag)
{
    char words[ARGUMENTS_MAX + 3][64] = {"serve", "--data", "d"};
    char *argv[ARGUMENTS_MAX + 4] = {words[0], words[1], words[2]};
    int argc = 3;
    bool help = false;
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        snprintf(words[argc], sizeof words[argc], "%s", arguments[i]);
        argv[argc] = words[argc];
        argc++;
    }
    VT_TRY(vt_options_parse(&vt_serve_spec, argc, argv, ret_options, ret_parsed, &help, diag));
    return vt_serve_options_check(ret_options, diag);
}

static void each_role_needs_its_neighbours_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof role_cases / sizeof role_cases[0]; i++) {
        const struct role_case *c = &role_cases[i];
        struct vt_serve_options options = {.data = "d", .role = c->role};
        struct vt_diag diag = {0};
        const char *told[] = {c->first, c->second};
        for (size_t k = 0; k < 2; k++) {
            options.profile =
                told[k] != NULL && strcmp(told[k], P) == 0 ? told[k] : options.profile;
            options.candidate =
                told[k] != NULL && strcmp(told[k], C) == 0 ? told[k] : options.candidate;
        }
        struct vt_err err = vt_serve_options_check(&options, &diag);
        if (vt_failed(err) != (c->refused != NULL) ||
            (c->refused != NULL && (err.code != VT_INVALID || strcmp(diag.field, c->refused) != 0)))
            fail_msg("row %zu, role %s: refused for '%s'", i, c->role, diag.field);
    }
}

static void a_role_is_the_services_it_names(void **state)
{
    (void)state;
    static const struct {
        const char *role;
        unsigned bits;
    } cases[] = {{"all", VT_ROLE_PROFILE | VT_ROLE_CANDIDATE | VT_ROLE_RANKING},
                 {"profile", VT_ROLE_PROFILE},
                 {"candidate", VT_ROLE_CANDIDATE},
                 {"ranking", VT_ROLE_RANKING}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_serve_options options = {.role = cases[i].role};
        assert_int_equal(vt_serve_roles(&options), cases[i].bits);
    }
}

static void limits_hold_at_the_edge_and_not_beyond(void **state)
{
    (void)state;
    static const struct {
        const char *argument;
        bool accepted;
    } cases[] = {
        {"--threads=256", true},         {"--threads=257", false},
        {"--max-in-flight=1", true},     {"--max-in-flight=0", false},
        {"--history-max=1000", true},    {"--history-max=1001", false},
        {"--arena-kib=256", true},       {"--arena-kib=255", false},
        {"--queue-events=1000", true},   {"--queue-events=999", false},
        {"--role=ranker", false},        {"--diversity=some", false},
        {"--otlp=127.0.0.1:4317", true}, {"--otlp=", true},
        {"--otlp=collector", false},     {"--trace-sample=1", true},
        {"--trace-sample=1.01", false},  {"--listen", false},
        {"--lisen=127.0.0.1:0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_serve_options options = {0};
        struct vt_options parsed = {0};
        struct vt_diag diag = {0};
        struct vt_err err =
            judge((const char *const[]){cases[i].argument, NULL}, &options, &parsed, &diag);
        vt_options_fini(&parsed);
        if (vt_failed(err) == cases[i].accepted)
            fail_msg("%s: %s", cases[i].argument, vt_failed(err) ? diag.text : "accepted");
    }
}

static void nothing_told_is_one_process_on_the_loopback(void **state)
{
    (void)state;
    struct vt_serve_options options = {0};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    assert_ok(judge((const char *const[]){NULL}, &options, &parsed, &diag));
    assert_int_equal(vt_serve_roles(&options), VT_ROLE_ALL);
    assert_string_equal(options.listen, "127.0.0.1:7400");
    assert_null(options.http);
    assert_int_equal(options.history_max, 200);
    assert_int_equal(options.drain_grace_ms, 5000);
    vt_options_fini(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_needs_its_neighbours_and_no_others),
        cmocka_unit_test(a_role_is_the_services_it_names),
        cmocka_unit_test(limits_hold_at_the_edge_and_not_beyond),
        cmocka_unit_test(nothing_told_is_one_process_on_the_loopback),
    };
    return cmocka_run_group_tests_name("node/serve_options", tests, NULL, NULL);
}
