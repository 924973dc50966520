/*
 * The table of `vitrine serve`: flags, configuration keys, environment, defaults and limits in one
 * place (docs/operations.md explains them), and the few rules between options that a table cannot
 * say.
 */
#include "services/node/serve_options.h"

#include "services/ranking/decision_log.h"

#include <stdlib.h>
#include <string.h>

enum { DRAIN_MAX_MS = 60 * 60 * 1000 }; /* an orchestrator kills long before */

/* clang-format off */
#define OPTION(name_, kind_, field_, argument_, fallback_, help_)                                  \
    .name = (name_), .kind = (kind_), .offset = offsetof(struct vt_serve_options, field_),         \
    .argument = (argument_), .fallback = (fallback_), .help = (help_)

static const struct vt_option option_table[] = {
    {OPTION("data", VT_OPTION_TEXT, data, "DIR", NULL,
            "the folder that holds everything: live store and bundles"), .required = true},
    {OPTION("role", VT_OPTION_CHOICE, role, "ROLE", "all",
            "which service this process is"), .choices = "all|profile|candidate|ranking"},
    {OPTION("listen", VT_OPTION_TEXT, listen, "ADDR", "127.0.0.1:7400",
            "gRPC address; port 0: the system chooses, see the log")},
    {OPTION("http", VT_OPTION_TEXT, http, "ADDR", NULL,
            "address of /metrics, /livez and /readyz, e.g. 127.0.0.1:7401")},
    {OPTION("profile", VT_OPTION_TEXT, profile, "ADDR", NULL,
            "the profile service, for the roles candidate and ranking")},
    {OPTION("candidate", VT_OPTION_TEXT, candidate, "ADDR", NULL,
            "the candidate service, for the role ranking")},
    {OPTION("tls-cert", VT_OPTION_TEXT, tls.cert, "FILE", NULL,
            "this server's certificate with its chain, PEM; read again when it changes")},
    {OPTION("tls-key", VT_OPTION_TEXT, tls.key, "FILE", NULL,
            "its key, PEM without passphrase")},
    {OPTION("tls-ca", VT_OPTION_TEXT, tls.ca, "FILE", NULL,
            "authorities of callers' and services' certificates, PEM")},
    {OPTION("tls-server-name", VT_OPTION_TEXT, tls.server_name, "NAME", NULL,
            "name in the certificates of --profile and --candidate, when not their address")},
    {OPTION("i-accept-plaintext-from-the-network", VT_OPTION_BOOL, plaintext_from_the_network,
            NULL, NULL, "serve every caller without TLS, with every right, on any address")},
    {OPTION("check-config", VT_OPTION_BOOL, check_config, NULL, NULL,
            "judge the configuration and stop"), .flag_only = true},
    {OPTION("log-level", VT_OPTION_CHOICE, log_level, "LEVEL", "info",
            "least level that is logged"), .choices = "debug|info|warn|error"},
    {OPTION("threads", VT_OPTION_U32, threads, "N", "0",
            "serving threads; 0: one per core"), .min = 0, .max = 256},
    {OPTION("max-in-flight", VT_OPTION_U32, max_in_flight, "N", "1024",
            "calls at a time; more are answered RESOURCE_EXHAUSTED"), .min = 1, .max = 65536},
    {OPTION("arena-kib", VT_OPTION_U32, arena_kib, "KIB", "1024",
            "memory of one call"), .min = 256, .max = 65536},
    {OPTION("drain-linger", VT_OPTION_DURATION, drain_linger_ms, "TIME", "2s",
            "after SIGTERM: how long to keep serving while health says NOT_SERVING"),
     .min = 0, .max = DRAIN_MAX_MS},
    {OPTION("drain-grace", VT_OPTION_DURATION, drain_grace_ms, "TIME", "5s",
            "then: how long calls in flight may take before they are cancelled"),
     .min = 0, .max = DRAIN_MAX_MS},
    {OPTION("history-max", VT_OPTION_U32, history_max, "N", "200",
            "newest events kept per customer"), .min = 1, .max = 1000},
    {OPTION("queue-events", VT_OPTION_U32, queue_events, "N", "100000",
            "events waiting for the writer; more are refused"), .min = 1000, .max = 10000000},
    {OPTION("idempotency-window", VT_OPTION_DURATION, idempotency_window_ms, "TIME", "14d",
            "how long an event id is remembered")},
    {OPTION("erase-within", VT_OPTION_DURATION, erase_within_ms, "TIME", "24h",
            "an erased customer's last trace is gone after it, at the latest"),
     .min = 60 * 1000, .max = INT64_C(30) * 24 * 3600 * 1000},
    {OPTION("visitor-events-per-hour", VT_OPTION_U32, visitor_events_per_hour, "N", "1000",
            "pages of one visitor that count; more are noise; 0: all count"),
     .min = 0, .max = 100000000},
    {OPTION("free-space-min", VT_OPTION_SIZE, free_space_min_bytes, "SIZE", "0",
            "free disk below which writes are refused; 0: 320MiB, at most 1/16 of the disk")},
    {OPTION("event-retention", VT_OPTION_DURATION, event_retention_ms, "TIME", "400d",
            "how long the event log keeps a day; 0: for ever")},
    {OPTION("visitor-expiry", VT_OPTION_DURATION, visitor_expiry_ms, "TIME", "180d",
            "when visitors known by cookie or device only are forgotten; 0: never")},
    {OPTION("watch-stall", VT_OPTION_DURATION, watch_stall_ms, "TIME", "30s",
            "a reader of catalog changes that takes none for as long is ended"),
     .min = 1000, .max = 3600 * 1000},
    {OPTION("consent-default", VT_OPTION_CHOICE, consent_default, "ANSWER", "granted",
            "of customers who said nothing"), .choices = "granted|denied"},
    {OPTION("placements", VT_OPTION_TEXT, placements, "FILE", NULL,
            "YAML: sources and rules of each placement; read again on SIGHUP")},
    {OPTION("decision-sample", VT_OPTION_F64, decision_sample, "SHARE", "1",
            "share of the answers that are recorded for Explain, chosen by their tokens"),
     .min = 0, .max = 1},
    {OPTION("decision-keep", VT_OPTION_DURATION, decision_keep_ms, "TIME", "24h",
            "how long a recorded answer can be explained"),
     .min = 60 * 1000, .max = INT64_C(30) * 24 * 3600 * 1000},
    {OPTION("decision-space", VT_OPTION_SIZE, decision_space_bytes, "SIZE", "1GiB",
            "disk for recorded answers, at least 4MiB; more are not recorded; 0: none are")},
    {OPTION("otlp", VT_OPTION_TEXT, otlp, "ADDR", NULL,
            "an OpenTelemetry collector that takes spans over gRPC, e.g. 127.0.0.1:4317")},
    {OPTION("trace-sample", VT_OPTION_F64, trace_sample, "SHARE", "0.01",
            "share of the calls without a traceparent that is traced; others do as theirs says"),
     .min = 0, .max = 1},
    {OPTION("diversity", VT_OPTION_CHOICE, diversity, "LEVEL", "low",
            "of requests that name none"), .choices = "none|low|medium|high"},
    {OPTION("source-weights.model", VT_OPTION_F64, weight_model, "W", "1",
            "share of the model's own mix; where a version has one, the next three are inside it"),
     .min = 0, .max = 100},
    {OPTION("source-weights.ranker", VT_OPTION_F64, weight_ranker, "W", "1",
            "share of the learned ranker, where a version has one; 0: blend without it"),
     .min = 0, .max = 100},
    {OPTION("source-weights.factor", VT_OPTION_F64, weight_factor, "W", "1",
            "share of matrix factorisation in the blend"), .min = 0, .max = 100},
    {OPTION("source-weights.item-neighbor", VT_OPTION_F64, weight_item_neighbor, "W", "0.5",
            "share of item-item neighbours"), .min = 0, .max = 100},
    {OPTION("source-weights.popular", VT_OPTION_F64, weight_popular, "W", "0.1",
            "share of popularity"), .min = 0, .max = 100},
    {OPTION("source-weights.new-arrival", VT_OPTION_F64, weight_new_arrival, "W", "0.05",
            "share of items that are newer than the model"), .min = 0, .max = 100},
    {OPTION("source-weights.bought-together", VT_OPTION_F64, weight_bought_together, "W", "0.1",
            "share of what is bought together with the cart"), .min = 0, .max = 100},
    {OPTION("source-weights.trending", VT_OPTION_F64, weight_trending, "W", "0.05",
            "share of what is gaining against its own past"), .min = 0, .max = 100},
    {OPTION("source-weights.content", VT_OPTION_F64, weight_content, "W", "0.05",
            "share of what is written about items that the model has not seen"),
     .min = 0, .max = 100},
};
/* clang-format on */

