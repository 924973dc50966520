/*
 * The wiring of a process. Every part is a pointer that is NULL until it is built, so that one
 * function takes down whatever there is, after a failed start as after a clean run. Order matters:
 * the server drains before the services it calls go; remote channels outlive the ports on them; the
 * follower stops before the store closes.
 */
#include "services/node/cell.h"

#include "models/bundle/bundle_set.h"
#include "services/candidate/candidate.h"
#include "services/candidate/handlers.h"
#include "services/candidate/remote.h"
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "services/common/catalog/item_table.h"
#include "services/common/otlp/otlp.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/dial.h"
#include "services/common/rpc/http.h"
#include "services/common/rpc/server.h"
#include "services/model/handlers.h"
#include "services/node/checkpoint.h"
#include "services/node/item_follower.h"
#include "services/node/serve_tls.h"
#include "services/node/serve_trace.h"
#include "services/node/token_key.h"
#include "services/profile/follow.h"
#include "services/profile/forgotten.h"
#include "services/profile/handlers.h"
#include "services/profile/profile.h"
#include "services/profile/remote.h"
#include "services/ranking/decision_log.h"
#include "services/ranking/handlers.h"
#include "services/ranking/handlers_audience.h"
#include "services/ranking/handlers_explain.h"
#include "services/ranking/ranking.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, REASON_BYTES = 256 };

enum phase { STARTING, SERVING, DRAINING };

struct vt_cell {
    const struct vt_serve_options *options;
    unsigned roles;
    _Atomic(enum phase) phase; /* relaxed: what /readyz says; set by the thread of the cell */
    struct vt_metrics *metrics;
    struct vt_rpc_tls *tls; /* NULL: plaintext */
    struct vt_otlp *otlp;   /* NULL: no call is traced */
    struct vt_item_table *items;
    struct vt_filter_cache *filters;
    struct vt_bundle_set *bundles;
    struct vt_profile *profile;
    struct vt_item_follower *follower;
    struct vt_rpc_channel *profile_channel, *candidate_channel;
    struct vt_profile_follow *remote_follow;
    struct vt_profile_remote *profile_remote;
    struct vt_candidate_remote *candidate_remote;
    struct vt_candidate_service *candidate;
    struct vt_decision_log *decisions; /* NULL: none is kept */
    struct vt_forgotten_follow *forgotten;
    struct vt_ranking_service *ranking;
    struct vt_explain_rpc *explain_rpc;
    struct vt_audience *audience;
    struct vt_profile_rpc *profile_rpc;
    struct vt_model_rpc *model_rpc;
    struct vt_rpc_server *server;
    struct vt_http_server *http;
};

/* ---- data: the store or the way to it, the item table, the bundles ---- */

static struct vt_err open_store(struct vt_cell *cell, struct vt_diag *diag)
{
    const struct vt_serve_options *options = cell->options;
    unsigned char key[VT_TOKEN_KEY_BYTES];
    VT_TRY(vt_folder_create(options->data, diag));
    VT_TRY(vt_token_key_load(options->data, diag, key));
    struct vt_profile_options profile = {
        .data_dir = options->data,
        .audit_key = key,
        .erase_within_ms = options->erase_within_ms,
        .clock = vt_clock_system(),
        .metrics = cell->metrics,
        .history_max = options->history_max,
        .queue_events_max = options->queue_events,
        .idempotency_window_ms = options->idempotency_window_ms,
        .free_space_min_bytes = options->free_space_min_bytes,
        .visitor_events_per_hour = options->visitor_events_per_hour,
        .event_retention_ms = options->event_retention_ms,
        .watch_stall_ms = options->watch_stall_ms,
        .visitor_expiry_ms = options->visitor_expiry_ms,
        .consent_default = strcmp(options->consent_default, "granted") == 0,
        .create = true,
    };
    VT_TRY(vt_profile_open(&profile, diag, &cell->profile));
    vt_checkpoint_sweep(options->data);
    return vt_item_follower_start(cell->profile, cell->items, &cell->follower);
}

