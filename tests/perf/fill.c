/*
 * vitrine-bench fill: a large store, written in this process through the profile domain as the
 * services write it, a day of the shop after the other (the store's clock is the shop's). Events
 * come in the order of their times, from some hundred visits that go on at the same time; a
 * customer's visits are spread over all days.
 */
#include "models/dataset/mix.h"
#include "services/common/base/clock.h"
#include "services/common/base/progress.h"
#include "services/common/store/upkeep.h"
#include "services/node/command.h"
#include "services/profile/profile_internal.h"
#include "tests/perf/bench.h"
#include "tests/perf/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 1000,
    SLOTS = 24, /* batches under way: more than a group takes */
    ID_BYTES = 24,
    SLOT_MEMORY_BYTES = 64 << 10,
    MS_PER_DAY = 24 * 3600 * 1000,
    VISITS = 512, /* at the same time */
    EVENTS_PER_VISIT = 10,
};
#define FIRST_DAY_MS INT64_C(1756684800000) /* 2025-09-01 */

struct fill_options {
    const char *data;
    uint32_t customers, items, events_each, days;
    uint64_t seed;
};

struct fill;
struct slot {
    struct fill *fill;
    bool busy; /* under fill->lock */
    struct vt_arena arena;
    struct vt_request request;
    struct vt_event events[BATCH];
    struct vt_event_result results[BATCH];
    char ids[BATCH][3][ID_BYTES];
};

struct fill {
    const struct fill_options *options;
    struct vt_clock_fake clock;
    struct vt_profile *profile;
    struct slot *slots; /* SLOTS of them */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct vt_err err; /* of the first batch that failed; under lock */
    uint64_t random;
    struct visit {
        uint32_t customer, n_left;
    } visits[VISITS];
};

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    return vt_mix64(*state += VT_MIX64_STEP);
}

static void on_written(void *ctx, struct vt_err err)
{
    struct slot *slot = ctx;
    struct fill *fill = slot->fill;
    pthread_mutex_lock(&fill->lock);
    if (vt_failed(err) && !vt_failed(fill->err))
        fill->err = err;
    slot->busy = false;
    pthread_cond_signal(&fill->freed);
    pthread_mutex_unlock(&fill->lock);
}

static struct slot *find_idle(struct fill *fill)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (!fill->slots[i].busy)
            return &fill->slots[i];
    return NULL;
}

static struct slot *take_slot(struct fill *fill)
{
    pthread_mutex_lock(&fill->lock);
    struct slot *slot;
    while ((slot = find_idle(fill)) == NULL)
        pthread_cond_wait(&fill->freed, &fill->lock);
    slot->busy = true;
    pthread_mutex_unlock(&fill->lock);
    vt_arena_reset(&slot->arena);
    return slot;
}

static struct vt_err wait_for_all(struct fill *fill)
{
    pthread_mutex_lock(&fill->lock);
    for (unsigned i = 0; i < SLOTS; i++)
        while (fill->slots[i].busy)
            pthread_cond_wait(&fill->freed, &fill->lock);
    struct vt_err err = fill->err;
    pthread_mutex_unlock(&fill->lock);
    return err;
}

/* ---- items ---- */

static void make_item(uint32_t number, char text[3][ID_BYTES], struct vt_item *item)
{
    snprintf(text[0], ID_BYTES, "SKU%06u", number);
    snprintf(text[1], ID_BYTES, "A thing, number %u", number);
    snprintf(text[2], ID_BYTES, "Category %u", number % 100);
    *item = (struct vt_item){.id = vt_slice_str(text[0]),
                             .title = vt_slice_str(text[1]),
                             .categories = {vt_slice_str(text[2])},
                             .n_categories = 1,
                             .price = 1 + number % 500,
                             .stock = 100};
}

static struct vt_err fill_items(struct fill *fill)
{
    static struct vt_item items[BATCH];
    struct vt_upsert_result result;
    for (uint32_t first = 0; first < fill->options->items; first += BATCH) {
        struct slot *slot = take_slot(fill);
        uint32_t left = fill->options->items - first, n = left < BATCH ? left : BATCH;
        for (uint32_t i = 0; i < n; i++)
            make_item(first + i, slot->ids[i], &items[i]);
        const struct vt_profile_write write = {
            .request = &slot->request, .done = on_written, .ctx = slot};
        vt_profile_upsert_items(fill->profile, &write, items, n, 0, &result);
        VT_TRY(wait_for_all(fill));
    }
    return vt_ok();
}

