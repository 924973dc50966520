/* A generator that draws each event by itself; popularity falls with the square of a uniform draw,
 * which gives the busiest tenth of items about a third of the events. */
#include "tests/perf/ingest_shop.h"

#include "models/dataset/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 64, ID_BYTES = 37, EVENTS_PER_CUSTOMER = 50, CUSTOMERS_MIN = 100 };

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    return vt_mix64(*state += VT_MIX64_STEP);
}

static double uniform(uint64_t *state)
{
    return (double)(draw(state) >> 11) * 0x1p-53;
}

static enum vt_event_type draw_type(uint64_t *state)
{
    double share = uniform(state);
    if (share < .70)
        return VT_EVENT_VIEW;
    if (share < .85)
        return VT_EVENT_CLICK;
    if (share < .90)
        return VT_EVENT_IMPRESSION;
    return share < .95 ? VT_EVENT_CART : VT_EVENT_PURCHASE;
}

static void draw_event(const struct ingest_shop *shop, uint64_t *state, char *text,
                       struct vt_event *event)
{
    uint64_t a = draw(state), b = draw(state);
    unsigned customer = (unsigned)(draw(state) % shop->n_customers);
    double popular = uniform(state);
    unsigned item = (unsigned)(popular * popular * INGEST_ITEMS);
    snprintf(text, ID_BYTES, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xFFFF, (unsigned)a & 0xFFF, (unsigned)(b >> 48),
             (unsigned long long)(b & 0xFFFFFFFFFFFF));
    snprintf(text + ID_BYTES, 10, "C%07u", customer);
    snprintf(text + ID_BYTES + 10, 10, "SKU%05u", item);
    event->event_id = vt_slice_str(text);
    event->customer_id = vt_slice_str(text + ID_BYTES);
    event->item_id = vt_slice_str(text + ID_BYTES + 10);
    event->channel = vt_slice_str("web");
    event->type = draw_type(state);
    if (event->type != VT_EVENT_PURCHASE)
        return;
    event->quantity = 1;
    event->revenue = 5 + floor(uniform(state) * 9500) / 100;
    event->currency_code = vt_slice_str("EUR");
}

struct vt_err ingest_shop_new(uint32_t n_events, uint64_t seed, int64_t now_ms,
                              struct ingest_shop *ret_shop)
{
    struct ingest_shop shop = {.n_events = n_events,
                               .n_customers = n_events / EVENTS_PER_CUSTOMER + CUSTOMERS_MIN,
                               .events = calloc(n_events, sizeof *shop.events),
                               .texts = malloc((size_t)n_events * TEXT_BYTES)};
    if (shop.events == NULL || shop.texts == NULL) {
        ingest_shop_free(&shop);
        return VT_ERR(VT_EXHAUSTED, "no memory for so many events");
    }
    for (uint32_t i = 0; i < n_events; i++) {
        draw_event(&shop, &seed, shop.texts + (size_t)i * TEXT_BYTES, &shop.events[i]);
        shop.events[i].time_ms = now_ms - (int64_t)(n_events - i) * 10;
    }
    *ret_shop = shop;
    return vt_ok();
}

void ingest_shop_free(struct ingest_shop *shop)
{
    free(shop->events);
    free(shop->texts);
    *shop = (struct ingest_shop){0};
}
