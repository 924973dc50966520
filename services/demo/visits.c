/*
 * What happens in the shop: each customer comes on some days, looks at a few items, puts some in
 * the cart, buys, comes back for what is used up, rates and returns. Each customer draws from a
 * stream of their own, so that one more customer changes nobody else. Events are sorted by time at
 * the end.
 */
#include "services/demo/storefront.h"

#include <stdlib.h>

enum { CHANNEL_WEB = 0, CHANNEL_APP = 1, CHANNEL_SOCIAL = 2, CHANNEL_POS = 3, CART_MAX = 8 };

/* One customer's visit under way. */
struct visit {
    struct vt_demo_storefront *store;
    struct vt_random *random;
    struct vt_demo_customer *customer;
    struct vt_demo_event base; /* who, where, when: copied into each event */
    uint32_t day;
    uint32_t cart[CART_MAX], n_cart;
};

struct vt_err vt__demo_add_event(struct vt_demo_storefront *store,
                                 const struct vt_demo_event *event)
{
    if (store->n_events == store->capacity) {
        uint64_t capacity = store->capacity == 0 ? 1 << 16 : store->capacity * 2;
        struct vt_demo_event *grown = realloc(store->events, capacity * sizeof *grown);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "no memory for the events");
        store->events = grown;
        store->capacity = capacity;
    }
    store->events[store->n_events] = *event;
    store->events[store->n_events].order = (uint32_t)store->n_events;
    store->n_events++;
    return vt_ok();
}

/* Adds an event of the visit and lets some seconds pass. */
static struct vt_err happen(struct visit *visit, enum vt_event_type type, uint32_t item)
{
    struct vt_demo_event event = visit->base;
    event.type = (uint8_t)type;
    event.item = item;
    visit->base.time_ms += vt_random_between(visit->random, 4000, 90000);
    return vt__demo_add_event(visit->store, &event);
}

static struct vt_err buy(struct visit *visit, uint32_t item)
{
    struct vt_demo_event event = visit->base;
    event.type = VT_EVENT_PURCHASE;
    event.item = item;
    event.quantity =
        (uint16_t)(vt_random_chance(visit->random, 0.2) ? vt_random_between(visit->random, 2, 6)
                                                        : 1);
    event.revenue_cents = event.quantity * visit->store->items[item].price_cents;
    VT_TRY(vt__demo_add_event(visit->store, &event));
    visit->store->summary.n_purchases++;
    visit->customer->n_purchases++;
    bool sent_back = vt_random_chance(visit->random, 0.04);
    bool rated = vt_random_chance(visit->random, 0.08);
    if (sent_back) {
        event.type = VT_EVENT_RETURN;
        event.time_ms += (int64_t)vt_random_between(visit->random, 2, 14) * 86400000;
        VT_TRY(vt__demo_add_event(visit->store, &event));
    }
    if (rated) {
        event.type = VT_EVENT_RATING;
        event.quantity = 0;
        event.revenue_cents = 0;
        event.value = (uint8_t)(sent_back ? vt_random_between(visit->random, 1, 2)
                                          : 5 - vt_random_below(visit->random, 3) *
                                                    vt_random_below(visit->random, 2));
        event.time_ms += (int64_t)vt_random_between(visit->random, 3, 20) * 86400000;
        VT_TRY(vt__demo_add_event(visit->store, &event));
    }
    return vt_ok();
}

/* Looks at an item on a screen: the product page, perhaps a heart, perhaps into the cart. */
static struct vt_err look_at(struct visit *visit, uint32_t item)
{
    if (vt_random_chance(visit->random, 0.10))
        VT_TRY(happen(visit, VT_EVENT_IMPRESSION, item));
    if (visit->base.channel == CHANNEL_SOCIAL || vt_random_chance(visit->random, 0.15))
        VT_TRY(happen(visit, VT_EVENT_CLICK, item));
    VT_TRY(happen(visit, VT_EVENT_VIEW, item));
    double draw = vt_random_unit(visit->random);
    if (draw < 0.05)
        return happen(visit, VT_EVENT_FAVOURITE, item);
    if (draw < 0.08)
        return happen(visit, VT_EVENT_LIKE, item);
    if (draw < 0.09)
        return happen(visit, VT_EVENT_DISLIKE, item);
    if (draw < 0.33 && visit->n_cart < CART_MAX) {
        visit->cart[visit->n_cart++] = item;
        return happen(visit, VT_EVENT_CART, item);
    }
    return vt_ok();
}

static struct vt_err check_out(struct visit *visit)
{
    bool buys = vt_random_chance(visit->random, 0.62);
    for (uint32_t i = 0; i < visit->n_cart; i++) {
        if (buys)
            VT_TRY(buy(visit, visit->cart[i]));
        else if (vt_random_chance(visit->random, 0.15))
            VT_TRY(happen(visit, VT_EVENT_CART_REMOVE, visit->cart[i]));
    }
    return vt_ok();
}

