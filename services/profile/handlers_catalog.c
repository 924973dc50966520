/*
 * The catalog: writes are parked for the writer, what iterates runs on a worker.
 */
#include "services/common/handler/handler.h"
#include "services/profile/handlers_internal.h"
#include "services/profile/watch.h"
#include "services/profile/wire_item.h"

static void items_written(void *ctx, struct vt_err err)
{
    struct vt__upsert *upsert = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_upsert_items_encode(&upsert->result, vt_rpc_call_request(upsert->call)->arena,
                                          &body);
    vt_handler_answer(upsert->call, err, body);
}

void vt__handle_upsert_items(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_wire_upsert_items asked;
    struct vt__upsert *upsert = vt_arena_array(request->arena, 1, sizeof *upsert);
    struct vt_err err = upsert == NULL
                            ? vt__handler_no_memory()
                            : vt_wire_upsert_items_decode(vt_rpc_call_body(call), request->arena,
                                                          request->diag, &asked);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    upsert->call = call;
    const struct vt_profile_write waiting = {request, asked.validate_only, items_written, upsert};
    vt_profile_upsert_items(rpc->profile, &waiting, asked.items, asked.n_items, asked.mask,
                            &upsert->result);
}

static struct vt_err get_items(void *service, struct vt_request *request, struct vt_slice body,
                               struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_wire_get_items asked;
    VT_TRY(vt_wire_get_items_decode(body, request->arena, request->diag, &asked));
    uint32_t n = asked.n_ids + asked.n_numbers;
    struct vt_item *items = vt_arena_array(request->arena, n, sizeof *items);
    bool *found = vt_arena_array(request->arena, n, sizeof *found);
    if (items == NULL || found == NULL)
        return vt__handler_no_memory();
    for (uint32_t i = 0; i < n; i++) {
        bool by_id = i < asked.n_ids;
        VT_TRY(vt_profile_get_item(rpc->profile, request, by_id ? asked.ids[i] : vt_slice(NULL, 0),
                                   by_id ? 0 : asked.numbers[i - asked.n_ids], &items[i],
                                   &found[i]));
    }
    return vt_wire_get_items_encode(&asked, items, found, request->arena, ret_body);
}

void vt__handle_get_items(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, get_items);
}

static struct vt_err list_items(void *service, struct vt_request *request, struct vt_slice body,
                                struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_wire_list_items asked;
    VT_TRY(vt_wire_list_items_decode(body, request->arena, request->diag, &asked));
    struct vt_item_page page = {
        .items = vt_arena_array(request->arena, asked.page_size, sizeof *page.items)};
    if (page.items == NULL)
        return vt__handler_no_memory();
    const struct vt_item_page_query query = {asked.after, asked.page_size, asked.filter};
    VT_TRY(vt_profile_list_items(rpc->profile, request, &query, &page));
    return vt_wire_list_items_encode(&page, request->arena, ret_body);
}

void vt__handle_list_items(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_items);
}

struct delete_items {
    struct vt_rpc_call *call;
    struct vt_wire_delete_items request;
    struct vt_delete_result result;
};

static void items_deleted(void *ctx, struct vt_err err)
{
    struct delete_items *delete = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_delete_items_encode(&delete->request, &delete->result,
                                          vt_rpc_call_request(delete->call)->arena, &body);
    vt_handler_answer(delete->call, err, body);
}

static struct vt_err decode_delete(struct vt_rpc_call *call, struct delete_items **ret_delete)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct delete_items *delete = vt_arena_array(request->arena, 1, sizeof *delete);
    if (delete == NULL)
        return vt__handler_no_memory();
    VT_TRY(vt_wire_delete_items_decode(vt_rpc_call_body(call), request->arena, request->diag,
                                       &delete->request));
    delete->call = call;
    delete->result.missing =
        vt_arena_array(request->arena, delete->request.n_ids, sizeof *delete->result.missing);
    if (delete->result.missing == NULL)
        return vt__handler_no_memory();
    *ret_delete = delete;
    return vt_ok();
}

void vt__handle_delete_items(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct delete_items *delete = NULL;
    struct vt_err err = decode_delete(call, &delete);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    const struct vt_profile_write waiting = {vt_rpc_call_request(call),
                                             delete->request.validate_only, items_deleted, delete};
    vt_profile_delete_items(rpc->profile, &waiting, delete->request.ids, delete->request.n_ids,
                            &delete->result);
}

void vt__handle_watch(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt__watch_serve(call, rpc->profile, rpc->workers);
}