const struct vt_options_spec vt_serve_spec = {
    .command = "vitrine serve",
    .summary = "Serves a data folder: all services in one process, or one of them.",
    .example = "vitrine serve --data /var/lib/vitrine --listen 127.0.0.1:7400 "
               "--http 127.0.0.1:7401",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
    .layered = true,
};

unsigned vt_serve_roles(const struct vt_serve_options *options)
{
    if (strcmp(options->role, "profile") == 0)
        return VT_ROLE_PROFILE;
    if (strcmp(options->role, "candidate") == 0)
        return VT_ROLE_CANDIDATE;
    return strcmp(options->role, "ranking") == 0 ? VT_ROLE_RANKING : VT_ROLE_ALL;
}

#define WEIGHT(source_, field_)                                                                    \
    {                                                                                              \
        source_, offsetof(struct vt_serve_options, field_)                                         \
    }
static const struct {
    enum vt_source source;
    size_t offset;
} weight_table[] = {
    WEIGHT(VT_SOURCE_MODEL, weight_model),
    WEIGHT(VT_SOURCE_RANKER, weight_ranker),
    WEIGHT(VT_SOURCE_FACTOR, weight_factor),
    WEIGHT(VT_SOURCE_ITEM_NEIGHBOR, weight_item_neighbor),
    WEIGHT(VT_SOURCE_POPULAR, weight_popular),
    WEIGHT(VT_SOURCE_NEW_ARRIVAL, weight_new_arrival),
    WEIGHT(VT_SOURCE_BOUGHT_TOGETHER, weight_bought_together),
    WEIGHT(VT_SOURCE_TRENDING, weight_trending),
    WEIGHT(VT_SOURCE_CONTENT, weight_content),
};
enum { N_WEIGHTS = sizeof weight_table / sizeof weight_table[0] };

