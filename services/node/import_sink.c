/*
 * The importer's way into the live store, in this process. The store's writer thread commits in
 * groups and calls back; the importer's thread keeps a few batches under way and waits for the
 * oldest when all are taken, so that judging the next batch overlaps the fsync of the last. Results
 * are looked at by the importer's thread alone, when it takes a finished batch back.
 */
#include "services/node/import_sink.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/request.h"
#include "services/ingest/aside.h"
#include "services/profile/profile.h"

enum { N_BATCHES = 8, BATCH_ARENA_BYTES = 2 << 20 };

enum batch_kind { BATCH_EVENTS, BATCH_ITEMS, BATCH_CUSTOMERS };

struct batch {
    struct vt_import_sink *sink;
    enum batch_kind kind;
    struct vt_arena arena; /* owned */
    struct vt_request request;
    struct vt_diag diag;
    const struct vt_event *events; /* borrowed until the import ends */
    uint32_t n;
    struct vt_event_result results[VT_INGEST_BATCH];
    struct vt_customer customers[VT_INGEST_BATCH];
    struct vt_upsert_result upserted;
    struct vt_err err;
    bool busy, done; /* under sink->lock */
};

struct vt_import_sink {
    struct vt_import_sink_options options;
    struct vt_profile *profile; /* owned */
    pthread_mutex_t lock;
    pthread_cond_t finished;
    struct batch batches[N_BATCHES];
    unsigned next; /* the oldest, and the next to be used */
    struct vt_sink_counts counts;
};

/* On the writer thread. */
static void on_written(void *ctx, struct vt_err err)
{
    struct batch *batch = ctx;
    pthread_mutex_lock(&batch->sink->lock);
    batch->err = err;
    batch->done = true;
    pthread_cond_signal(&batch->sink->finished);
    pthread_mutex_unlock(&batch->sink->lock);
}

static void count_events(struct vt_import_sink *sink, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        const struct vt_event_result *result = &batch->results[i];
        sink->counts.events_written += result->outcome == VT_EVENT_ACCEPTED;
        sink->counts.events_known += result->outcome == VT_EVENT_DUPLICATE;
        if (result->outcome != VT_EVENT_REJECTED)
            continue;
        sink->counts.events_refused++;
        sink->options.refused(sink->options.refused_ctx, &batch->events[i],
                              result->field != NULL ? result->field : "", result->reason);
    }
}

static void count_batch(struct vt_import_sink *sink, const struct batch *batch)
{
    const struct vt_upsert_result *up = &batch->upserted;
    if (batch->kind == BATCH_EVENTS) {
        count_events(sink, batch);
    } else if (batch->kind == BATCH_ITEMS) {
        sink->counts.items_inserted += up->inserted;
        sink->counts.items_updated += up->updated;
        sink->counts.items_unchanged += up->unchanged;
    } else {
        sink->counts.customers_inserted += up->inserted;
        sink->counts.customers_updated += up->updated;
        sink->counts.customers_unchanged += up->unchanged;
    }
}

/* Waits for a batch, if it is under way, and counts it. */
static struct vt_err take_back(struct batch *batch, struct vt_diag *diag)
{
    struct vt_import_sink *sink = batch->sink;
    if (!batch->busy)
        return vt_ok();
    pthread_mutex_lock(&sink->lock);
    while (!batch->done)
        pthread_cond_wait(&sink->finished, &sink->lock);
    pthread_mutex_unlock(&sink->lock);
    batch->busy = false;
    if (vt_failed(batch->err)) {
        if (diag != NULL && batch->diag.text[0] != '\0')
            *diag = batch->diag;
        return batch->err;
    }
    count_batch(sink, batch);
    return vt_ok();
}

/* The next batch, free to be filled. */
static struct vt_err begin_batch(struct vt_import_sink *sink, enum batch_kind kind, uint32_t n,
                                 struct vt_diag *diag, struct batch **ret_batch)
{
    struct batch *batch = &sink->batches[sink->next];
    sink->next = (sink->next + 1) % N_BATCHES;
    VT_TRY(take_back(batch, diag));
    vt_arena_reset(&batch->arena);
    vt_diag_clear(&batch->diag);
    batch->request =
        (struct vt_request){.arena = &batch->arena, .diag = &batch->diag, .deadline_ns = INT64_MAX};
    batch->kind = kind;
    batch->n = n;
    batch->upserted = (struct vt_upsert_result){0};
    batch->done = false;
    batch->busy = true;
    *ret_batch = batch;
    return vt_ok();
}

