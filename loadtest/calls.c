/*
 * The commands that ask about customers, `recommend` and `profile`: each draws customers, runs the
 * generator, prints what came of it. The same commands measure `vitrine-load floor`, so a service
 * and the ceiling stand in one table.
 */
#include "loadtest/generator.h"
#include "loadtest/load.h"
#include "loadtest/wire.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/tls_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CUSTOMERS_MAX = 1000000,
    CUSTOMER_FILE_BYTES_MAX = 64 << 20,
    REQUEST_BYTES_MAX = 256, /* in the arena, with its alignment */
};

/* What one command asks. */
struct scenario {
    struct vt_options_spec spec;
    const char *path;
    struct vt_err (*make)(const char *customer, uint32_t n, struct vt_arena *arena,
                          struct vt_slice *ret_bytes);
    bool (*is_degraded)(struct vt_slice response);
};

struct call_options {
    const struct scenario *scenario;
    const char *target, *rate, *customers, *arrivals;
    struct vt_rpc_tls_flags tls;
    int64_t duration_ms, warmup_ms, timeout_ms;
    uint32_t connections, threads, concurrency, max_outstanding, n;
    uint64_t seed;
    bool json;
};

/* Serialised requests, one a customer. */
struct requests {
    const struct call_options *options;
    struct vt_arena arena;
    struct vt_slice *bodies;
    size_t n;
};

static void requests_fini(struct requests *requests)
{
    vt_arena_fini(&requests->arena);
    free(requests->bodies);
}

static struct vt_err requests_init(struct requests *requests, size_t capacity)
{
    requests->bodies = calloc(capacity, sizeof *requests->bodies);
    VT_CHECK(requests->bodies != NULL &&
                 vt_arena_init_owned(&requests->arena, capacity * REQUEST_BYTES_MAX),
             VT_EXHAUSTED, "no memory for so many customers");
    return vt_ok();
}

static struct vt_err requests_add(struct requests *requests, const char *customer)
{
    const struct call_options *options = requests->options;
    VT_TRY(options->scenario->make(customer, options->n, &requests->arena,
                                   &requests->bodies[requests->n]));
    requests->n++;
    return vt_ok();
}

/* Customers as demo-data names them. */
static struct vt_err add_numbered(struct requests *requests, unsigned long n_customers)
{
    char customer[32];
    VT_TRY(requests_init(requests, n_customers));
    for (unsigned long i = 1; i <= n_customers; i++) {
        snprintf(customer, sizeof customer, "C%06lu", i);
        VT_TRY(requests_add(requests, customer));
    }
    return vt_ok();
}

static struct vt_err add_lines(struct requests *requests, char *text)
{
    size_t n_lines = 1;
    for (const char *at = text; *at != '\0'; at++)
        n_lines += *at == '\n' ? 1 : 0;
    VT_CHECK(n_lines <= CUSTOMERS_MAX, VT_EXHAUSTED, "more than a million customers in the file");
    VT_TRY(requests_init(requests, n_lines));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\r\n")) != NULL;)
        if (line[0] != '\0')
            VT_TRY(requests_add(requests, line));
    VT_CHECK(requests->n > 0, VT_INVALID, "no customer in the file");
    return vt_ok();
}

static struct vt_err load_customers(const struct call_options *options, struct requests *requests,
                                    struct vt_diag *diag)
{
    char *end = NULL;
    unsigned long n_customers = strtoul(options->customers, &end, 10);
    if (*end == '\0') {
        VT_CHECK(n_customers >= 1 && n_customers <= CUSTOMERS_MAX, VT_INVALID,
                 "--customers is 1 to 1000000, or a file with an id a line");
        return add_numbered(requests, n_customers);
    }
    char *text = NULL;
    size_t len = 0;
    VT_TRY(vt_file_read(options->customers, CUSTOMER_FILE_BYTES_MAX, diag, &text, &len));
    struct vt_err err = add_lines(requests, text);
    free(text);
    return err;
}

static struct vt_err parse_rate(const char *text, double *ret_rate)
{
    char *end = NULL;
    if (strcmp(text, "max") == 0) {
        *ret_rate = 0;
        return vt_ok();
    }
    double rate = strtod(text, &end);
    VT_CHECK(end != text && *end == '\0' && isfinite(rate) && rate > 0 && rate <= 1e7, VT_INVALID,
             "--rate is calls a second, or max");
    *ret_rate = rate;
    return vt_ok();
}

/* ---- the report ---- */

static double quantile_us(const struct generator_result *result, double q)
{
    return (double)histogram_quantile(&result->latency, q) * 1e-3;
}

static double goodput(const struct generator_result *result)
{
    return (double)(result->ok - result->degraded) / result->elapsed_s;
}

static void print_errors_json(const struct generator_result *result)
{
    const char *comma = "";
    for (int code = 0; code < VT_CODE_COUNT; code++) {
        if (result->errors[code] == 0)
            continue;
        printf("%s\"%s\":%llu", comma,
               vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code)),
               (unsigned long long)result->errors[code]);
        comma = ",";
    }
}

