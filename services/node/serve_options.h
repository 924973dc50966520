#ifndef VT_NODE_SERVE_OPTIONS_H
#define VT_NODE_SERVE_OPTIONS_H

#include "services/candidate/candidate.h"
#include "services/common/base/options.h"
#include "services/common/rpc/tls.h"

/* Everything `vitrine serve` can be told; the table in serve_options.c is the reference. */
struct vt_serve_options {
    const char *data, *role, *listen, *http, *profile, *candidate, *log_level;
    struct vt_rpc_tls_flags tls;
    bool plaintext_from_the_network;
    bool check_config;
    uint32_t threads, max_in_flight, arena_kib;
    int64_t drain_linger_ms, drain_grace_ms;
    uint32_t history_max, queue_events;
    int64_t idempotency_window_ms;
    int64_t erase_within_ms;
    uint64_t free_space_min_bytes;
    uint32_t visitor_events_per_hour;
    int64_t event_retention_ms, visitor_expiry_ms;
    int64_t watch_stall_ms;
    const char *consent_default, *diversity, *placements;
    double weight_model, weight_factor, weight_item_neighbor, weight_popular, weight_new_arrival;
    double weight_bought_together, weight_trending, weight_content;
    double weight_ranker;
    double decision_sample;
    int64_t decision_keep_ms;
    uint64_t decision_space_bytes;
    const char *otlp;
    double trace_sample;
};

enum vt_role {
    VT_ROLE_PROFILE = 1,
    VT_ROLE_CANDIDATE = 2,
    VT_ROLE_RANKING = 4,
    VT_ROLE_ALL = VT_ROLE_PROFILE | VT_ROLE_CANDIDATE | VT_ROLE_RANKING,
};

extern const struct vt_options_spec vt_serve_spec;

/* The services that `role` names, as bits of enum vt_role. */
unsigned vt_serve_roles(const struct vt_serve_options *options);
/* The weights of the blend by source: as they were told, and where nobody tells. */
void vt_serve_source_weights(const struct vt_serve_options *options,
                             float ret_weights[VT_SOURCE_COUNT]);
void vt_serve_default_source_weights(float ret_weights[VT_SOURCE_COUNT]);
/* What the table cannot say: which options need which others. VT_INVALID with the option's name. */
VT_MUST_USE struct vt_err vt_serve_options_check(const struct vt_serve_options *options,
                                                 struct vt_diag *diag);

#endif