static struct vt_err sink_events(void *self, const struct vt_event *events, uint32_t n,
                                 struct vt_diag *diag)
{
    struct vt_import_sink *sink = self;
    struct batch *batch;
    VT_TRY(begin_batch(sink, BATCH_EVENTS, n, diag, &batch));
    batch->events = events;
    vt_profile_write_events(sink->profile, &batch->request, events, n, false, batch->results,
                            on_written, batch);
    return vt_ok();
}

static struct vt_err sink_items(void *self, const struct vt_item *items, uint32_t n,
                                struct vt_diag *diag)
{
    struct vt_import_sink *sink = self;
    struct batch *batch;
    VT_TRY(begin_batch(sink, BATCH_ITEMS, n, diag, &batch));
    vt_profile_upsert_items(sink->profile, &batch->request, items, n, 0, false, &batch->upserted,
                            on_written, batch);
    return vt_ok();
}

static struct vt_err sink_customers(void *self, const struct vt_customer_row *customers, uint32_t n,
                                    struct vt_diag *diag)
{
    struct vt_import_sink *sink = self;
    struct batch *batch;
    VT_TRY(begin_batch(sink, BATCH_CUSTOMERS, n, diag, &batch));
    for (uint32_t i = 0; i < n; i++)
        batch->customers[i] = (struct vt_customer){.id = customers[i].id,
                                                   .consent = customers[i].consent,
                                                   .attributes = customers[i].attributes,
                                                   .n_attributes = customers[i].n_attributes};
    vt_profile_upsert_customers(sink->profile, &batch->request, batch->customers, n, false,
                                &batch->upserted, on_written, batch);
    return vt_ok();
}

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
    snprintf(path, sizeof path, "%s/channels.jsonl", sink->options.data_dir);
    struct vt_err err = fclose(memory) == 0
                            ? vt_file_write_atomic(path, vt_slice(content, len), diag)
                            : VT_ERR(VT_EXHAUSTED, "out of memory");
    free(content);
    if (!vt_failed(err))
        sink->counts.channels += n;
    return err;
}

static struct vt_err sink_finish(void *self, struct vt_diag *diag,
                                 struct vt_sink_counts *ret_counts)
{
    struct vt_import_sink *sink = self;
    struct vt_err first = vt_ok();
    for (unsigned i = 0; i < N_BATCHES; i++) {
        struct vt_err err = take_back(&sink->batches[(sink->next + i) % N_BATCHES], diag);
        if (!vt_failed(first))
            first = err;
    }
    *ret_counts = sink->counts;
    return first;
}

static struct vt_err open_store(struct vt_import_sink *sink, struct vt_diag *diag)
{
    for (unsigned i = 0; i < N_BATCHES; i++) {
        sink->batches[i].sink = sink;
        VT_CHECK(vt_arena_init_owned(&sink->batches[i].arena, BATCH_ARENA_BYTES), VT_EXHAUSTED,
                 "out of memory");
    }
    const struct vt_profile_options options = {
        .data_dir = sink->options.data_dir,
        .clock = vt_clock_system(),
        .consent_default = true,
        .create = true,
    };
    return vt_profile_open(&options, diag, &sink->profile);
}

struct vt_err vt_import_sink_open(const struct vt_import_sink_options *options,
                                  struct vt_diag *diag, struct vt_import_sink **ret_sink)
{
    struct vt_import_sink *sink = calloc(1, sizeof *sink);
    VT_CHECK(sink != NULL, VT_EXHAUSTED, "out of memory");
    sink->options = *options;
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->finished, NULL);
    struct vt_err err = open_store(sink, diag);
    if (vt_failed(err)) {
        vt_import_sink_close(sink);
        return err;
    }
    *ret_sink = sink;
    return vt_ok();
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
    for (unsigned i = 0; i < N_BATCHES; i++)
        vt_err_ignore(take_back(&sink->batches[i], NULL), "told by finish already");
    vt_profile_close(sink->profile);
    for (unsigned i = 0; i < N_BATCHES; i++)
        vt_arena_fini(&sink->batches[i].arena);
    pthread_cond_destroy(&sink->finished);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}
