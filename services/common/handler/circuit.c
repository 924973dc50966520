/*
 * What counts as a miss: no answer within the budget, or nobody there. A refusal (INVALID,
 * PRECONDITION …) is an answer of a healthy service, and a call whose own caller left says nothing.
 *
 * Only a call that found nobody there is made again: a refusal for want of room (EXHAUSTED) asks
 * for less, not more, and a deadline that passed has left no time.
 */
#include "services/common/handler/circuit.h"

#include <stdio.h>

void vt_circuit_init(struct vt_circuit *circuit, struct vt_rpc_channel *channel,
                     const struct vt_clock *clock, struct vt_metrics *metrics, const char *peer)
{
    char labels[64];
    snprintf(labels, sizeof labels, "peer=\"%s\"", peer);
    *circuit = (struct vt_circuit){.channel = channel, .clock = clock};
    circuit->opened =
        vt_metrics_counter(metrics, "vitrine_circuit_opened_total",
                           "Times a service of the cell was given up for a while.", labels);
    circuit->refused =
        vt_metrics_counter(metrics, "vitrine_circuit_refused_total",
                           "Calls not sent because the service was given up.", labels);
    circuit->retried = vt_metrics_counter(metrics, "vitrine_circuit_retried_total",
                                          "Calls made again because nobody was there.", labels);
}

static enum vt_breaker_outcome outcome_of(struct vt_err err, const struct vt_request *request)
{
    switch (err.code) {
    case VT_DEADLINE:
    case VT_UNAVAILABLE:
        return vt_request_cancelled(request) ? VT_BREAKER_UNKNOWN : VT_BREAKER_MISSED;
    case VT_CANCELLED:
        return VT_BREAKER_UNKNOWN;
    default:
        return VT_BREAKER_ANSWERED;
    }
}

static void start(struct vt_circuit_call *call);

/* True when the call is under way once more, or has even ended. */
static bool try_again(struct vt_circuit_call *call, struct vt_err err)
{
    struct vt_circuit *circuit = call->circuit;
    int64_t now_ns = vt_clock_monotonic_ns(circuit->clock);
    if (err.code != VT_UNAVAILABLE || call->again || vt_request_cancelled(call->request) ||
        now_ns >= call->outgoing.deadline_ns || !vt_retry_budget_take(&circuit->budget) ||
        !vt_breaker_allow(&circuit->breaker, now_ns))
        return false;
    call->again = true;
    vt_counter_add(circuit->retried, 1);
    start(call);
    return true;
}

static void on_done(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct vt_circuit_call *call = ctx;
    struct vt_circuit *circuit = call->circuit;
    if (vt_breaker_record(&circuit->breaker, vt_clock_monotonic_ns(circuit->clock),
                          outcome_of(err, call->request)))
        vt_counter_add(circuit->opened, 1);
    if (!try_again(call, err))
        call->outgoing.done(call->outgoing.ctx, err, body);
}

static void start(struct vt_circuit_call *call)
{
    struct vt_rpc_outgoing watched = call->outgoing;
    watched.done = on_done;
    watched.ctx = call;
    vt_rpc_client_start(call->circuit->channel, call->request, &watched);
}

void vt_circuit_start(struct vt_circuit *circuit, struct vt_circuit_call *call,
                      struct vt_request *request, const struct vt_rpc_outgoing *outgoing)
{
    if (!vt_breaker_allow(&circuit->breaker, vt_clock_monotonic_ns(circuit->clock))) {
        vt_counter_add(circuit->refused, 1);
        outgoing->done(outgoing->ctx,
                       VT_ERR(VT_UNAVAILABLE, "given up for a moment: no answer to the last calls"),
                       vt_slice(NULL, 0));
        return;
    }
    *call = (struct vt_circuit_call){.circuit = circuit, .request = request, .outgoing = *outgoing};
    vt_retry_budget_earn(&circuit->budget);
    start(call);
}
