/*
 * Reading, describing, listing and linking customers. Point reads run on the serving thread, lists
 * on a worker; writes park the call until the writer's continuation.
 */
#include "services/common/handler/handler.h"
#include "services/profile/handlers_internal.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_link.h"
#include "services/profile/wire_outcomes.h"

static struct vt_err get_profile(void *service, struct vt_request *request, struct vt_slice body,
                                 struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_wire_get_profile asked;
    struct vt_profile_view view = {0};
    VT_TRY(vt_wire_get_profile_decode(body, request->arena, request->diag, &asked));
    VT_TRY(vt_profile_get(rpc->profile, request, &asked.key, asked.max_events, &view));
    return vt_wire_profile_encode(&view, rpc->items, request->arena, ret_body);
}

void vt__handle_get_profile(struct vt_rpc_call *call, void *service)
{
    vt_handler_run(call, service, get_profile);
}

static struct vt_err batch_get_profiles(void *service, struct vt_request *request,
                                        struct vt_slice body, struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    const struct vt_wire_get_profile *asked = NULL;
    uint32_t n = 0;
    VT_TRY(vt_wire_batch_get_profiles_decode(body, request->arena, request->diag, &asked, &n));
    struct vt_profile_view *views = vt_arena_array(request->arena, n, sizeof *views);
    if (views == NULL)
        return vt__handler_no_memory();
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(
            vt_profile_get(rpc->profile, request, &asked[i].key, asked[i].max_events, &views[i]));
    return vt_wire_profiles_encode(views, n, rpc->items, request->arena, ret_body);
}

void vt__handle_batch_get_profiles(struct vt_rpc_call *call, void *service)
{
    vt_handler_run(call, service, batch_get_profiles);
}

static void customers_written(void *ctx, struct vt_err err)
{
    struct vt__upsert *upsert = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_upsert_customers_encode(&upsert->result,
                                              vt_rpc_call_request(upsert->call)->arena, &body);
    vt_handler_answer(upsert->call, err, body);
}

void vt__handle_upsert_customers(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_wire_upsert_customers asked;
    struct vt__upsert *upsert = vt_arena_array(request->arena, 1, sizeof *upsert);
    struct vt_err err =
        upsert == NULL ? vt__handler_no_memory()
                       : vt_wire_upsert_customers_decode(vt_rpc_call_body(call), request->arena,
                                                         request->diag, &asked);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    upsert->call = call;
    const struct vt_profile_write waiting = {request, asked.validate_only, customers_written,
                                             upsert};
    vt_profile_upsert_customers(rpc->profile, &waiting, asked.customers, asked.n_customers,
                                &upsert->result);
}

static struct vt_err list_customers(void *service, struct vt_request *request, struct vt_slice body,
                                    struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_wire_list_customers asked;
    VT_TRY(vt_wire_list_customers_decode(body, request->arena, request->diag, &asked));
    uint32_t n = 0, max = asked.page_size;
    bool more = false;
    struct vt_customer *customers = vt_arena_array(request->arena, max, sizeof *customers);
    uint64_t *numbers = vt_arena_array(request->arena, max, sizeof *numbers);
    if (customers == NULL || numbers == NULL)
        return vt__handler_no_memory();
    VT_TRY(vt_profile_list_customers(rpc->profile, request, asked.after, max, customers, numbers,
                                     &n, &more));
    return vt_wire_list_customers_encode(customers, n, more, n > 0 ? numbers[n - 1] : 0,
                                         request->arena, ret_body);
}

void vt__handle_list_customers(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_customers);
}

static struct vt_err list_profiles(void *service, struct vt_request *request, struct vt_slice body,
                                   struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_profile_page_query query;
    struct vt_profile_page page = {0};
    VT_TRY(vt_wire_list_profiles_decode(body, request->arena, request->diag, &query));
    VT_TRY(vt_profile_list(rpc->profile, request, &query, &page));
    return vt_wire_profile_page_encode(&page, request->arena, ret_body);
}

void vt__handle_list_profiles(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_profiles);
}

static struct vt_err list_outcomes(void *service, struct vt_request *request, struct vt_slice body,
                                   struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_outcomes_query query;
    struct vt_outcomes outcomes;
    VT_TRY(vt_wire_list_outcomes_decode(body, request->arena, request->diag, &query));
    VT_TRY(vt_profile_outcomes(rpc->profile, request, &query, &outcomes));
    return vt_wire_outcomes_encode(&outcomes, request->arena, ret_body);
}

void vt__handle_list_outcomes(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_outcomes);
}

struct link {
    struct vt_rpc_call *call;
    struct vt_wire_link request;
    struct vt_link_result result;
};

static void identities_linked(void *ctx, struct vt_err err)
{
    struct link *link = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_link_encode(&link->request, &link->result,
                                  vt_rpc_call_request(link->call)->arena, &body);
    vt_handler_answer(link->call, err, body);
}

void vt__handle_link_identities(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct link *link = vt_arena_array(request->arena, 1, sizeof *link);
    struct vt_err err = link == NULL ? vt__handler_no_memory()
                                     : vt_wire_link_decode(vt_rpc_call_body(call), request->arena,
                                                           request->diag, &link->request);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    link->call = call;
    const struct vt_profile_write waiting = {request, link->request.validate_only,
                                             identities_linked, link};
    vt_profile_link_identities(rpc->profile, &waiting, &link->request.link, &link->result);
}