static struct vt_err open_channel(const struct vt_cell *cell, const char *target,
                                  struct vt_rpc_channel **ret_channel)
{
    const struct vt_rpc_channel_options options = {
        .target = target, .tls = cell->tls, .server_name = cell->options->tls.server_name};
    return vt_rpc_channel_open(&options, ret_channel);
}

static struct vt_err reach_profile(struct vt_cell *cell)
{
    VT_TRY(open_channel(cell, cell->options->profile, &cell->profile_channel));
    VT_TRY(vt_profile_remote_new(cell->profile_channel, vt_clock_system(), cell->metrics,
                                 &cell->profile_remote));
    return vt_profile_follow_start(cell->profile_channel, cell->items, cell->metrics,
                                   &cell->remote_follow);
}

static struct vt_err open_data(struct vt_cell *cell, struct vt_diag *diag)
{
    VT_TRY(vt_metrics_new(&cell->metrics));
    VT_TRY(vt_serve_tls_open(cell->options, cell->metrics, diag, &cell->tls));
    VT_TRY(vt_serve_trace_open(cell->options, cell->metrics, &cell->otlp));
    VT_TRY(vt_item_table_new(&cell->items));
    VT_TRY((cell->roles & VT_ROLE_PROFILE) != 0 ? open_store(cell, diag) : reach_profile(cell));
    return vt_bundle_set_open(cell->options->data, cell->metrics, diag, &cell->bundles);
}

/* ---- services ---- */

static unsigned diversity_level(const char *name)
{
    static const char *const names[] = {"none", "low", "medium", "high"};
    unsigned level = 0;
    while (level < 3 && strcmp(names[level], name) != 0)
        level++;
    return level + 1;
}

static struct vt_profile_port profile_port(const struct vt_cell *cell)
{
    return cell->profile != NULL ? vt_profile_local_port(cell->profile)
                                 : vt_profile_remote_port(cell->profile_remote);
}

static struct vt_candidate_port candidate_port(const struct vt_cell *cell)
{
    return cell->candidate != NULL ? vt_candidate_local_port(cell->candidate)
                                   : vt_candidate_remote_port(cell->candidate_remote);
}

static struct vt_err make_candidate(struct vt_cell *cell)
{
    if ((cell->roles & VT_ROLE_CANDIDATE) != 0) {
        VT_TRY(vt_candidate_service_new(cell->bundles, cell->items, vt_clock_system(),
                                        cell->metrics, &cell->candidate));
        vt_candidate_service_use_filters(cell->candidate, cell->filters);
        return vt_ok();
    }
    VT_TRY(open_channel(cell, cell->options->candidate, &cell->candidate_channel));
    return vt_candidate_remote_new(cell->candidate_channel, vt_clock_system(), cell->metrics,
                                   &cell->candidate_remote);
}

/* On the follower's thread. */
static bool forget_decisions(void *ctx, const uint64_t *numbers, uint32_t n, bool all)
{
    struct vt_decision_log *log = ctx;
    struct vt_diag diag = {0};
    uint64_t n_records = 0;
    struct vt_err err = all ? vt_decision_log_forget_all(log, &diag)
                            : vt_decision_log_forget(log, numbers, n, &diag, &n_records);
    if (vt_failed(err))
        vt_log_err(VT_LOG_ERROR, "decisions_not_forgotten", err, diag.text);
    else if (n_records > 0 || all)
        vt_log(VT_LOG_INFO, "decisions_forgotten", VT_F_INT("records", n_records),
               VT_F_BOOL("all", all));
    return !vt_failed(err);
}

/* From before the oldest record that may be there. */
static struct vt_err follow_forgotten(struct vt_cell *cell)
{
    const struct vt_forgotten_options forgotten = {
        .profile = cell->profile,
        .channel = cell->profile_channel,
        .since_ms = vt_clock_unix_ms(vt_clock_system()) - 2 * cell->options->decision_keep_ms,
        .forget = forget_decisions,
        .ctx = cell->decisions,
    };
    return vt_forgotten_follow_start(&forgotten, &cell->forgotten);
}