/* ---- events ---- */

static uint32_t draw_customer(struct fill *fill, uint64_t bits)
{
    struct visit *visit = &fill->visits[bits % VISITS];
    if (visit->n_left == 0)
        *visit = (struct visit){(uint32_t)(draw(&fill->random) % fill->options->customers) + 1,
                                EVENTS_PER_VISIT};
    visit->n_left--;
    return visit->customer;
}

static void make_event(struct fill *fill, uint64_t number, int64_t time_ms, char text[3][ID_BYTES],
                       struct vt_event *event)
{
    uint64_t bits = draw(&fill->random);
    double popular = (double)(draw(&fill->random) >> 11) * 0x1p-53;
    unsigned item = (unsigned)(popular * popular * fill->options->items);
    unsigned long long id = number * 0x9E3779B97F4A7C15ull;
    snprintf(text[0], ID_BYTES, "%016llx", id);
    snprintf(text[1], ID_BYTES, "C%06u", draw_customer(fill, bits));
    snprintf(text[2], ID_BYTES, "SKU%06u", item);
    *event = (struct vt_event){.event_id = vt_slice_str(text[0]),
                               .customer_id = vt_slice_str(text[1]),
                               .item_id = vt_slice_str(text[2]),
                               .channel = vt_slice_str("web"),
                               .type = (bits >> 40) % 10 < 8 ? VT_EVENT_VIEW : VT_EVENT_CART,
                               .time_ms = time_ms};
    if ((bits >> 50) % 20 != 0)
        return;
    event->type = VT_EVENT_PURCHASE;
    event->quantity = 1;
    event->revenue = (double)(bits >> 32 & 0xFFFF) / 100;
    event->currency_code = vt_slice_str("EUR");
}

static void send_batch(struct fill *fill, uint64_t first, uint32_t n, int64_t time_ms)
{
    struct slot *slot = take_slot(fill);
    for (uint32_t i = 0; i < n; i++)
        make_event(fill, first + i, time_ms + i, slot->ids[i], &slot->events[i]);
    const struct vt_profile_write write = {
        .request = &slot->request, .done = on_written, .ctx = slot};
    vt_profile_write_events(fill->profile, &write, slot->events, n, slot->results);
}

static struct vt_err fill_events(struct fill *fill)
{
    uint64_t n = (uint64_t)fill->options->customers * fill->options->events_each;
    struct vt_progress progress;
    vt_progress_begin(&progress, stderr, "writing", "events", n);
    for (uint64_t at = 0; at < n && !vt_failed(fill->err); at += BATCH) {
        int64_t time_ms = FIRST_DAY_MS + (int64_t)((double)at / (double)n *
                                                   (double)fill->options->days * MS_PER_DAY);
        vt_clock_fake_advance_ms(&fill->clock, time_ms + 1 - vt_clock_unix_ms(&fill->clock.clock));
        send_batch(fill, at, n - at < BATCH ? (uint32_t)(n - at) : BATCH, time_ms);
        vt_progress_update(&progress, at);
    }
    struct vt_err err = wait_for_all(fill);
    vt_progress_end(&progress, n);
    return err;
}

static struct vt_err compact_all(struct vt_store *store, struct vt_diag *diag)
{
    const struct vt_slice all = vt_slice(NULL, 0);
    VT_TRY(vt_store_flush(store, diag));
    for (uint32_t family = 0; family < VT__FAMILY_COUNT; family++)
        VT_TRY(vt_store_compact(store, family, all, all, diag));
    return vt_ok();
}

/* ---- the command ---- */

