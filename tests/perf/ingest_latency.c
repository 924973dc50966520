/*
 * One thread drives all writers over one connection: a call that completes starts the next one of
 * its writer from its continuation, so that `n_writers` are under way until the events run out.
 */
#include "tests/perf/ingest_latency.h"

#include "services/common/base/clock.h"
#include "services/common/pb/pb.h"
#include "services/common/rpc/loop.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_event.h"
#include "services/profile/wire_item.h"
#include "tests/perf/ingest_bare.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    WRITERS_MAX = 64,
    WRITER_BYTES = 16 << 10,
    CALL_MS = 10000,
    N_PRODUCTS = 40,
    N_ASKED = 200, /* more than there are products */
    NS_PER_MS = 1000000,
};

static struct vt_err first_error(struct vt_err a, struct vt_err b)
{
    return vt_failed(a) ? a : b;
}

/* ---- writers ---- */

struct writers {
    struct vt_rpc_channel *channel;
    struct vt_rpc_loop *loop;
    const struct vt_event *events;
    uint32_t next, n, n_under_way;
    struct samples *us;
    struct vt_err err;
};

struct writer {
    struct writers *all;
    struct vt_request request;
    struct vt_arena arena;
    int64_t start_ns;
    unsigned char memory[WRITER_BYTES];
};

static void write_next(struct writer *writer);

static void on_written(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct writer *writer = ctx;
    struct writers *all = writer->all;
    struct vt_event_result result;
    samples_add(all->us, (double)(bench_now_ns() - writer->start_ns) * 1e-3);
    if (!vt_failed(err))
        err = vt_wire_write_events_response_decode(body, 1, &writer->arena, NULL, &result);
    if (!vt_failed(err) && result.outcome != VT_EVENT_ACCEPTED)
        err = VT_ERR(VT_INTERNAL, "an event was not accepted");
    all->err = first_error(all->err, err);
    all->n_under_way--;
    write_next(writer);
}

static void write_next(struct writer *writer)
{
    struct writers *all = writer->all;
    struct vt_slice body;
    if (all->next == all->n || vt_failed(all->err))
        return;
    vt_arena_init(&writer->arena, writer->memory, sizeof writer->memory);
    all->err =
        vt_wire_write_events_request_encode(&all->events[all->next++], 1, &writer->arena, &body);
    if (vt_failed(all->err))
        return;
    writer->start_ns = bench_now_ns();
    writer->request =
        (struct vt_request){.arena = &writer->arena, .deadline_ns = INT64_MAX, .loop = all->loop};
    const struct vt_rpc_outgoing call = {.path = "/vitrine.v1.EventService/WriteEvents",
                                         .body = body,
                                         .deadline_ns =
                                             writer->start_ns + (int64_t)CALL_MS * NS_PER_MS,
                                         .done = on_written,
                                         .ctx = writer};
    all->n_under_way++;
    vt_rpc_client_start(all->channel, &writer->request, &call);
}

struct vt_err ingest_write_singly(struct ingest_cell *cell, const struct vt_event *events,
                                  uint32_t n, uint32_t n_writers, struct samples *us,
                                  uint64_t *ret_n_commits)
{
    struct writers all = {
        .channel = cell->channel, .events = events, .n = n, .us = us, .err = vt_ok()};
    VT_ASSERT(n_writers <= WRITERS_MAX);
    struct writer *writers = calloc(n_writers, sizeof *writers);
    VT_CHECK(writers != NULL, VT_EXHAUSTED, "no memory for the writers");
    struct vt_err err = vt_rpc_loop_new(&all.loop);
    if (vt_failed(err)) {
        free(writers);
        return err;
    }
    uint64_t before = ingest_n_commits();
    for (uint32_t i = 0; i < n_writers; i++) {
        writers[i].all = &all;
        write_next(&writers[i]);
    }
    while (all.n_under_way > 0)
        vt_rpc_loop_run_one(all.loop, INT64_MAX);
    *ret_n_commits = ingest_n_commits() - before;
    vt_rpc_loop_free(all.loop);
    free(writers);
    return all.err;
}

/* ---- the disk alone ---- */

struct vt_err ingest_fdatasync(const char *folder, uint32_t size_bytes, uint32_t n,
                               struct samples *us)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/fdatasync", folder);
    unsigned char *bytes = calloc(1, size_bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && bytes != NULL;
    for (uint32_t i = 0; ok && i < n; i++) {
        int64_t start_ns = bench_now_ns();
        ok = write(fd, bytes, size_bytes) == (ssize_t)size_bytes && fdatasync(fd) == 0;
        samples_add(us, (double)(bench_now_ns() - start_ns) * 1e-3);
    }
    if (fd >= 0)
        close(fd);
    unlink(path);
    free(bytes);
    VT_CHECK(ok, VT_UNAVAILABLE, "cannot write beside the data");
    return vt_ok();
}

/* ---- reading one's own writes ---- */

static struct vt_err ask(struct ingest_cell *cell, const char *path, struct vt_slice body,
                         struct vt_arena *arena, struct vt_diag *diag, struct vt_slice *ret_body)
{
    const struct vt_rpc_call_options options = {.timeout_ms = CALL_MS};
    return vt_rpc_client_call(cell->channel, path, body, &options, arena, diag, ret_body);
}