/* Its threads are those of the server, which counts the cores where nobody says how many. */
static struct vt_err open_decisions(struct vt_cell *cell, const unsigned char *key,
                                    struct vt_diag *diag)
{
    const struct vt_serve_options *options = cell->options;
    char folder[PATH_BYTES];
    if (options->decision_space_bytes == 0)
        return vt_ok();
    snprintf(folder, sizeof folder, "%s/decisions", options->data);
    struct vt_decision_log_options log = {
        .folder = folder,
        .sample = options->decision_sample,
        .keep_ms = options->decision_keep_ms,
        .space_bytes = options->decision_space_bytes,
        .n_threads =
            options->threads != 0 ? options->threads : (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
        .clock = vt_clock_system(),
        .metrics = cell->metrics,
    };
    memcpy(log.key, key, sizeof log.key);
    VT_TRY(vt_decision_log_open(&log, diag, &cell->decisions));
    return follow_forgotten(cell);
}

static struct vt_err make_ranking(struct vt_cell *cell, struct vt_diag *diag)
{
    const struct vt_serve_options *options = cell->options;
    struct vt_ranking_options ranking = {
        .profile = profile_port(cell),
        .candidate = candidate_port(cell),
        .bundles = cell->bundles,
        .items = cell->items,
        .filters = cell->filters,
        .clock = vt_clock_system(),
        .metrics = cell->metrics,
        .diversity = diversity_level(options->diversity),
    };
    vt_serve_source_weights(options, ranking.source_weights);
    VT_TRY(vt_token_key_load(options->data, diag, ranking.token_key));
    VT_TRY(open_decisions(cell, ranking.token_key, diag));
    ranking.decisions = cell->decisions;
    VT_TRY(vt_audience_new(&ranking, &cell->audience));
    VT_TRY(vt_ranking_service_new(&ranking, &cell->ranking));
    VT_TRY(vt_explain_rpc_new(cell->ranking, &cell->explain_rpc));
    return vt_cell_reload(cell, diag);
}

static struct vt_err make_profile_rpc(struct vt_cell *cell)
{
    VT_TRY(vt_profile_rpc_new(cell->profile, cell->items, &cell->profile_rpc));
    vt_profile_rpc_measure(cell->profile_rpc, cell->metrics);
    return vt_ok();
}

static struct vt_err make_services(struct vt_cell *cell, struct vt_diag *diag)
{
    if ((cell->roles & (VT_ROLE_CANDIDATE | VT_ROLE_RANKING)) != 0) {
        VT_TRY(vt_filter_cache_new(cell->metrics, &cell->filters));
        VT_TRY(make_candidate(cell));
    }
    if ((cell->roles & VT_ROLE_RANKING) != 0)
        VT_TRY(make_ranking(cell, diag));
    if (cell->profile != NULL)
        VT_TRY(make_profile_rpc(cell));
    return vt_model_rpc_new(cell->options->data, cell->bundles, &cell->model_rpc);
}

/* ---- ports ---- */

static struct vt_err add_methods(struct vt_cell *cell)
{
    size_t n;
    const struct vt_rpc_method *methods = vt_model_rpc_methods(&n);
    VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->model_rpc));
    if ((cell->roles & VT_ROLE_PROFILE) != 0) {
        methods = vt_profile_rpc_methods(&n);
        VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->profile_rpc));
    }
    if ((cell->roles & VT_ROLE_CANDIDATE) != 0) {
        methods = vt_candidate_rpc_methods(&n);
        VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->candidate));
    }
    if ((cell->roles & VT_ROLE_RANKING) != 0) {
        methods = vt_ranking_rpc_methods(&n);
        VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->ranking));
        methods = vt_audience_rpc_methods(&n);
        VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->audience));
        methods = vt_explain_rpc_methods(&n);
        VT_TRY(vt_rpc_server_add(cell->server, methods, n, cell->explain_rpc));
    }
    return vt_ok();
}