static struct vt_err make_slots(struct fill *fill)
{
    fill->slots = calloc(SLOTS, sizeof *fill->slots);
    VT_CHECK(fill->slots != NULL, VT_EXHAUSTED, "out of memory");
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &fill->slots[i];
        slot->fill = fill;
        slot->request = (struct vt_request){.arena = &slot->arena, .deadline_ns = INT64_MAX};
        VT_CHECK(vt_arena_init_owned(&slot->arena, SLOT_MEMORY_BYTES), VT_EXHAUSTED,
                 "out of memory");
    }
    return vt_ok();
}

static void free_slots(struct fill *fill)
{
    for (unsigned i = 0; fill->slots != NULL && i < SLOTS; i++)
        vt_arena_fini(&fill->slots[i].arena);
    free(fill->slots);
}

static struct vt_err report(const struct fill *fill, double seconds)
{
    uint64_t n = (uint64_t)fill->options->customers * fill->options->events_each;
    json_t *bytes = json_object();
    for (uint32_t family = 0; family < VT__FAMILY_COUNT; family++)
        json_object_set_new(
            bytes, fill->profile->families[family].name,
            json_real((double)vt_store_family_bytes(fill->profile->store, family) / (double)n));
    return vt_command_print_json(json_pack("{s:I, s:f, s:o}", "events", (json_int_t)n,
                                           "events_per_s", (double)n / seconds, "bytes_per_event",
                                           bytes));
}

static struct vt_err run_fill(struct fill *fill, struct vt_diag *diag)
{
    const struct vt_profile_options options = {.data_dir = fill->options->data,
                                               .clock = &fill->clock.clock,
                                               .consent_default = true,
                                               .create = true};
    VT_TRY(make_slots(fill));
    VT_TRY(vt_profile_open(&options, diag, &fill->profile));
    VT_TRY(fill_items(fill));
    int64_t start_ns = bench_now_ns();
    VT_TRY(fill_events(fill));
    double seconds = (double)(bench_now_ns() - start_ns) * 1e-9;
    fprintf(stderr, "compacting\n");
    VT_TRY(compact_all(fill->profile->store, diag));
    return report(fill, seconds);
}

static int fill_command(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct fill_options *options = target;
    struct fill fill = {.options = options, .random = options->seed};
    struct vt_diag diag = {0};
    pthread_mutex_init(&fill.lock, NULL);
    pthread_cond_init(&fill.freed, NULL);
    vt_clock_fake_init(&fill.clock, FIRST_DAY_MS);
    struct vt_err err = run_fill(&fill, &diag);
    vt_profile_close(fill.profile);
    free_slots(&fill);
    pthread_cond_destroy(&fill.freed);
    pthread_mutex_destroy(&fill.lock);
    return vt_failed(err) ? vt_command_fail("vitrine-bench fill", err, &diag) : VT_EXIT_DONE;
}

/* clang-format off */
#define OPTION(name_, kind_, field_, argument_, fallback_, help_)                                  \
    .name = (name_), .kind = (kind_), .offset = offsetof(struct fill_options, field_),             \
    .argument = (argument_), .fallback = (fallback_), .help = (help_)

static const struct vt_option table[] = {
    {OPTION("data", VT_OPTION_TEXT, data, "DIR", NULL, "the folder to fill; new"),
     .required = true},
    {OPTION("customers", VT_OPTION_U32, customers, "N", "100000", "customers"),
     .min = 1, .max = 100000000},
    {OPTION("items", VT_OPTION_U32, items, "N", "100000", "items of the catalog"),
     .min = 1, .max = 999999},
    {OPTION("events", VT_OPTION_U32, events_each, "N", "50", "events of a customer, on average"),
     .min = 1, .max = 10000},
    {OPTION("days", VT_OPTION_U32, days, "N", "90", "that the events are spread over"),
     .min = 1, .max = 365},
    {OPTION("seed", VT_OPTION_U64, seed, "N", "1", "of the draws"), .min = 0, .max = 9e15},
};
/* clang-format on */

int bench_fill(int argc, char **argv)
{
    static const struct vt_options_spec spec = {
        .command = "vitrine-bench fill",
        .summary = "Makes a large store, and says as JSON what it takes on disk by family.",
        .example = "vitrine-bench fill --data DIR --customers 1000000 --items 100000",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
    };
    struct fill_options options = {0};
    return vt_command_run(&spec, argc, argv, &options, fill_command);
}