void vt_serve_source_weights(const struct vt_serve_options *options,
                             float ret_weights[VT_SOURCE_COUNT])
{
    for (size_t i = 0; i < N_WEIGHTS; i++) {
        double weight;
        memcpy(&weight, (const char *)options + weight_table[i].offset, sizeof weight);
        ret_weights[weight_table[i].source] = (float)weight;
    }
}

void vt_serve_default_source_weights(float ret_weights[VT_SOURCE_COUNT])
{
    for (size_t i = 0; i < N_WEIGHTS; i++)
        for (size_t o = 0; o < vt_serve_spec.n_options; o++)
            if (option_table[o].offset == weight_table[i].offset)
                ret_weights[weight_table[i].source] = strtof(option_table[o].fallback, NULL);
}

static struct vt_err need(const char *name, const char *value, bool needed, const char *role,
                          struct vt_diag *diag)
{
    if (needed && value == NULL)
        vt_diag_set(diag, name, "--role %s needs --%s ADDR", role, name);
    else if (!needed && value != NULL)
        vt_diag_set(diag, name, "--%s has no meaning with --role %s", name, role);
    else
        return vt_ok();
    return VT_ERR(VT_INVALID, "options do not fit together");
}

/* What follows the last colon is a port; the name before it is resolved by who uses it. gRPC would
 * take 99999 for 34463, and a name without a port for a service that is away. */
static struct vt_err check_address(const char *name, const char *address, struct vt_diag *diag)
{
    const char *colon = address != NULL ? strrchr(address, ':') : NULL;
    size_t n_digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    bool port = colon != NULL && colon != address && n_digits >= 1 && n_digits <= 5 &&
                colon[1 + n_digits] == '\0' && strtol(colon + 1, NULL, 10) <= UINT16_MAX;
    if (address == NULL || port || strncmp(address, "unix:", 5) == 0)
        return vt_ok();
    vt_diag_set(diag, name, "'%s' is not host:port with a port of 0 to 65535", address);
    return VT_ERR(VT_INVALID, "not an address");
}

static struct vt_err check_decisions(const struct vt_serve_options *options, struct vt_diag *diag)
{
    if (options->decision_space_bytes == 0 ||
        options->decision_space_bytes >= VT_DECISION_SPACE_MIN)
        return vt_ok();
    vt_diag_set(diag, "decision-space", "less than 4MiB holds no log; 0 keeps none");
    return VT_ERR(VT_INVALID, "the decision log has too little space");
}

struct vt_err vt_serve_options_check(const struct vt_serve_options *options, struct vt_diag *diag)
{
    unsigned roles = vt_serve_roles(options);
    VT_TRY(check_address("listen", options->listen, diag));
    VT_TRY(check_address("http", options->http, diag));
    VT_TRY(check_address("profile", options->profile, diag));
    VT_TRY(check_address("candidate", options->candidate, diag));
    if (options->otlp != NULL && options->otlp[0] != '\0') /* empty, as from a compose file: none */
        VT_TRY(check_address("otlp", options->otlp, diag));
    VT_TRY(check_decisions(options, diag));
    VT_TRY(need("profile", options->profile, (roles & VT_ROLE_PROFILE) == 0, options->role, diag));
    if ((roles & VT_ROLE_RANKING) == 0)
        VT_TRY(need("placements", options->placements, false, options->role, diag));
    return need("candidate", options->candidate, roles == VT_ROLE_RANKING, options->role, diag);
}