static struct vt_err start_grpc(struct vt_cell *cell, struct vt_diag *diag)
{
    const struct vt_serve_options *options = cell->options;
    char admin_path[PATH_BYTES];
    snprintf(admin_path, sizeof admin_path, "%s/admin.sock", options->data);
    struct vt_rpc_server_options server = {
        .listen = options->listen,
        .admin_path = cell->profile != NULL ? admin_path : NULL,
        .n_threads = options->threads,
        .max_in_flight = options->max_in_flight,
        .arena_bytes = options->arena_kib << 10,
        .drain_grace_ms = (uint32_t)options->drain_grace_ms,
        .metrics = cell->metrics,
        .tracer = vt_otlp_tracer(cell->otlp),
        .tls = cell->tls,
        .plaintext_from_anywhere = options->plaintext_from_the_network,
    };
    VT_TRY(vt_rpc_server_new(&server, &cell->server));
    VT_TRY(add_methods(cell));
    return vt_rpc_server_start(cell->server, diag);
}

/* A part that only answers waits for the published version: while it cannot be loaded, replicas
 * that have one answer better. Where the store is in this process, events and pages must go on. */
static bool has_its_bundle(const struct vt_cell *cell, char *reason, size_t reason_size)
{
    if (cell->profile != NULL)
        return true;
    struct vt_bundle *bundle = vt_bundle_set_current(cell->bundles);
    if (bundle != NULL) {
        vt_bundle_release(bundle);
        return true;
    }
    vt_bundle_set_damage(cell->bundles, reason, reason_size);
    return reason[0] == '\0'; /* no version was ever published: popular items are what there is */
}

/* Whether calls may come, the port aside. Any thread. */
static bool can_answer(const struct vt_cell *cell, char *reason, size_t reason_size)
{
    if (!vt_item_table_ready(cell->items)) {
        snprintf(reason, reason_size, "the item table is not complete yet");
        return false;
    }
    return has_its_bundle(cell, reason, reason_size);
}

/* Runs on the HTTP thread. Says what health says, and why. */
static bool is_ready(void *ctx, char *reason, size_t reason_size)
{
    const struct vt_cell *cell = ctx;
    switch (atomic_load_explicit(&cell->phase, memory_order_relaxed)) {
    case SERVING:
        return true;
    case DRAINING:
        snprintf(reason, reason_size, "stopping");
        return false;
    default:
        if (can_answer(cell, reason, reason_size))
            snprintf(reason, reason_size, "about to serve");
        return false;
    }
}

/* What is dialled to learn whether we live: our own port, on the loopback where we listen on every
 * address. */
static void name_own_port(const struct vt_cell *cell, char *ret_target, size_t size_bytes)
{
    const char *listen = cell->options->listen, *colon = strrchr(listen, ':');
    if (strncmp(listen, "unix:", 5) == 0) {
        snprintf(ret_target, size_bytes, "%s", listen);
        return;
    }
    int host_len = colon != NULL ? (int)(colon - listen) : 0;
    bool everywhere =
        host_len == 0 || strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
    snprintf(ret_target, size_bytes, "%.*s:%u", everywhere ? 9 : host_len,
             everywhere ? "127.0.0.1" : listen, (unsigned)vt_rpc_server_port(cell->server));
}

static struct vt_err start_http(struct vt_cell *cell, struct vt_diag *diag)
{
    if (cell->options->http == NULL)
        return vt_ok();
    char target[PATH_BYTES];
    name_own_port(cell, target, sizeof target);
    struct vt_http_options http = {
        .listen = cell->options->http,
        .metrics = cell->metrics,
        .grpc_target = target,
        .tls = cell->tls,
        .is_ready = is_ready,
        .ready_ctx = cell,
    };
    return vt_http_server_start(&http, diag, &cell->http);
}

