/*
 * The gRPC shell of the profile service: each method decodes into the call's arena, asks the
 * domain, and encodes. Point reads run on the serving thread. Writes park the call: the writer
 * thread's continuation answers it after the fsync. What iterates or blocks (lists, checkpoints,
 * Watch) runs on the shell's own worker threads, whose queue has room for every such call that the
 * limits of the table admit.
 */
#include "services/profile/handlers.h"

#include "services/common/handler/handler.h"
#include "services/profile/watch.h"
#include "services/profile/wire_admin.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_event.h"
#include "services/profile/wire_item.h"

#include <stdlib.h>

enum {
    N_WORKERS = 2,
    BULK_BYTES = 4 << 20,   /* a full batch of entries of usual size */
    LIST_BYTES = 256 << 10, /* a thousand ids */
    SMALL_BYTES = 8 << 10,
    WATCHES_MAX = 64,
    LISTS_MAX = 16,
    CHECKPOINTS_MAX = 2,
    /* GetItems, ListItems, ListCustomers; Checkpoint; Watch */
    TASKS_MAX = 3 * LISTS_MAX + CHECKPOINTS_MAX + WATCHES_MAX,
    READ_MS = 1000,
    WRITE_MS = 10000,
};

struct vt_profile_rpc {
    struct vt_profile *profile;  /* borrowed */
    struct vt_item_table *items; /* borrowed, may be NULL */
    struct vt_worker_pool *workers;
};

struct vt_err vt_profile_rpc_new(struct vt_profile *profile, struct vt_item_table *items,
                                 struct vt_profile_rpc **ret_rpc)
{
    struct vt_profile_rpc *rpc = calloc(1, sizeof *rpc);
    VT_CHECK(rpc != NULL, VT_EXHAUSTED, "no memory for the profile service");
    rpc->profile = profile;
    rpc->items = items;
    struct vt_err err = vt_worker_pool_new(N_WORKERS, TASKS_MAX, &rpc->workers);
    if (vt_failed(err)) {
        free(rpc);
        return err;
    }
    *ret_rpc = rpc;
    return vt_ok();
}

void vt_profile_rpc_free(struct vt_profile_rpc *rpc)
{
    if (rpc == NULL)
        return;
    vt_worker_pool_free(rpc->workers);
    free(rpc);
}

/* ---- EventService ---- */

struct write_events {
    struct vt_rpc_call *call;
    struct vt_wire_write_events request;
};

static void events_written(void *ctx, struct vt_err err)
{
    struct write_events *write = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_write_events_encode(&write->request, vt_rpc_call_request(write->call)->arena,
                                          &body);
    vt_handler_answer(write->call, err, body);
}

static struct vt_err no_memory(void)
{
    return VT_ERR(VT_EXHAUSTED, "the request does not fit a call's memory; send less at a time");
}

static void write_events(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct write_events *write = vt_arena_array(request->arena, 1, sizeof *write);
    struct vt_err err = write == NULL
                            ? no_memory()
                            : vt_wire_write_events_decode(vt_rpc_call_body(call), request->arena,
                                                          request->diag, &write->request);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    write->call = call;
    if (write->request.n_events == 0) { /* all were rejected already */
        events_written(write, vt_ok());
        return;
    }
    const struct vt_profile_write waiting = {request, write->request.validate_only, events_written,
                                             write};
    vt_profile_write_events(rpc->profile, &waiting, write->request.events, write->request.n_events,
                            write->request.domain_results);
}

static void stream_events(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "StreamEvents is not in this version; WriteEvents takes batches "
                                   "of up to 1000 events");
}

/* ---- ProfileService ---- */

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

static void get_profile_call(struct vt_rpc_call *call, void *service)
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
        return no_memory();
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(
            vt_profile_get(rpc->profile, request, &asked[i].key, asked[i].max_events, &views[i]));
    return vt_wire_profiles_encode(views, n, rpc->items, request->arena, ret_body);
}

static void batch_get_profiles_call(struct vt_rpc_call *call, void *service)
{
    vt_handler_run(call, service, batch_get_profiles);
}

struct upsert {
    struct vt_rpc_call *call;
    struct vt_upsert_result result;
};

static void customers_written(void *ctx, struct vt_err err)
{
    struct upsert *upsert = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_upsert_customers_encode(&upsert->result,
                                              vt_rpc_call_request(upsert->call)->arena, &body);
    vt_handler_answer(upsert->call, err, body);
}

static void upsert_customers(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_wire_upsert_customers asked;
    struct upsert *upsert = vt_arena_array(request->arena, 1, sizeof *upsert);
    struct vt_err err =
        upsert == NULL ? no_memory()
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
        return no_memory();
    VT_TRY(vt_profile_list_customers(rpc->profile, request, asked.after, max, customers, numbers,
                                     &n, &more));
    return vt_wire_list_customers_encode(customers, n, more, n > 0 ? numbers[n - 1] : 0,
                                         request->arena, ret_body);
}

static void list_customers_call(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt_handler_run_on(rpc->workers, call, rpc, list_customers);
}

static void link_identities(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "LinkIdentities is not in this version; send customer_id with "
                                   "each event once the visitor is known");
}

static void export_customer(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "ExportCustomer is not in this version; GetProfile returns the "
                                   "attributes and the newest events");
}

static void erase_customer(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "EraseCustomer is not in this version; UpsertCustomers with "
                                   "CONSENT_DENIED stops the use of the history");
}

/* ---- CatalogService ---- */