static void print_json(const struct generator_options *options,
                       const struct generator_result *result)
{
    if (options->rate > 0)
        printf("{\"rate\":%g", options->rate);
    else
        printf("{\"rate\":\"max\"");
    printf(",\"sent\":%llu,\"ok\":%llu,\"errors\":{", (unsigned long long)result->sent,
           (unsigned long long)result->ok);
    print_errors_json(result);
    printf("},\"degraded\":%llu", (unsigned long long)result->degraded);
    printf(",\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f",
           quantile_us(result, 0.5), quantile_us(result, 0.9), quantile_us(result, 0.99),
           quantile_us(result, 0.999), (double)result->latency.max * 1e-3);
    printf(",\"goodput\":%.1f", goodput(result));
    printf(",\"cpu\":{\"generator_user_s\":%.3f,\"generator_system_s\":%.3f,\"cores\":%ld}",
           result->user_s, result->system_s, sysconf(_SC_NPROCESSORS_ONLN));
    printf(",\"generator\":{\"late\":%llu,\"max_late_us\":%.1f,\"unsent\":%llu}",
           (unsigned long long)result->late, (double)result->max_late_ns * 1e-3,
           (unsigned long long)result->unsent);
    printf(",\"target\":\"%s\",\"duration_s\":%g,\"warmup_s\":%g,\"connections\":%u,"
           "\"threads\":%u,\"seed\":%llu}\n",
           options->target, result->elapsed_s, (double)options->warmup_ms * 1e-3,
           options->connections, options->threads, (unsigned long long)options->seed);
}

static void print_text(const struct generator_options *options,
                       const struct generator_result *result)
{
    printf("%-12s %s for %g s, %u connections, %u threads\n", "target", options->target,
           result->elapsed_s, options->connections, options->threads);
    printf("%-12s %llu sent, %llu ok, %llu degraded, %.1f/s good\n", "calls",
           (unsigned long long)result->sent, (unsigned long long)result->ok,
           (unsigned long long)result->degraded, goodput(result));
    for (int code = 0; code < VT_CODE_COUNT; code++)
        if (result->errors[code] > 0)
            printf("%-12s %llu %s\n", "errors", (unsigned long long)result->errors[code],
                   vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code)));
    printf("%-12s p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us%s\n", "latency",
           quantile_us(result, 0.5), quantile_us(result, 0.9), quantile_us(result, 0.99),
           quantile_us(result, 0.999), (double)result->latency.max * 1e-3,
           options->rate > 0 ? "" : " (closed loop: these hide queueing)");
    printf("%-12s %llu calls late by over %d us (worst %.0f us), %llu not sent\n", "generator",
           (unsigned long long)result->late, GENERATOR_LATE_US, (double)result->max_late_ns * 1e-3,
           (unsigned long long)result->unsent);
}

/* A run in which nothing was answered says nothing, so it fails. */
static int report(const struct call_options *options, const struct generator_options *generator,
                  const struct generator_result *result)
{
    if (options->json)
        print_json(generator, result);
    else
        print_text(generator, result);
    if (generator->rate > 0 && result->late * 100 > result->sent)
        fprintf(stderr, "vitrine-load: the generator itself was late for over 1 %% of the calls; "
                        "lower the rate, or run it on another machine\n");
    return result->ok > 0 ? LOAD_EXIT_DONE : LOAD_EXIT_FAILED;
}

static struct vt_err fill_options(const struct call_options *options,
                                  const struct requests *requests,
                                  struct generator_options *ret_generator)
{
    double rate = 0;
    VT_TRY(parse_rate(options->rate, &rate));
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t threads = options->threads > 0 ? options->threads : (uint32_t)n_cores;
    *ret_generator = (struct generator_options){
        .target = options->target,
        .server_name = options->tls.server_name,
        .path = options->scenario->path,
        .bodies = requests->bodies,
        .n_bodies = requests->n,
        .rate = rate,
        .poisson = strcmp(options->arrivals, "poisson") == 0,
        .warmup_ms = options->warmup_ms,
        .duration_ms = options->duration_ms,
        .timeout_ms = options->timeout_ms,
        .connections = options->connections,
        .threads = threads < options->connections ? threads : options->connections,
        .concurrency = options->concurrency,
        .max_outstanding = options->max_outstanding,
        .seed = options->seed,
        .is_degraded = options->scenario->is_degraded,
    };
    return vt_ok();
}

