#ifndef VT_HANDLER_CIRCUIT_H
#define VT_HANDLER_CIRCUIT_H

#include "services/common/base/breaker.h"
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/base/request.h"
#include "services/common/base/retry_budget.h"
#include "services/common/rpc/client.h"

/*
 * Another service of the cell as a remote port sees it: a channel, and a breaker so that a request
 * does not wait for a service that has missed its budget again and again. Any thread.
 */
struct vt_circuit {
    struct vt_rpc_channel *channel; /* borrowed */
    const struct vt_clock *clock;   /* borrowed */
    struct vt_breaker breaker;
    struct vt_retry_budget budget;
    struct vt_counter *opened, *refused, *retried;
};

/* `peer` ("profile") labels the metrics vitrine_circuit_opened_total, …_refused_total and
 * …_retried_total. `metrics` may be NULL. */
void vt_circuit_init(struct vt_circuit *circuit, struct vt_rpc_channel *channel,
                     const struct vt_clock *clock, struct vt_metrics *metrics, const char *peer);

/* One call through the circuit. Embed it in what lives in the request's arena. */
struct vt_circuit_call {
    struct vt_circuit *circuit;
    struct vt_request *request;
    struct vt_rpc_outgoing outgoing; /* as the caller wants it */
    bool again;                      /* this is the second attempt */
};
/* As vt_rpc_client_start, for calls that only read: one that found nobody there is made once more,
 * within its deadline and a budget of a tenth of all calls. The body must live until `done`. While
 * the circuit is open `done` gets VT_UNAVAILABLE at once, inline. */
void vt_circuit_start(struct vt_circuit *circuit, struct vt_circuit_call *call,
                      struct vt_request *request, const struct vt_rpc_outgoing *outgoing);

#endif
