/*
 * The importer's way into the live store, in this process. The store's writer thread commits in
 * groups and calls back; the importer's thread keeps some batches under way and waits for the
 * oldest when all are taken, so that judging the next batch overlaps the fsync of the last. Results
 * are looked at by the importer's thread alone, when it takes a finished batch back.
 */
#include "services/node/import_local.h"

#include "services/common/base/clock.h"
#include "services/common/base/request.h"
#include "services/node/import_counts.h"
#include "services/profile/profile.h"

#include <pthread.h>
#include <stdlib.h>

/* Two full groups of the writer's: one being committed, one gathering. */
enum { N_BATCHES = 32, BATCH_ARENA_BYTES = 2 << 20 };

enum batch_kind { BATCH_EVENTS, BATCH_ITEMS, BATCH_CUSTOMERS };

struct batch {
    struct vt_import_local *local;
    enum batch_kind kind;
    struct vt_arena arena; /* owned */
    struct vt_request request;
    struct vt_profile_write write;
    struct vt_diag diag;
    uint32_t n;
    struct vt_ingest_refused refused;
    struct vt_event_result results[VT_INGEST_BATCH];
    struct vt_customer customers[VT_INGEST_BATCH];
    struct vt_upsert_result upserted;
    struct vt_err err;
    bool busy, done; /* under local->lock */
};

struct vt_import_local {
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
    pthread_mutex_lock(&batch->local->lock);
    batch->err = err;
    batch->done = true;
    pthread_cond_signal(&batch->local->finished);
    pthread_mutex_unlock(&batch->local->lock);
}

static void count_batch(struct vt_import_local *local, const struct batch *batch)
{
    if (batch->kind == BATCH_EVENTS)
        vt_import_count_events(&local->counts, batch->results, 0, batch->n, &batch->refused);
    else if (batch->kind == BATCH_ITEMS)
        vt_import_count_items(&local->counts, &batch->upserted);
    else
        vt_import_count_customers(&local->counts, &batch->upserted);
}

/* Waits for a batch, if it is under way, and counts it. */
static struct vt_err take_back(struct batch *batch, struct vt_diag *diag)
{
    struct vt_import_local *local = batch->local;
    if (!batch->busy)
        return vt_ok();
    pthread_mutex_lock(&local->lock);
    while (!batch->done)
        pthread_cond_wait(&local->finished, &local->lock);
    pthread_mutex_unlock(&local->lock);
    batch->busy = false;
    if (vt_failed(batch->err)) {
        if (diag != NULL && batch->diag.text[0] != '\0')
            *diag = batch->diag;
        return batch->err;
    }
    count_batch(local, batch);
    return vt_ok();
}

/* The next batch, free to be filled. */
static struct vt_err begin_batch(struct vt_import_local *local, enum batch_kind kind, uint32_t n,
                                 struct vt_diag *diag, struct batch **ret_batch)
{
    struct batch *batch = &local->batches[local->next];
    local->next = (local->next + 1) % N_BATCHES;
    VT_TRY(take_back(batch, diag));
    vt_arena_reset(&batch->arena);
    vt_diag_clear(&batch->diag);
    batch->request =
        (struct vt_request){.arena = &batch->arena, .diag = &batch->diag, .deadline_ns = INT64_MAX};
    batch->write =
        (struct vt_profile_write){.request = &batch->request, .done = on_written, .ctx = batch};
    batch->kind = kind;
    batch->n = n;
    batch->upserted = (struct vt_upsert_result){0};
    batch->done = false;
    batch->busy = true;
    *ret_batch = batch;
    return vt_ok();
}

static struct vt_err sink_events(void *self, const struct vt_event *events, uint32_t n,
                                 struct vt_ingest_refused refused, struct vt_diag *diag)
{
    struct vt_import_local *local = self;
    struct batch *batch;
    VT_TRY(begin_batch(local, BATCH_EVENTS, n, diag, &batch));
    batch->refused = refused;
    vt_profile_write_events(local->profile, &batch->write, events, n, batch->results);
    return vt_ok();
}

static struct vt_err sink_items(void *self, const struct vt_item *items, uint32_t n,
                                struct vt_diag *diag)
{
    struct vt_import_local *local = self;
    struct batch *batch;
    VT_TRY(begin_batch(local, BATCH_ITEMS, n, diag, &batch));
    vt_profile_upsert_items(local->profile, &batch->write, items, n, 0, &batch->upserted);
    return vt_ok();
}

static struct vt_err sink_customers(void *self, const struct vt_customer_row *customers, uint32_t n,
                                    struct vt_diag *diag)
{
    struct vt_import_local *local = self;
    struct batch *batch;
    VT_TRY(begin_batch(local, BATCH_CUSTOMERS, n, diag, &batch));
    for (uint32_t i = 0; i < n; i++)
        batch->customers[i] = vt_import_customer(&customers[i]);
    vt_profile_upsert_customers(local->profile, &batch->write, batch->customers, n,
                                &batch->upserted);
    return vt_ok();
}

static struct vt_err sink_finish(void *self, struct vt_diag *diag,
                                 struct vt_sink_counts *ret_counts)
{
    struct vt_import_local *local = self;
    struct vt_err first = vt_ok();
    for (unsigned i = 0; i < N_BATCHES; i++) {
        struct vt_err err = take_back(&local->batches[(local->next + i) % N_BATCHES], diag);
        if (!vt_failed(first))
            first = err;
    }
    *ret_counts = local->counts;
    return first;
}

static struct vt_err open_store(struct vt_import_local *local, const char *data_dir,
                                struct vt_diag *diag)
{
    for (unsigned i = 0; i < N_BATCHES; i++) {
        local->batches[i].local = local;
        VT_CHECK(vt_arena_init_owned(&local->batches[i].arena, BATCH_ARENA_BYTES), VT_EXHAUSTED,
                 "out of memory");
    }
    const struct vt_profile_options options = {
        .data_dir = data_dir,
        .clock = vt_clock_system(),
        .consent_default = true,
        .create = true,
    };
    return vt_profile_open(&options, diag, &local->profile);
}

struct vt_err vt_import_local_open(const char *data_dir, struct vt_diag *diag,
                                   struct vt_import_local **ret_local)
{
    struct vt_import_local *local = calloc(1, sizeof *local);
    VT_CHECK(local != NULL, VT_EXHAUSTED, "out of memory");
    pthread_mutex_init(&local->lock, NULL);
    pthread_cond_init(&local->finished, NULL);
    struct vt_err err = open_store(local, data_dir, diag);
    if (vt_failed(err)) {
        vt_import_local_close(local);
        return err;
    }
    *ret_local = local;
    return vt_ok();
}

struct vt_ingest_sink vt_import_local_port(struct vt_import_local *local)
{
    return (struct vt_ingest_sink){
        .self = local,
        .items = sink_items,
        .customers = sink_customers,
        .events = sink_events,
        .finish = sink_finish,
    };
}

void vt_import_local_close(struct vt_import_local *local)
{
    if (local == NULL)
        return;
    for (unsigned i = 0; i < N_BATCHES; i++)
        vt_err_ignore(take_back(&local->batches[i], NULL), "told by finish already");
    vt_profile_close(local->profile);
    for (unsigned i = 0; i < N_BATCHES; i++)
        vt_arena_fini(&local->batches[i].arena);
    pthread_cond_destroy(&local->finished);
    pthread_mutex_destroy(&local->lock);
    free(local);
}
