/*
 * The importer's way into a store that a server holds. Items and customers are numbered in the
 * order in which the store meets them, and ties are broken by number, so that only writing in order
 * gives what an import without a server gives. Events keep their order in a stream, with batches
 * under way; of items and customers one call is under way at a time, after the events before them.
 *
 * A thousand rows of the usual size fit the memory that the server has for a call; rows with long
 * texts may not, and the queue may be full. Both are VT_EXHAUSTED, and both pass when less is sent
 * a little later.
 */
#include "services/node/import_remote.h"

#include "services/node/import_counts.h"
#include "services/profile/event_sender.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_item.h"

#include <stdlib.h>
#include <time.h>

enum {
    REQUEST_BYTES = 16 << 20, /* messages and their bytes; a server takes 4 MiB of the latter */
    ANSWER_BYTES = 2 << 20,   /* a thousand refusals with their reasons take a fifth */
    CALL_TIMEOUT_MS = 60 * 1000,
    REFUSALS_MAX = 12,     /* in a row; after each twice the pause, so four seconds in all */
    EVENT_BATCHES = 32,    /* under way */
    RECONNECTIONS_MAX = 6, /* in a row; three seconds in all: a server that restarts is back */
    NS_PER_MS = 1000000,
};

struct vt_import_remote {
    struct vt_rpc_channel *channel;  /* borrowed */
    struct vt_arena request, answer; /* owned; reset for each call */
    struct vt_sink_counts counts;
    struct vt_customer customers[VT_INGEST_BATCH];
    struct vt_event_sender *sender; /* owned; NULL before the first event */
    uint64_t n_event_batches;
    struct vt_ingest_refused refused[EVENT_BATCHES]; /* of those under way */
};

/* What one call of the sink brought. */
struct batch {
    const void *rows;
    uint32_t n;
};

/* How rows first to first + n of a batch are asked for, and what their answer counts. */
struct call {
    const char *path;
    struct vt_err (*encode)(struct vt_import_remote *remote, const struct batch *batch,
                            uint32_t first, uint32_t n, struct vt_slice *ret_body);
    struct vt_err (*count)(struct vt_import_remote *remote, const struct batch *batch,
                           uint32_t first, uint32_t n, struct vt_slice answer,
                           struct vt_diag *diag);
};

/* The same error, with a word for people where the server has none. */
static struct vt_err told(struct vt_err err, struct vt_diag *diag)
{
    if (err.code == VT_UNAVAILABLE)
        vt_diag_set(diag, "",
                    "the server that holds the data folder went away; import again, and "
                    "what it has taken is known already");
    return err;
}

static struct vt_err send_part(struct vt_import_remote *remote, const struct call *call,
                               const struct batch *batch, uint32_t first, uint32_t n,
                               struct vt_diag *diag)
{
    const struct vt_rpc_call_options options = {.timeout_ms = CALL_TIMEOUT_MS};
    struct vt_slice body, answer;
    vt_arena_reset(&remote->request);
    vt_arena_reset(&remote->answer);
    VT_TRY(call->encode(remote, batch, first, n, &body));
    struct vt_err err = vt_rpc_client_call(remote->channel, call->path, body, &options,
                                           &remote->answer, diag, &answer);
    VT_TRY(told(err, diag));
    return call->count(remote, batch, first, n, answer, diag);
}

static void pause_after(unsigned refusals)
{
    long ms = 1L << refusals;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    (void)nanosleep(&pause, NULL); /* cut short by a signal, it was long enough */
}

static struct vt_err finish_events(struct vt_import_remote *remote, struct vt_diag *diag);

/* The whole batch, or, as long as that is too much, half of what was too much. */
static struct vt_err send_batch(struct vt_import_remote *remote, const struct call *call,
                                const struct batch *batch, struct vt_diag *diag)
{
    uint32_t part = batch->n;
    unsigned refusals = 0;
    VT_TRY(finish_events(remote, diag));
    for (uint32_t first = 0; first < batch->n;) {
        uint32_t n = batch->n - first < part ? batch->n - first : part;
        struct vt_err err = send_part(remote, call, batch, first, n, diag);
        if (err.code == VT_EXHAUSTED && refusals < REFUSALS_MAX) {
            vt_diag_clear(diag);
            part = n > 1 ? n / 2 : 1;
            pause_after(refusals++);
            continue;
        }
        VT_TRY(err);
        refusals = 0;
        first += n;
    }
    return vt_ok();
}

/* ---- events: a stream, with batches under way ---- */

static void on_event_results(void *ctx, uint64_t batch, const struct vt_event_result *results,
                             uint32_t n)
{
    struct vt_import_remote *remote = ctx;
    vt_import_count_events(&remote->counts, results, 0, n, &remote->refused[batch % EVENT_BATCHES]);
}

static struct vt_err open_sender(struct vt_import_remote *remote)
{
    const struct vt_event_sender_options options = {.channel = remote->channel,
                                                    .on_results = on_event_results,
                                                    .ctx = remote,
                                                    .window = EVENT_BATCHES,
                                                    .reconnections = RECONNECTIONS_MAX};
    return remote->sender != NULL ? vt_ok() : vt_event_sender_new(&options, &remote->sender);
}