/* At the till only the purchases are seen. */
static struct vt_err shop_at_till(struct visit *visit)
{
    uint32_t n = vt_random_between(visit->random, 1, 4);
    uint32_t item = vt__demo_wanted_item(visit->store, visit->random, visit->customer, visit->day);
    for (uint32_t i = 0; i < n; i++) {
        VT_TRY(buy(visit, item));
        item = vt_random_chance(visit->random, 0.4)
                   ? vt__demo_partner_item(visit->store, visit->random, item)
                   : vt__demo_wanted_item(visit->store, visit->random, visit->customer, visit->day);
    }
    return vt_ok();
}

static struct vt_err shop_on_screen(struct visit *visit)
{
    uint32_t n = 1 + vt_random_below(visit->random, 3) + vt_random_below(visit->random, 3);
    uint32_t item = vt__demo_wanted_item(visit->store, visit->random, visit->customer, visit->day);
    for (uint32_t i = 0; i < n; i++) {
        VT_TRY(look_at(visit, item));
        item = vt_random_chance(visit->random, 0.25)
                   ? vt__demo_partner_item(visit->store, visit->random, item)
                   : vt__demo_wanted_item(visit->store, visit->random, visit->customer, visit->day);
    }
    return check_out(visit);
}

/* Tea and soap run out: one visit in three buys one of the last consumables again. */
static struct vt_err buy_again(struct visit *visit, const uint32_t recent[VT_DEMO_RECENT],
                               uint32_t n_recent)
{
    if (n_recent == 0 || !vt_random_chance(visit->random, 0.33))
        return vt_ok();
    uint32_t n = n_recent < VT_DEMO_RECENT ? n_recent : VT_DEMO_RECENT;
    return buy(visit, recent[vt_random_below(visit->random, n)]);
}

/* Notes the consumables among the events added since `first`. */
static void remember_consumables(const struct vt_demo_storefront *store, uint64_t first,
                                 uint32_t recent[VT_DEMO_RECENT], uint32_t *n_recent)
{
    for (uint64_t i = first; i < store->n_events; i++) {
        const struct vt_demo_event *event = &store->events[i];
        if (event->type == VT_EVENT_PURCHASE &&
            vt_demo_categories[store->items[event->item].category].consumable)
            recent[(*n_recent)++ % VT_DEMO_RECENT] = event->item;
    }
}

static void begin_visit(struct visit *visit, uint32_t index)
{
    uint32_t usual = visit->customer->channel;
    bool elsewhere = vt_random_chance(visit->random, 0.15);
    visit->base = (struct vt_demo_event){
        .customer = index,
        .channel = (uint8_t)(elsewhere ? vt_random_below(visit->random, VT_DEMO_CHANNELS) : usual),
        .time_ms = vt__demo_time_of_day_ms(visit->random, visit->store->first_day_ms +
                                                              (int64_t)visit->day * 86400000),
    };
    /* Not everybody signs in at once: some visits are known by cookie only. */
    if (visit->base.channel <= CHANNEL_APP && vt_random_chance(visit->random, 0.08)) {
        visit->base.customer = UINT32_MAX;
        visit->base.visitor = ++visit->store->n_visitors;
    }
}

static struct vt_err live(struct vt_demo_storefront *store, uint32_t index)
{
    struct vt_demo_customer *customer = &store->customers[index];
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 1000 + (uint64_t)index);
    uint32_t recent[VT_DEMO_RECENT], n_recent = 0;
    for (uint32_t day = customer->first_day; day <= customer->last_day; day++) {
        if (!vt_random_chance(&random, customer->visits_per_day))
            continue;
        struct visit visit = {.store = store, .random = &random, .customer = customer, .day = day};
        uint64_t first = store->n_events;
        begin_visit(&visit, index);
        VT_TRY(buy_again(&visit, recent, n_recent));
        VT_TRY(visit.base.channel == CHANNEL_POS ? shop_at_till(&visit) : shop_on_screen(&visit));
        remember_consumables(store, first, recent, &n_recent);
    }
    return vt_ok();
}

static int by_time(const void *left, const void *right)
{
    const struct vt_demo_event *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Returns and ratings of the last days would lie after the end: they have not happened yet. */
static void sort_and_cut(struct vt_demo_storefront *store)
{
    int64_t end_ms = store->first_day_ms + (int64_t)store->options->n_days * 86400000;
    qsort(store->events, store->n_events, sizeof *store->events, by_time);
    while (store->n_events > 0 && store->events[store->n_events - 1].time_ms >= end_ms)
        store->n_events--;
}

struct vt_err vt__demo_make_events(struct vt_demo_storefront *store)
{
    for (uint32_t i = 0; i < store->options->n_customers; i++)
        VT_TRY(live(store, i));
    VT_CHECK(store->n_events != 0, VT_INVALID,
             "nobody visited: more customers or more days are needed");
    sort_and_cut(store);
    return vt_ok();
}