struct vt_err vt_cell_start(const struct vt_serve_options *options, struct vt_diag *diag,
                            struct vt_cell **ret_cell)
{
    struct vt_cell *cell = calloc(1, sizeof *cell);
    VT_CHECK(cell != NULL, VT_EXHAUSTED, "no memory to serve");
    cell->options = options;
    cell->roles = vt_serve_roles(options);
    struct vt_err err = open_data(cell, diag);
    if (!vt_failed(err))
        err = make_services(cell, diag);
    if (!vt_failed(err))
        err = start_grpc(cell, diag);
    if (!vt_failed(err))
        err = start_http(cell, diag);
    if (vt_failed(err))
        vt_cell_stop(cell);
    else
        *ret_cell = cell;
    return err;
}

uint16_t vt_cell_grpc_port(const struct vt_cell *cell)
{
    return vt_rpc_server_port(cell->server);
}

uint16_t vt_cell_http_port(const struct vt_cell *cell)
{
    return cell->http != NULL ? vt_http_server_port(cell->http) : 0;
}

bool vt_cell_poll_ready(struct vt_cell *cell)
{
    char reason[REASON_BYTES] = "";
    if (atomic_load_explicit(&cell->phase, memory_order_relaxed) == SERVING)
        return true;
    if (!can_answer(cell, reason, sizeof reason))
        return false;
    vt_rpc_server_set_serving(cell->server, true);
    atomic_store_explicit(&cell->phase, SERVING, memory_order_relaxed);
    return true;
}

bool vt_cell_is_alive(const struct vt_cell *cell)
{
    char target[PATH_BYTES];
    bool outdated;
    name_own_port(cell, target, sizeof target);
    return !vt_failed(vt_rpc_dial_self(target, cell->tls, &outdated));
}

/* Nobody was sent here who would have to be sent away first, unless it served. */
static void stop_ports(struct vt_cell *cell)
{
    bool served = atomic_exchange_explicit(&cell->phase, DRAINING, memory_order_relaxed) == SERVING;
    if (cell->server != NULL)
        vt_rpc_server_drain(cell->server, served ? (uint32_t)cell->options->drain_linger_ms : 0);
    vt_http_server_stop(cell->http);
    vt_rpc_server_free(cell->server);
}

static void free_services(struct vt_cell *cell)
{
    vt_model_rpc_free(cell->model_rpc);
    vt_profile_rpc_free(cell->profile_rpc);
    vt_audience_free(cell->audience);
    vt_explain_rpc_free(cell->explain_rpc);
    vt_ranking_service_free(cell->ranking);
    vt_forgotten_follow_stop(cell->forgotten);
    vt_decision_log_close(cell->decisions);
    vt_candidate_service_free(cell->candidate);
    vt_candidate_remote_free(cell->candidate_remote);
    vt_rpc_channel_free(cell->candidate_channel);
}

static void close_data(struct vt_cell *cell)
{
    vt_profile_follow_stop(cell->remote_follow);
    vt_profile_remote_free(cell->profile_remote);
    vt_rpc_channel_free(cell->profile_channel);
    vt_item_follower_stop(cell->follower);
    vt_profile_close(cell->profile);
    vt_bundle_set_close(cell->bundles);
    vt_filter_cache_free(cell->filters);
    vt_item_table_free(cell->items);
    vt_otlp_stop(cell->otlp);
    vt_rpc_tls_free(cell->tls);
    vt_metrics_free(cell->metrics);
}

struct vt_err vt_cell_reload(struct vt_cell *cell, struct vt_diag *diag)
{
    if (cell->ranking == NULL || cell->options->placements == NULL)
        return vt_ok();
    VT_TRY(vt_audience_load_placements(cell->audience, cell->options->placements, diag));
    return vt_ranking_load_placements(cell->ranking, cell->options->placements, diag);
}

void vt_cell_stop(struct vt_cell *cell)
{
    if (cell == NULL)
        return;
    stop_ports(cell);
    free_services(cell);
    close_data(cell);
    free(cell);
}
