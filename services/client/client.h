#ifndef VT_CLIENT_CLIENT_H
#define VT_CLIENT_CLIENT_H

#include "services/common/base/event.h"
#include "services/common/rpc/tls.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The client for people: calls a service and prints what it answers, as an aligned table or as the
 * response in protobuf's JSON mapping. Each function blocks, prints errors on standard error and
 * returns the exit status: 0 answered, 1 failed, 2 the server called the request wrong.
 */
struct vt_client {
    const char *target; /* "127.0.0.1:7400" or "unix:/path" */
    struct vt_rpc_tls_flags tls;
    uint32_t timeout_ms; /* of each call */
    bool json;
};

/* Texts are borrowed; NULL and 0 mean "not given". */
struct vt_client_ask {
    const char *customer, *visitor, *placement;
    struct vt_identity identity;                                /* valid, or zero */
    const char *const *context, *const *exclude, *const *items; /* SKUs */
    uint32_t n_context, n_exclude, n_items;
    uint32_t n;
    const char *filter;    /* docs/api.md, "Filters" */
    const char *diversity; /* "none" … "high" */
    const char *language;  /* of the reasons, BCP 47; NULL: English */
    bool include_seen;
    uint32_t min_events; /* of recommend-all */
};

/* One call of RecommendationService each; `ask` is what its request has. */
int vt_client_recommend(const struct vt_client *client, const struct vt_client_ask *ask);
int vt_client_rank(const struct vt_client *client, const struct vt_client_ask *ask);
int vt_client_similar(const struct vt_client *client, const struct vt_client_ask *ask);
/* RecommendAll into the file `path`, a line of JSON a customer. Goes on where an earlier run that
 * was cut off came to; a file that is whole is not written again. */
int vt_client_recommend_all(const struct vt_client *client, const struct vt_client_ask *ask,
                            const char *path);
/* `ask->items`, `n`; `include_seen`: also buyers. With JSON a customer a line. */
int vt_client_who_would_like(const struct vt_client *client, const struct vt_client_ask *ask);
/* `token` is the attributionToken of an answer. */
int vt_client_explain(const struct vt_client *client, const char *token);
/* The customer's facts and newest events; titles come from the catalog of the same target. */
int vt_client_profile(const struct vt_client *client, const struct vt_client_ask *ask,
                      uint32_t max_events);
/* grpc.health.v1 of `service`, "" for the server as a whole; status 1 when it does not serve. */
int vt_client_health(const struct vt_client *client, const char *service);
/* Sends one event; status 1 when it was rejected. */
int vt_client_event(const struct vt_client *client, const struct vt_event *event);

enum { VT_CLIENT_LINK_MAX = 16 };
struct vt_client_link {
    const struct vt_identity *identities; /* valid */
    uint32_t n_identities;                /* at most VT_CLIENT_LINK_MAX */
    bool merge_members, unlink, validate_only;
};
/* One LinkIdentities. */
int vt_client_link(const struct vt_client *client, const struct vt_client_link *link);

/* Whose data: a member's id, or another identity that is valid. */
struct vt_client_person {
    const char *customer;
    struct vt_identity identity;
};
/* Everything held about somebody, a line of JSON each, into `out`. Status 1 when it ends early. */
int vt_client_export(const struct vt_client *client, const struct vt_client_person *person,
                     FILE *out);
/* `now`: answers when nothing is left on the server's disk. */
int vt_client_erase(const struct vt_client *client, const struct vt_client_person *person, bool now,
                    bool validate_only);
/* What was done, as the call prints it; for who did it without a server. */
struct vt_client_erased {
    const char *receipt;
    uint64_t customer_number;
    uint32_t n_customers;
    bool done;
    int64_t complete_by_ms;
};
int vt_client_print_erased(bool json, const struct vt_client_erased *erased);

#endif
