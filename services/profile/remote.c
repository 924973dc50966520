/* The profile port over gRPC. One call's state lives in the request's arena; the answer arrives on
 * the request's serving thread and is decoded there. */
#include "services/profile/remote.h"

#include "services/common/handler/circuit.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_outcomes.h"

#include <stdlib.h>

#define GET_PROFILE "/vitrine.v1.ProfileService/GetProfile"
#define LIST_PROFILES "/vitrine.v1.ProfileService/ListProfiles"
#define LIST_OUTCOMES "/vitrine.v1.ProfileService/ListOutcomes"

struct vt_profile_remote {
    struct vt_circuit circuit;
};

struct get {
    struct vt_circuit_call call;
    struct vt_request *request;
    struct vt_profile_view view; /* here, so that it lives as long as the request */
    vt_profile_view_fn done;
    void *ctx;
};

struct vt_err vt_profile_remote_new(struct vt_rpc_channel *channel, const struct vt_clock *clock,
                                    struct vt_metrics *metrics,
                                    struct vt_profile_remote **ret_remote)
{
    struct vt_profile_remote *remote = calloc(1, sizeof *remote);
    VT_CHECK(remote != NULL, VT_EXHAUSTED, "no memory for the profile port");
    vt_circuit_init(&remote->circuit, channel, clock, metrics, "profile");
    *ret_remote = remote;
    return vt_ok();
}

void vt_profile_remote_free(struct vt_profile_remote *remote)
{
    free(remote);
}

static void on_answer(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct get *get = ctx;
    if (!vt_failed(err))
        err = vt_wire_profile_decode(body, get->request->arena, NULL, &get->view);
    get->done(get->ctx, err, vt_failed(err) ? NULL : &get->view);
}

static void port_get(void *self, struct vt_request *request, const struct vt_profile_key *key,
                     uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done, void *ctx)
{
    struct vt_profile_remote *remote = self;
    struct vt_wire_get_profile asked = {.key = *key, .max_events = max_events};
    struct vt_slice body = {0};
    struct get *get = vt_arena_alloc(request->arena, sizeof *get);
    struct vt_err err = get != NULL ? vt_wire_get_profile_encode(&asked, request->arena, &body)
                                    : VT_ERR(VT_EXHAUSTED, "the call's memory is full");
    if (vt_failed(err)) {
        done(ctx, err, NULL);
        return;
    }
    *get = (struct get){.request = request, .done = done, .ctx = ctx};
    const struct vt_rpc_outgoing outgoing = {GET_PROFILE, body, deadline_ns, on_answer, get};
    vt_circuit_start(&remote->circuit, &get->call, request, &outgoing);
}

struct list {
    struct vt_circuit_call call;
    struct vt_request *request;
    vt_profile_page_fn done;
    void *ctx;
};

static void on_page(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct list *list = ctx;
    struct vt_profile_page page = {0};
    if (!vt_failed(err))
        err = vt_wire_profile_page_decode(body, list->request->arena, NULL, &page);
    list->done(list->ctx, err, vt_failed(err) ? NULL : &page);
}

static void port_list(void *self, struct vt_request *request,
                      const struct vt_profile_page_query *query, int64_t deadline_ns,
                      vt_profile_page_fn done, void *ctx)
{
    struct vt_profile_remote *remote = self;
    struct vt_slice body = {0};
    struct list *list = vt_arena_alloc(request->arena, sizeof *list);
    struct vt_err err = list != NULL ? vt_wire_list_profiles_encode(query, request->arena, &body)
                                     : VT_ERR(VT_EXHAUSTED, "the call's memory is full");
    if (vt_failed(err)) {
        done(ctx, err, NULL);
        return;
    }
    *list = (struct list){.request = request, .done = done, .ctx = ctx};
    const struct vt_rpc_outgoing outgoing = {LIST_PROFILES, body, deadline_ns, on_page, list};
    vt_circuit_start(&remote->circuit, &list->call, request, &outgoing);
}

static struct vt_err port_outcomes(void *self, struct vt_request *request,
                                   const struct vt_outcomes_query *query,
                                   struct vt_outcomes *ret_outcomes)
{
    struct vt_profile_remote *remote = self;
    const int64_t left_ms =
        (request->deadline_ns - vt_clock_monotonic_ns(remote->circuit.clock)) / 1000000;
    struct vt_slice body = {0}, answer = {0};
    VT_CHECK(left_ms > 0, VT_DEADLINE, "no time is left to ask the profile service");
    const struct vt_rpc_call_options options = {
        .timeout_ms = left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX};
    VT_TRY(vt_wire_list_outcomes_encode(query, request->arena, &body));
    VT_TRY(vt_rpc_client_call(remote->circuit.channel, LIST_OUTCOMES, body, &options,
                              request->arena, request->diag, &answer));
    return vt_wire_outcomes_decode(answer, request->arena, request->diag, ret_outcomes);
}

struct vt_profile_port vt_profile_remote_port(struct vt_profile_remote *remote)
{
    return (struct vt_profile_port){
        .self = remote, .get = port_get, .list = port_list, .outcomes = port_outcomes};
}
