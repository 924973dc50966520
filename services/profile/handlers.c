/*
 * The gRPC shell of the profile service: each method decodes into the call's arena, asks the
 * domain, and encodes. Point reads run on the serving thread. Writes park the call: the writer
 * thread's continuation answers it after the fsync. What iterates or blocks (lists, checkpoints,
 * Watch) runs on the shell's own worker threads, whose queue has room for every such call that the
 * limits of the table admit.
 */
#include "services/profile/handlers.h"

#include "services/common/base/metrics.h"
#include "services/profile/event_stream.h"
#include "services/profile/export_stream.h"
#include "services/profile/handlers_internal.h"

#include <stdlib.h>

enum {
    N_WORKERS = 2,
    BULK_BYTES = 4 << 20,   /* a full batch of entries of usual size */
    LIST_BYTES = 256 << 10, /* a thousand ids */
    SMALL_BYTES = 8 << 10,
    WATCHES_MAX = 64,
    LISTS_MAX = 16,
    CHECKPOINTS_MAX = 2,
    /* GetItems, ListItems, ListCustomers, ListProfiles, ListForgotten, ListOutcomes; Checkpoint;
     * Watch; ExportCustomer */
    TASKS_MAX = 6 * LISTS_MAX + CHECKPOINTS_MAX + WATCHES_MAX + VT__EXPORTS_MAX,
    N_ERASERS = 4,
    ERASURES_MAX = 64,
    READ_MS = 1000,
    WRITE_MS = 10000,
    ERASE_MS = 10 * 60 * 1000, /* with `now`: the files that hold the customer are rewritten */
};

/* Sets of roles that several methods share. */
enum {
    SHOP = VT_CALLER_STOREFRONT | VT_CALLER_OPERATOR,
    SEES_A_PERSON = SHOP | VT_CALLER_READ_ONLY | VT_CALLER_SERVICE,
    SEES_ALL_PERSONS = VT_CALLER_OPERATOR | VT_CALLER_READ_ONLY,
    SEES_ITEMS = VT_CALLER_OUTSIDE,
    FOLLOWS = VT_CALLER_OPERATOR | VT_CALLER_SERVICE,
    RIGHTS = VT_CALLER_OPERATOR,
    ADMIN_SOCKET = 0,
};

struct vt_err vt_profile_rpc_new(struct vt_profile *profile, struct vt_item_table *items,
                                 struct vt_profile_rpc **ret_rpc)
{
    struct vt_profile_rpc *rpc = calloc(1, sizeof *rpc);
    VT_CHECK(rpc != NULL, VT_EXHAUSTED, "no memory for the profile service");
    rpc->profile = profile;
    rpc->items = items;
    vt_profile_rpc_measure(rpc, NULL);
    struct vt_err err = vt_worker_pool_new(N_WORKERS, TASKS_MAX, &rpc->workers);
    if (!vt_failed(err))
        err = vt_worker_pool_new(1, VT__EVENT_STREAMS_MAX, &rpc->acknowledger);
    if (!vt_failed(err))
        err = vt_worker_pool_new(N_ERASERS, ERASURES_MAX, &rpc->erasers);
    if (vt_failed(err)) {
        vt_profile_rpc_free(rpc);
        return err;
    }
    *ret_rpc = rpc;
    return vt_ok();
}

void vt_profile_rpc_measure(struct vt_profile_rpc *rpc, struct vt_metrics *metrics)
{
    rpc->streams_gauge =
        vt_metrics_gauge(metrics, "vitrine_event_streams", "StreamEvents open.", "");
    rpc->unacknowledged_gauge =
        vt_metrics_gauge(metrics, "vitrine_event_stream_unacknowledged_messages",
                         "Messages of all streams received and not yet acknowledged.", "");
}

void vt_profile_rpc_free(struct vt_profile_rpc *rpc)
{
    if (rpc == NULL)
        return;
    vt_worker_pool_free(rpc->workers);
    vt_worker_pool_free(rpc->erasers);
    vt_worker_pool_free(rpc->acknowledger);
    free(rpc);
}