static struct vt_err sink_events(void *self, const struct vt_event *events, uint32_t n,
                                 struct vt_ingest_refused refused, struct vt_diag *diag)
{
    struct vt_import_remote *remote = self;
    VT_TRY(open_sender(remote));
    /* Whose place this was is acknowledged: no more are under way than there are places. */
    VT_TRY(told(vt_event_sender_make_room(remote->sender, diag), diag));
    remote->refused[remote->n_event_batches++ % EVENT_BATCHES] = refused;
    return told(vt_event_sender_send(remote->sender, events, n, diag), diag);
}

/* What comes next may number items and customers; the events before it shall have theirs. */
static struct vt_err finish_events(struct vt_import_remote *remote, struct vt_diag *diag)
{
    if (remote->sender == NULL)
        return vt_ok();
    return told(vt_event_sender_flush(remote->sender, diag), diag);
}

/* ---- items ---- */
static struct vt_err encode_items(struct vt_import_remote *remote, const struct batch *batch,
                                  uint32_t first, uint32_t n, struct vt_slice *ret_body)
{
    const struct vt_item *items = batch->rows;
    return vt_wire_upsert_items_request_encode(items + first, n, &remote->request, ret_body);
}

static struct vt_err count_items(struct vt_import_remote *remote, const struct batch *batch,
                                 uint32_t first, uint32_t n, struct vt_slice answer,
                                 struct vt_diag *diag)
{
    (void)batch, (void)first, (void)n;
    struct vt_upsert_result result;
    VT_TRY(vt_wire_upsert_items_response_decode(answer, &remote->answer, diag, &result));
    vt_import_count_items(&remote->counts, &result);
    return vt_ok();
}

static struct vt_err sink_items(void *self, const struct vt_item *items, uint32_t n,
                                struct vt_diag *diag)
{
    static const struct call call = {"/vitrine.v1.CatalogService/UpsertItems", encode_items,
                                     count_items};
    return send_batch(self, &call, &(struct batch){.rows = items, .n = n}, diag);
}

/* ---- customers ---- */
static struct vt_err encode_customers(struct vt_import_remote *remote, const struct batch *batch,
                                      uint32_t first, uint32_t n, struct vt_slice *ret_body)
{
    const struct vt_customer_row *rows = batch->rows;
    for (uint32_t i = 0; i < n; i++)
        remote->customers[i] = vt_import_customer(&rows[first + i]);
    return vt_wire_upsert_customers_request_encode(remote->customers, n, &remote->request,
                                                   ret_body);
}

static struct vt_err count_customers(struct vt_import_remote *remote, const struct batch *batch,
                                     uint32_t first, uint32_t n, struct vt_slice answer,
                                     struct vt_diag *diag)
{
    (void)batch, (void)first, (void)n;
    struct vt_upsert_result result;
    VT_TRY(vt_wire_upsert_customers_response_decode(answer, &remote->answer, diag, &result));
    vt_import_count_customers(&remote->counts, &result);
    return vt_ok();
}

static struct vt_err sink_customers(void *self, const struct vt_customer_row *customers, uint32_t n,
                                    struct vt_diag *diag)
{
    static const struct call call = {"/vitrine.v1.ProfileService/UpsertCustomers", encode_customers,
                                     count_customers};
    return send_batch(self, &call, &(struct batch){.rows = customers, .n = n}, diag);
}

/* ---- the sink ---- */
static struct vt_err sink_finish(void *self, struct vt_diag *diag,
                                 struct vt_sink_counts *ret_counts)
{
    struct vt_import_remote *remote = self;
    VT_TRY(finish_events(remote, diag));
    *ret_counts = remote->counts;
    return vt_ok();
}

struct vt_err vt_import_remote_new(struct vt_rpc_channel *channel,
                                   struct vt_import_remote **ret_remote)
{
    struct vt_import_remote *remote = calloc(1, sizeof *remote);
    VT_CHECK(remote != NULL, VT_EXHAUSTED, "out of memory");
    remote->channel = channel;
    if (!vt_arena_init_owned(&remote->request, REQUEST_BYTES) ||
        !vt_arena_init_owned(&remote->answer, ANSWER_BYTES)) {
        vt_import_remote_free(remote);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    *ret_remote = remote;
    return vt_ok();
}

struct vt_ingest_sink vt_import_remote_port(struct vt_import_remote *remote)
{
    return (struct vt_ingest_sink){
        .self = remote,
        .items = sink_items,
        .customers = sink_customers,
        .events = sink_events,
        .finish = sink_finish,
    };
}

void vt_import_remote_free(struct vt_import_remote *remote)
{
    if (remote == NULL)
        return;
    vt_event_sender_free(remote->sender);
    vt_arena_fini(&remote->request);
    vt_arena_fini(&remote->answer);
    free(remote);
}