static struct vt_err make_products(struct ingest_cell *cell, struct vt_arena *arena,
                                   struct vt_diag *diag)
{
    struct vt_item items[N_PRODUCTS] = {0};
    struct vt_slice body;
    for (unsigned i = 0; i < N_PRODUCTS; i++) {
        items[i].id = vt_arena_printf(arena, "P%02u", i);
        items[i].title = vt_slice_str("Mug");
        items[i].categories[0] = vt_slice_str("Kitchen");
        items[i].n_categories = 1;
        items[i].price = 9;
        items[i].currency_code = vt_slice_str("EUR");
        items[i].stock = -1;
    }
    VT_TRY(vt_wire_upsert_items_request_encode(items, N_PRODUCTS, arena, &body));
    return ask(cell, "/vitrine.v1.CatalogService/UpsertItems", body, arena, diag, &body);
}

static struct vt_err purchase(struct ingest_cell *cell, const char *customer, const char *product,
                              struct vt_arena *arena, struct vt_diag *diag)
{
    struct vt_slice body;
    const struct vt_event event = {.event_id = vt_arena_printf(arena, "buy-%s", customer),
                                   .type = VT_EVENT_PURCHASE,
                                   .customer_id = vt_slice_str(customer),
                                   .item_id = vt_slice_str(product),
                                   .time_ms = vt_clock_unix_ms(vt_clock_system()),
                                   .quantity = 3};
    VT_TRY(vt_wire_write_events_request_encode(&event, 1, arena, &body));
    return ask(cell, "/vitrine.v1.EventService/WriteEvents", body, arena, diag, &body);
}

static struct vt_err profile_shows(struct ingest_cell *cell, const char *customer,
                                   struct vt_arena *arena, struct vt_diag *diag, bool *ret_seen)
{
    struct vt_profile_view view;
    struct vt_slice body;
    const struct vt_wire_get_profile request = {.key.customer_id = vt_slice_str(customer)};
    VT_TRY(vt_wire_get_profile_encode(&request, arena, &body));
    VT_TRY(ask(cell, "/vitrine.v1.ProfileService/GetProfile", body, arena, diag, &body));
    VT_TRY(vt_wire_profile_decode(body, arena, diag, &view));
    *ret_seen = view.n_events == 1 && view.events[0].type == VT_EVENT_PURCHASE &&
                (int)view.events[0].value == 3;
    return vt_ok();
}

/* Sets *ret_has: the list that `customer` gets has the product; *ret_n: how long it is. */
static struct vt_err recommends(struct ingest_cell *cell, const char *customer, const char *product,
                                struct vt_arena *arena, struct vt_diag *diag, size_t *ret_n,
                                bool *ret_has)
{
    static char placement[] = "bench";
    Vitrine__V1__RecommendRequest request = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    Vitrine__V1__RecommendResponse *response = NULL;
    struct vt_slice body;
    request.customer_id = (char *)(uintptr_t)customer;
    request.placement = placement;
    request.n = N_ASKED;
    VT_TRY(vt_pb_encode(&request.base, arena, &body));
    VT_TRY(ask(cell, "/vitrine.v1.RecommendationService/Recommend", body, arena, diag, &body));
    VT_TRY(
        vt_pb_decode(&vitrine__v1__recommend_response__descriptor, body, arena, diag, &response));
    *ret_has = false;
    *ret_n = response->n_items;
    for (size_t i = 0; i < response->n_items; i++)
        *ret_has = *ret_has || strcmp(response->items[i]->id, product) == 0;
    return vt_ok();
}

/* Ranking follows the catalog; from here on it knows the products. */
static struct vt_err wait_for_products(struct ingest_cell *cell, struct vt_arena *arena,
                                       struct vt_diag *diag)
{
    const struct timespec poll = {.tv_nsec = NS_PER_MS};
    bool has;
    for (size_t n = 0; n < N_PRODUCTS; nanosleep(&poll, NULL)) {
        vt_arena_reset(arena);
        VT_TRY(recommends(cell, "nobody", "", arena, diag, &n, &has));
    }
    return vt_ok();
}

/* The product is in the list before and gone after. */
static struct vt_err read_own_write(struct ingest_cell *cell, uint32_t i, struct vt_arena *arena,
                                    struct vt_diag *diag, struct samples *us, bool *ret_seen)
{
    char customer[32], product[8];
    bool in_profile = false, before = false, after = true;
    size_t n_before = 0, n_after = 0;
    snprintf(customer, sizeof customer, "reader-%u", i);
    snprintf(product, sizeof product, "P%02u", i % N_PRODUCTS);
    VT_TRY(recommends(cell, customer, product, arena, diag, &n_before, &before));
    int64_t start_ns = bench_now_ns();
    VT_TRY(purchase(cell, customer, product, arena, diag));
    VT_TRY(profile_shows(cell, customer, arena, diag, &in_profile));
    VT_TRY(recommends(cell, customer, product, arena, diag, &n_after, &after));
    samples_add(us, (double)(bench_now_ns() - start_ns) * 1e-3);
    *ret_seen = *ret_seen && in_profile && before && !after && n_after > 0;
    return vt_ok();
}

struct vt_err ingest_read_own_writes(struct ingest_cell *cell, uint32_t n, struct vt_diag *diag,
                                     struct samples *us, bool *ret_seen)
{
    struct vt_arena arena;
    VT_CHECK(vt_arena_init_owned(&arena, 1 << 20), VT_EXHAUSTED, "no memory");
    struct vt_err err = make_products(cell, &arena, diag);
    if (!vt_failed(err))
        err = wait_for_products(cell, &arena, diag);
    *ret_seen = true;
    for (uint32_t i = 0; i < n && !vt_failed(err); i++) {
        vt_arena_reset(&arena);
        err = read_own_write(cell, i, &arena, diag, us, ret_seen);
    }
    vt_arena_fini(&arena);
    return err;
}