static int run(const struct call_options *options)
{
    struct vt_diag diag = {0};
    struct requests requests = {.options = options};
    struct generator_options generator = {0};
    struct vt_rpc_tls *tls = NULL;
    int exit_status = LOAD_EXIT_FAILED;
    struct generator_result *result = calloc(1, sizeof *result);
    struct vt_err err = result != NULL ? load_customers(options, &requests, &diag)
                                       : VT_ERR(VT_EXHAUSTED, "no memory");
    if (!vt_failed(err))
        err = fill_options(options, &requests, &generator);
    if (!vt_failed(err))
        err = vt_rpc_tls_from_flags(&options->tls, &diag, &tls);
    generator.tls = tls;
    if (!vt_failed(err))
        err = generator_run(&generator, result);
    if (!vt_failed(err))
        exit_status = report(options, &generator, result);
    else
        fprintf(stderr, "vitrine-load: %s%s%s\n", err.what, diag.text[0] != '\0' ? ": " : "",
                diag.text);
    requests_fini(&requests);
    vt_rpc_tls_free(tls);
    free(result);
    return exit_status;
}

#define FIELD(name_) offsetof(struct call_options, name_)
static const struct vt_option table[] = {
    {"target", VT_OPTION_TEXT, FIELD(target), "ADDR", "the service, or a floor",
     .fallback = "127.0.0.1:7400"},
    VT_TLS_OPTIONS(struct call_options, tls),
    {"rate", VT_OPTION_TEXT, FIELD(rate), "PER_S|max", "calls a second; max: closed loop",
     .fallback = "100"},
    {"duration", VT_OPTION_DURATION, FIELD(duration_ms), "TIME", "how long to measure",
     .fallback = "30s", .min = 100, .max = 86400000},
    {"warmup", VT_OPTION_DURATION, FIELD(warmup_ms), "TIME", "load before it, not counted",
     .fallback = "1s", .min = 0, .max = 3600000},
    {"timeout", VT_OPTION_DURATION, FIELD(timeout_ms), "TIME", "deadline of a call",
     .fallback = "1s", .min = 1, .max = 600000},
    {"arrivals", VT_OPTION_CHOICE, FIELD(arrivals), "KIND", "gaps between calls",
     .fallback = "poisson", .choices = "poisson|fixed"},
    {"connections", VT_OPTION_U32, FIELD(connections), "N", "connections", .fallback = "8",
     .min = 1, .max = 4096},
    {"threads", VT_OPTION_U32, FIELD(threads), "N", "generator threads; 0: one per core",
     .fallback = "0", .min = 0, .max = 256},
    {"concurrency", VT_OPTION_U32, FIELD(concurrency), "N",
     "with --rate max: calls under way per connection", .fallback = "16", .min = 1, .max = 4096},
    {"max-outstanding", VT_OPTION_U32, FIELD(max_outstanding), "N",
     "with a rate: calls under way at most; more are counted as unsent", .fallback = "20000",
     .min = 1, .max = 1000000},
    {"customers", VT_OPTION_TEXT, FIELD(customers), "N|FILE",
     "C000001 to N as demo-data names them, or a file with an id a line", .fallback = "1000"},
    {"items", VT_OPTION_U32, FIELD(n), "N", "items (of a profile: events) to ask for",
     .fallback = "10", .min = 1, .max = 200},
    {"seed", VT_OPTION_U64, FIELD(seed), "N", "of arrivals and of the choice of customers",
     .fallback = "1", .min = 0, .max = 9e15},
    {"json", VT_OPTION_BOOL, FIELD(json), NULL, "one JSON object on standard output",
     .flag_only = true},
};

#define TABLE .options = table, .n_options = sizeof table / sizeof table[0]
static const struct scenario recommend = {
    .spec = {.command = "vitrine-load recommend",
             .summary = "Asks for recommendations at a rate and reports latency from the intended "
                        "time.",
             .example = "vitrine-load recommend --target 127.0.0.1:7400 --rate 2000 --duration 30s",
             TABLE},
    .path = "/vitrine.v1.RecommendationService/Recommend",
    .make = load_wire_recommend,
    .is_degraded = load_wire_is_degraded,
};
static const struct scenario profile = {
    .spec = {.command = "vitrine-load profile",
             .summary = "Asks for customers' profiles at a rate and reports latency from the "
                        "intended time.",
             .example = "vitrine-load profile --target 127.0.0.1:7400 --rate max --items 50",
             TABLE},
    .path = "/vitrine.v1.ProfileService/GetProfile",
    .make = load_wire_profile,
    .is_degraded = load_wire_never_degraded,
};

static int run_command(const struct scenario *scenario, int argc, char **argv)
{
    struct call_options options = {.scenario = scenario};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    if (vt_failed(vt_options_parse(&scenario->spec, argc, argv, &options, &parsed, &help, &diag)))
        fprintf(stderr, "%s: %s%s%s\n", scenario->spec.command, diag.field,
                diag.field[0] != '\0' ? ": " : "", diag.text);
    else
        exit_status = help ? LOAD_EXIT_DONE : run(&options);
    vt_options_fini(&parsed);
    return exit_status;
}

int load_recommend(int argc, char **argv)
{
    return run_command(&recommend, argc, argv);
}

int load_profile(int argc, char **argv)
{
    return run_command(&profile, argc, argv);
}
