/*
 * Plants dirt, so that the scorecard has something to find. A flaw marks an event and is made
 * visible when it is written; each kind has a rate per ten thousand events, and at least one is
 * planted where there are ten thousand events or more.
 */
#include "services/demo/storefront.h"

static const struct dirt_plan {
    const char *name;
    uint32_t per_10000; /* of the events; 0: planted elsewhere */
    bool added;         /* a further line; otherwise an event that is there is damaged */
} dirt_plans[VT_DIRT_COUNT] = {
    [VT_DIRT_DUPLICATE_EVENT] = {"duplicate_event", 30, true},
    [VT_DIRT_NEAR_DUPLICATE_EVENT] = {"near_duplicate_event", 10, true},
    [VT_DIRT_MISSING_ITEM] = {"missing_item", 10, true},
    [VT_DIRT_MISSING_CUSTOMER] = {"missing_customer", 8, true},
    [VT_DIRT_UNKNOWN_TYPE] = {"unknown_type", 5, true},
    [VT_DIRT_FUTURE_TIME] = {"future_time", 5, true},
    [VT_DIRT_ANCIENT_TIME] = {"ancient_time", 3, true},
    [VT_DIRT_LOCAL_TIME] = {"local_time", 10, false},
    [VT_DIRT_NEGATIVE_REVENUE] = {"negative_revenue", 5, true},
    [VT_DIRT_HUGE_QUANTITY] = {"huge_quantity", 2, true},
    [VT_DIRT_FOREIGN_CURRENCY] = {"foreign_currency", 10, false},
    [VT_DIRT_FEE_EVENT] = {"fee_event", 25, true},
    [VT_DIRT_BROKEN_LINE] = {"broken_line", 2, true},
    [VT_DIRT_BOT_EVENT] = {"bot_event", 0, true},
    [VT_DIRT_MESSY_TITLE] = {"messy_title", 0, false},
    [VT_DIRT_DUPLICATE_ITEM] = {"duplicate_item", 0, true},
};

enum { BOT_VISITORS = 2, BOT_VIEWS = 400, BOT_EVENTS_MIN = 50000 };

const char *vt_demo_dirt_name(enum vt_demo_dirt kind)
{
    return dirt_plans[kind].name;
}

/* Purchases carry the money that some flaws need. */
static bool needs_purchase(enum vt_demo_dirt kind)
{
    return kind == VT_DIRT_NEGATIVE_REVENUE || kind == VT_DIRT_HUGE_QUANTITY ||
           kind == VT_DIRT_FOREIGN_CURRENCY || kind == VT_DIRT_FEE_EVENT;
}

/* A clean event to damage or to copy; the last one looked at when luck is out. */
static uint64_t draw_event(const struct vt_demo_storefront *store, struct vt_random *random,
                           uint64_t n_clean, enum vt_demo_dirt kind)
{
    uint64_t index = 0;
    for (int attempt = 0; attempt < 200; attempt++) {
        index = vt_random_below(random, (uint32_t)n_clean);
        const struct vt_demo_event *event = &store->events[index];
        bool fits = !needs_purchase(kind) || event->type == VT_EVENT_PURCHASE;
        if (event->flaw == 0 && event->customer != UINT32_MAX && fits)
            break;
    }
    return index;
}

static struct vt_err plant(struct vt_demo_storefront *store, struct vt_random *random,
                           uint64_t n_clean, enum vt_demo_dirt kind)
{
    uint64_t index = draw_event(store, random, n_clean, kind);
    store->summary.dirt[kind]++;
    if (!dirt_plans[kind].added) {
        store->events[index].flaw = (uint8_t)(kind + 1);
        return vt_ok();
    }
    struct vt_demo_event copy = store->events[index];
    copy.flaw = (uint8_t)(kind + 1);
    VT_TRY(vt__demo_add_event(store, &copy));
    store->events[store->n_events - 1].order = (uint32_t)index; /* whose copy it is */
    return vt_ok();
}

/* A crawler: hundreds of views in a row, one every few seconds. */
static struct vt_err plant_bots(struct vt_demo_storefront *store, struct vt_random *random)
{
    for (int bot = 0; bot < BOT_VISITORS; bot++) {
        struct vt_demo_event view = {.customer = UINT32_MAX,
                                     .visitor = ++store->n_visitors,
                                     .type = VT_EVENT_VIEW,
                                     .flaw = VT_DIRT_BOT_EVENT + 1};
        uint32_t day = vt_random_below(random, store->options->n_days);
        view.time_ms = store->first_day_ms + (int64_t)day * 86400000;
        for (int i = 0; i < BOT_VIEWS; i++) {
            view.time_ms += vt_random_between(random, 1500, 2500);
            view.item = vt_random_below(random, store->options->n_items);
            VT_TRY(vt__demo_add_event(store, &view));
            store->summary.dirt[VT_DIRT_BOT_EVENT]++;
        }
    }
    return vt_ok();
}

struct vt_err vt__demo_plant_dirt(struct vt_demo_storefront *store)
{
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 4);
    uint64_t n_clean = store->n_events;
    for (int kind = 0; kind < VT_DIRT_COUNT; kind++) {
        uint64_t n = n_clean * dirt_plans[kind].per_10000 / 10000;
        for (uint64_t i = 0; i < n; i++)
            VT_TRY(plant(store, &random, n_clean, (enum vt_demo_dirt)kind));
    }
    return n_clean >= BOT_EVENTS_MIN ? plant_bots(store, &random) : vt_ok();
}