struct vt_err vt__handler_no_memory(void)
{
    return VT_ERR(VT_EXHAUSTED, "the request does not fit a call's memory; send less at a time");
}

/* ---- the table ---- */

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.EventService/WriteEvents", vt__handle_write_events, VT_RPC_UNARY, BULK_BYTES,
     WRITE_MS, 0, SHOP},
    {"/vitrine.v1.EventService/StreamEvents", vt__handle_stream_events, VT_RPC_BIDI_STREAM,
     BULK_BYTES, 0, VT__EVENT_STREAMS_MAX, SHOP},
    {"/vitrine.v1.ProfileService/GetProfile", vt__handle_get_profile, VT_RPC_UNARY, SMALL_BYTES,
     READ_MS, 0, SEES_A_PERSON},
    {"/vitrine.v1.ProfileService/BatchGetProfiles", vt__handle_batch_get_profiles, VT_RPC_UNARY,
     LIST_BYTES, READ_MS, 0, SEES_A_PERSON},
    {"/vitrine.v1.ProfileService/UpsertCustomers", vt__handle_upsert_customers, VT_RPC_UNARY,
     BULK_BYTES, WRITE_MS, 0, SHOP},
    {"/vitrine.v1.ProfileService/ListCustomers", vt__handle_list_customers, VT_RPC_UNARY,
     SMALL_BYTES, WRITE_MS, LISTS_MAX, SEES_ALL_PERSONS},
    {"/vitrine.v1.ProfileService/ListProfiles", vt__handle_list_profiles, VT_RPC_UNARY, SMALL_BYTES,
     WRITE_MS, LISTS_MAX, SEES_ALL_PERSONS | VT_CALLER_SERVICE},
    {"/vitrine.v1.ProfileService/LinkIdentities", vt__handle_link_identities, VT_RPC_UNARY,
     SMALL_BYTES, WRITE_MS, 0, SHOP},
    {"/vitrine.v1.ProfileService/ExportCustomer", vt__handle_export_customer, VT_RPC_SERVER_STREAM,
     SMALL_BYTES, 0, VT__EXPORTS_MAX, RIGHTS},
    {"/vitrine.v1.ProfileService/ListForgotten", vt__handle_list_forgotten, VT_RPC_UNARY,
     SMALL_BYTES, WRITE_MS, LISTS_MAX, VT_CALLER_OPERATOR | VT_CALLER_SERVICE},
    {"/vitrine.v1.ProfileService/ListOutcomes", vt__handle_list_outcomes, VT_RPC_UNARY, SMALL_BYTES,
     READ_MS, LISTS_MAX, VT_CALLER_OPERATOR | VT_CALLER_SERVICE},
    {"/vitrine.v1.ProfileService/EraseCustomer", vt__handle_erase_customer, VT_RPC_UNARY,
     SMALL_BYTES, ERASE_MS, ERASURES_MAX, RIGHTS},
    {"/vitrine.v1.CatalogService/UpsertItems", vt__handle_upsert_items, VT_RPC_UNARY, BULK_BYTES,
     WRITE_MS, 0, SHOP},
    {"/vitrine.v1.CatalogService/GetItems", vt__handle_get_items, VT_RPC_UNARY, LIST_BYTES, READ_MS,
     LISTS_MAX, SEES_ITEMS},
    {"/vitrine.v1.CatalogService/ListItems", vt__handle_list_items, VT_RPC_UNARY, SMALL_BYTES,
     WRITE_MS, LISTS_MAX, SEES_ITEMS},
    {"/vitrine.v1.CatalogService/DeleteItems", vt__handle_delete_items, VT_RPC_UNARY, LIST_BYTES,
     WRITE_MS, 0, SHOP},
    {"/vitrine.v1.CatalogService/Watch", vt__handle_watch, VT_RPC_SERVER_STREAM, SMALL_BYTES, 0,
     WATCHES_MAX, FOLLOWS},
    {"/vitrine.v1.AdminService/Checkpoint", vt__handle_checkpoint, VT_RPC_UNARY, SMALL_BYTES,
     WRITE_MS, CHECKPOINTS_MAX, ADMIN_SOCKET},
};

const struct vt_rpc_method *vt_profile_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