static void items_written(void *ctx, struct vt_err err)
{
    struct upsert *upsert = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_upsert_items_encode(&upsert->result, vt_rpc_call_request(upsert->call)->arena,
                                          &body);
    vt_handler_answer(upsert->call, err, body);
}

static void upsert_items(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_wire_upsert_items asked;
    struct upsert *upsert = vt_arena_array(request->arena, 1, sizeof *upsert);
    struct vt_err err = upsert == NULL
                            ? no_memory()
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
        return no_memory();
    for (uint32_t i = 0; i < n; i++) {
        bool by_id = i < asked.n_ids;
        VT_TRY(vt_profile_get_item(rpc->profile, request, by_id ? asked.ids[i] : vt_slice(NULL, 0),
                                   by_id ? 0 : asked.numbers[i - asked.n_ids], &items[i],
                                   &found[i]));
    }
    return vt_wire_get_items_encode(&asked, items, found, request->arena, ret_body);
}

static void get_items_call(struct vt_rpc_call *call, void *service)
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
    uint32_t n = 0;
    bool more = false;
    struct vt_item *items = vt_arena_array(request->arena, asked.page_size, sizeof *items);
    if (items == NULL)
        return no_memory();
    VT_TRY(vt_profile_list_items(rpc->profile, request, asked.after, asked.page_size, items, &n,
                                 &more));
    return vt_wire_list_items_encode(items, n, more, request->arena, ret_body);
}

static void list_items_call(struct vt_rpc_call *call, void *service)
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
        return no_memory();
    VT_TRY(vt_wire_delete_items_decode(vt_rpc_call_body(call), request->arena, request->diag,
                                       &delete->request));
    delete->call = call;
    delete->result.missing =
        vt_arena_array(request->arena, delete->request.n_ids, sizeof *delete->result.missing);
    if (delete->result.missing == NULL)
        return no_memory();
    *ret_delete = delete;
    return vt_ok();
}

static void delete_items(struct vt_rpc_call *call, void *service)
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

static void watch(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt__watch_serve(call, rpc->profile, rpc->workers);
}

/* ---- AdminService ---- */

static struct vt_err checkpoint(void *service, struct vt_request *request, struct vt_slice body,
                                struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    const char *directory = NULL;
    uint64_t sequence = 0;
    VT_TRY(vt_wire_checkpoint_decode(body, request->arena, request->diag, &directory));
    VT_TRY(vt_profile_checkpoint(rpc->profile, directory, request->diag, &sequence));
    return vt_wire_checkpoint_encode(sequence, request->arena, ret_body);
}

static void checkpoint_call(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    if (vt_rpc_call_is_local(call))
        vt_handler_run_on(rpc->workers, call, rpc, checkpoint);
    else
        vt_rpc_call_fail(call, VT_ERR(VT_DENIED, "AdminService answers on the data folder's "
                                                 "admin.sock only"));
}

/* ---- the table ---- */

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.EventService/WriteEvents", write_events, VT_RPC_UNARY, BULK_BYTES, WRITE_MS, 0},
    {"/vitrine.v1.EventService/StreamEvents", stream_events, VT_RPC_BIDI_STREAM, BULK_BYTES, 0,
     WATCHES_MAX},
    {"/vitrine.v1.ProfileService/GetProfile", get_profile_call, VT_RPC_UNARY, SMALL_BYTES, READ_MS,
     0},
    {"/vitrine.v1.ProfileService/BatchGetProfiles", batch_get_profiles_call, VT_RPC_UNARY,
     LIST_BYTES, READ_MS, 0},
    {"/vitrine.v1.ProfileService/UpsertCustomers", upsert_customers, VT_RPC_UNARY, BULK_BYTES,
     WRITE_MS, 0},
    {"/vitrine.v1.ProfileService/ListCustomers", list_customers_call, VT_RPC_UNARY, SMALL_BYTES,
     WRITE_MS, LISTS_MAX},
    {"/vitrine.v1.ProfileService/LinkIdentities", link_identities, VT_RPC_UNARY, SMALL_BYTES,
     READ_MS, 0},
    {"/vitrine.v1.ProfileService/ExportCustomer", export_customer, VT_RPC_SERVER_STREAM,
     SMALL_BYTES, 0, WATCHES_MAX},
    {"/vitrine.v1.ProfileService/EraseCustomer", erase_customer, VT_RPC_UNARY, SMALL_BYTES, READ_MS,
     0},
    {"/vitrine.v1.CatalogService/UpsertItems", upsert_items, VT_RPC_UNARY, BULK_BYTES, WRITE_MS, 0},
    {"/vitrine.v1.CatalogService/GetItems", get_items_call, VT_RPC_UNARY, LIST_BYTES, READ_MS,
     LISTS_MAX},
    {"/vitrine.v1.CatalogService/ListItems", list_items_call, VT_RPC_UNARY, SMALL_BYTES, WRITE_MS,
     LISTS_MAX},
    {"/vitrine.v1.CatalogService/DeleteItems", delete_items, VT_RPC_UNARY, LIST_BYTES, WRITE_MS, 0},
    {"/vitrine.v1.CatalogService/Watch", watch, VT_RPC_SERVER_STREAM, SMALL_BYTES, 0, WATCHES_MAX},
    {"/vitrine.v1.AdminService/Checkpoint", checkpoint_call, VT_RPC_UNARY, SMALL_BYTES, WRITE_MS,
     CHECKPOINTS_MAX},
};

const struct vt_rpc_method *vt_profile_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
