#ifndef LOADTEST_RUN_H
#define LOADTEST_RUN_H

#include "loadtest/generator.h"
#include "services/common/base/options.h"
#include "services/common/rpc/tls_options.h"

/* What every command that makes load can be told. */
struct run_options {
    const char *target, *rate, *customers, *skus, *catalog, *arrivals, *mix, *http, *html;
    struct vt_rpc_tls_flags tls;
    struct vt_option_list metadata;
    int64_t duration_ms, warmup_ms, timeout_ms;
    uint32_t connections, threads, concurrency, max_outstanding, n, rank_size;
    uint64_t seed;
    double zipf;
    bool json, strict, batch;
};

/* The rows that a command's table has for `field_`, a struct run_options of its target `type_`. */
#define RUN_ROW(type_, field_, name_, kind_, argument_, help_, ...)                                \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(type_, field_),                       \
        .argument = (argument_), .help = (help_), __VA_ARGS__                                      \
    }
#define RUN_OPTIONS(type_, f_, duration_)                                                          \
    RUN_ROW(type_, f_.target, "target", VT_OPTION_TEXT, "ADDR", "the service, or a floor",         \
            .fallback = "127.0.0.1:7400"),                                                         \
        VT_TLS_OPTIONS(type_, f_.tls),                                                             \
        RUN_ROW(type_, f_.metadata, "metadata", VT_OPTION_LIST, "NAME=VALUE",                      \
                "sent with every call: a gateway's token; may be repeated", .fallback = NULL),     \
        RUN_ROW(type_, f_.batch, "batch", VT_OPTION_BOOL, NULL,                                    \
                "say that storefronts go before these calls (vitrine-priority: batch)",            \
                .flag_only = true),                                                                \
        RUN_ROW(type_, f_.duration_ms, "duration", VT_OPTION_DURATION, "TIME",                     \
                "how long to measure (of a sweep: each rate)", .fallback = (duration_),            \
                .min = 100, .max = 86400000),                                                      \
        RUN_ROW(type_, f_.warmup_ms, "warmup", VT_OPTION_DURATION, "TIME",                         \
                "load before it, not counted", .fallback = "1s", .min = 0, .max = 3600000),        \
        RUN_ROW(type_, f_.timeout_ms, "timeout", VT_OPTION_DURATION, "TIME", "deadline of a call", \
                .fallback = "1s", .min = 1, .max = 600000),                                        \
        RUN_ROW(type_, f_.arrivals, "arrivals", VT_OPTION_CHOICE, "KIND", "gaps between calls",    \
                .fallback = "poisson", .choices = "poisson|fixed"),                                \
        RUN_ROW(type_, f_.connections, "connections", VT_OPTION_U32, "N", "connections",           \
                .fallback = "8", .min = 1, .max = 4096),                                           \
        RUN_ROW(type_, f_.threads, "threads", VT_OPTION_U32, "N",                                  \
                "sending threads; 0: one per core", .fallback = "0", .min = 0, .max = 256),        \
        RUN_ROW(type_, f_.concurrency, "concurrency", VT_OPTION_U32, "N",                          \
                "with --rate max: calls under way per connection", .fallback = "16", .min = 1,     \
                .max = 4096),                                                                      \
        RUN_ROW(type_, f_.max_outstanding, "max-outstanding", VT_OPTION_U32, "N",                  \
                "with a rate: calls under way at most; more are counted as unsent",                \
                .fallback = "20000", .min = 1, .max = 1000000),                                    \
        RUN_ROW(type_, f_.customers, "customers", VT_OPTION_TEXT, "N|FILE",                        \
                "C000001 to N as demo-data names them, or a file with an id a line",               \
                .fallback = "1000"),                                                               \
        RUN_ROW(type_, f_.skus, "skus", VT_OPTION_TEXT, "N|FILE",                                  \
                "the first N of the target's catalog, or a file with an id a line",                \
                .fallback = "1000"),                                                               \
        RUN_ROW(type_, f_.catalog, "catalog", VT_OPTION_TEXT, "ADDR",                              \
                "who lists the catalog, where the target does not (default: the target)",          \
                .fallback = NULL),                                                                 \
        RUN_ROW(type_, f_.zipf, "zipf", VT_OPTION_F64, "S",                                        \
                "customers and items come by 1/rank^S; 0: all alike", .fallback = "0.8", .min = 0, \
                .max = 5),                                                                         \
        RUN_ROW(type_, f_.n, "items", VT_OPTION_U32, "N",                                          \
                "items (of a profile: events) to ask for", .fallback = "10", .min = 1,             \
                .max = 200),                                                                       \
        RUN_ROW(type_, f_.rank_size, "rank-items", VT_OPTION_U32, "N", "items that a Rank orders", \
                .fallback = "50", .min = 1, .max = WORKLOAD_RANK_MAX),                             \
        RUN_ROW(type_, f_.seed, "seed", VT_OPTION_U64, "N",                                        \
                "of arrivals, customers, items and calls", .fallback = "1", .min = 0,              \
                .max = 9e15),                                                                      \
        RUN_ROW(type_, f_.html, "html", VT_OPTION_TEXT, "FILE", "also write a report as one page", \
                .fallback = NULL),                                                                 \
        RUN_ROW(type_, f_.json, "json", VT_OPTION_BOOL, NULL,                                      \
                "one JSON object on standard output", .flag_only = true)

/* A load that is ready to run. */
struct run {
    struct workload workload;
    struct generator_options generator;
    struct vt_rpc_tls *tls;
    struct vt_rpc_metadata metadata[GENERATOR_METADATA_MAX];
    char names[GENERATOR_METADATA_MAX][64];
};

/* "max" gives 0. VT_INVALID. */
VT_MUST_USE struct vt_err run_parse_rate(const char *text, double *ret_rate);
/* Reads files, asks the catalog, connects nothing else. `run` must not move afterwards, and borrows
 * the options' texts. VT_INVALID with the reason. */
VT_MUST_USE struct vt_err run_prepare(const struct run_options *options, struct vt_diag *diag,
                                      struct run *run);
void run_fini(struct run *run); /* a zeroed one is allowed */
/* Prints an error for people, to standard error. */
void run_print_error(struct vt_err err, const struct vt_diag *diag);

#endif
