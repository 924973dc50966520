/*
 * What a customer may ask for: to see everything that is held, and to be forgotten. Erasing blocks
 * for as long as rewriting takes, so it has threads of its own; several, because those who wait for
 * the pass under way share the one after it.
 */
#include "services/common/base/clock.h"
#include "services/common/handler/handler.h"
#include "services/profile/export_stream.h"
#include "services/profile/handlers_internal.h"
#include "services/profile/wire_rights.h"

void vt__handle_export_customer(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt__export_serve(call, rpc->profile, rpc->workers);
}

/* Lives in the call's arena. */
struct erase {
    struct vt_profile *profile;
    char actor[VT__ACTOR_BYTES];
};

static struct vt_err erase_customer(void *service, struct vt_request *request, struct vt_slice body,
                                    struct vt_slice *ret_body)
{
    const struct erase *erase = service;
    struct vt_wire_erase asked;
    struct vt_erasure_result result;
    VT_TRY(vt_wire_erase_decode(body, request->arena, request->diag, &asked));
    const struct vt_erasure erasure = {
        .now = asked.now, .validate_only = asked.validate_only, .actor = erase->actor};
    VT_TRY(vt_profile_erase(erase->profile, request, &asked.who, &erasure, &result));
    return vt_wire_erase_encode(&result, request->arena, ret_body);
}

void vt__handle_erase_customer(struct vt_rpc_call *call, void *service)
{
    struct erase *erase = vt_arena_array(vt_rpc_call_request(call)->arena, 1, sizeof *erase);
    struct vt_profile_rpc *rpc = service;
    if (erase == NULL) {
        vt_rpc_call_fail(call, vt__handler_no_memory());
        return;
    }
    erase->profile = rpc->profile;
    vt__actor_text(call, erase->actor);
    vt_handler_run_on(rpc->erasers, call, erase, erase_customer);
}

static struct vt_err list_forgotten(void *service, struct vt_request *request, struct vt_slice body,
                                    struct vt_slice *ret_body)
{
    const struct vt_profile_rpc *rpc = service;
    struct vt_wire_forgotten forgotten = {.time_ms = vt_clock_unix_ms(vt_clock_system())};
    int64_t since_ms = 0;
    VT_TRY(vt_wire_forgotten_request_decode(body, request->arena, request->diag, &since_ms));
    forgotten.numbers = vt_arena_array(request->arena, VT_FORGOTTEN_MAX, sizeof *forgotten.numbers);
    VT_CHECK(forgotten.numbers != NULL, VT_EXHAUSTED, "the call's memory is full");
    VT_TRY(vt_profile_list_forgotten(rpc->profile, since_ms, VT_FORGOTTEN_MAX, forgotten.numbers,
                                     &forgotten.n, &forgotten.more));
    return vt_wire_forgotten_encode(&forgotten, request->arena, ret_body);
}

void vt__handle_list_forgotten(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_forgotten);
}
