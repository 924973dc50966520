/*
 * Where an import goes. The store has one owner: where nobody serves the folder we are it, and
 * write in this process; where a server runs, it writes for us. Channels are a file in the folder,
 * whoever owns the store; they are written here.
 */
#include "services/node/import_sink.h"

#include "services/common/base/file.h"
#include "services/ingest/aside.h"
#include "services/node/admin_socket.h"
#include "services/node/import_local.h"
#include "services/node/import_remote.h"

#include <stdio.h>
#include <stdlib.h>

struct vt_import_sink {
    const char *data_dir;           /* borrowed */
    struct vt_import_local *local;  /* this one, or those below */
    struct vt_rpc_channel *channel; /* owned */
    struct vt_import_remote *remote;
    struct vt_ingest_sink store; /* the port of the one there is */
    uint64_t n_channels;
};

/* ---- handed on ---- */
static struct vt_err sink_items(void *self, const struct vt_item *items, uint32_t n,
                                struct vt_diag *diag)
{
    const struct vt_import_sink *sink = self;
    return sink->store.items(sink->store.self, items, n, diag);
}

static struct vt_err sink_customers(void *self, const struct vt_customer_row *customers, uint32_t n,
                                    struct vt_diag *diag)
{
    const struct vt_import_sink *sink = self;
    return sink->store.customers(sink->store.self, customers, n, diag);
}

static struct vt_err sink_events(void *self, const struct vt_event *events, uint32_t n,
                                 struct vt_ingest_refused refused, struct vt_diag *diag)
{
    const struct vt_import_sink *sink = self;
    return sink->store.events(sink->store.self, events, n, refused, diag);
}

static struct vt_err sink_finish(void *self, struct vt_diag *diag,
                                 struct vt_sink_counts *ret_counts)
{
    const struct vt_import_sink *sink = self;
    struct vt_err err = sink->store.finish(sink->store.self, diag, ret_counts);
    ret_counts->channels = sink->n_channels;
    return err;
}

/* ---- channels ---- */
static void print_channel(FILE *out, const struct vt_channel_row *channel)
{
    fputs("{\"id\":", out);
    vt_json_text(out, channel->id);
    fputs(",\"name\":", out);
    vt_json_text(out, channel->name);
    fprintf(out,
            ",\"cost_per_day\":%.15g,\"cost_per_click\":%.15g,\"cost_per_order\":%.15g,"
            "\"commission\":%.15g,\"currency_code\":",
            channel->cost_per_day, channel->cost_per_click, channel->cost_per_order,
            channel->commission);
    vt_json_text(out, channel->currency_code);
    fputs(",\"attributes\":{", out);
    for (uint32_t i = 0; i < channel->n_attributes; i++) {
        fputs(i > 0 ? "," : "", out);
        vt_json_text(out, channel->attributes[i].key);
        fputc(':', out);
        vt_json_text(out, channel->attributes[i].value);
    }
    fputs("}}\n", out);
}

/* A shop has a handful of channels, which come in one file: it replaces the one before. */
static struct vt_err sink_channels(void *self, const struct vt_channel_row *channels, uint32_t n,
                                   struct vt_diag *diag)
{
    struct vt_import_sink *sink = self;
    char path[VT_ASIDE_PATH_BYTES], *content = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&content, &len);
    VT_CHECK(memory != NULL, VT_EXHAUSTED, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        print_channel(memory, &channels[i]);
    snprintf(path, sizeof path, "%s/channels.jsonl", sink->data_dir);
    struct vt_err err = fclose(memory) == 0
                            ? vt_file_write_atomic(path, vt_slice(content, len), diag)
                            : VT_ERR(VT_EXHAUSTED, "out of memory");
    free(content);
    if (!vt_failed(err))
        sink->n_channels += n;
    return err;
}

/* ---- which way ---- */
static struct vt_err reach_server(struct vt_import_sink *sink)
{
    VT_TRY(vt_admin_connect(sink->data_dir, &sink->channel));
    return vt_import_remote_new(sink->channel, &sink->remote);
}

static struct vt_err open_store(struct vt_import_sink *sink, struct vt_diag *diag)
{
    struct vt_err held = vt_import_local_open(sink->data_dir, diag, &sink->local);
    if (!vt_failed(held))
        sink->store = vt_import_local_port(sink->local);
    if (held.code != VT_UNAVAILABLE)
        return held;
    struct vt_err err = reach_server(sink);
    if (err.code == VT_UNAVAILABLE)
        return held; /* `diag` names who holds the folder: no server, or a silent one */
    VT_TRY(err);
    vt_diag_clear(diag);
    sink->store = vt_import_remote_port(sink->remote);
    return vt_ok();
}

struct vt_err vt_import_sink_open(const char *data_dir, struct vt_diag *diag,
                                  struct vt_import_sink **ret_sink)
{
    struct vt_import_sink *sink = calloc(1, sizeof *sink);
    VT_CHECK(sink != NULL, VT_EXHAUSTED, "out of memory");
    sink->data_dir = data_dir;
    struct vt_err err = open_store(sink, diag);
    if (vt_failed(err)) {
        vt_import_sink_close(sink);
        return err;
    }
    *ret_sink = sink;
    return vt_ok();
}

bool vt_import_sink_is_remote(const struct vt_import_sink *sink)
{
    return sink->remote != NULL;
}

struct vt_ingest_sink vt_import_sink_port(struct vt_import_sink *sink)
{
    return (struct vt_ingest_sink){
        .self = sink,
        .items = sink_items,
        .customers = sink_customers,
        .channels = sink_channels,
        .events = sink_events,
        .finish = sink_finish,
    };
}

void vt_import_sink_close(struct vt_import_sink *sink)
{
    if (sink == NULL)
        return;
    vt_import_local_close(sink->local);
    vt_import_remote_free(sink->remote);
    vt_rpc_channel_free(sink->channel);
    free(sink);
}
