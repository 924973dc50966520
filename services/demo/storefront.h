#ifndef VT_DEMO_STOREFRONT_H
#define VT_DEMO_STOREFRONT_H

#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/time_text.h"
#include "services/demo/demo.h"
#include "services/demo/random.h"

#include <stdbool.h>
#include <stdint.h>

/* What the parts of the generator share: the world they build, one after the other. */

enum {
    VT_DEMO_STYLES = 12,
    VT_DEMO_CLUSTERS = 40,
    VT_DEMO_FAVOURITES = 5, /* categories a taste cluster loves */
    VT_DEMO_CHANNELS = 4,
    VT_DEMO_RECENT = 8, /* consumables a customer remembers for buying again */
};

enum vt_demo_season { VT_SEASON_NONE, VT_SEASON_SUMMER, VT_SEASON_WINTER, VT_SEASON_CHRISTMAS };

struct vt_demo_category {
    const char *department, *name;
    const char *nouns[4];
    uint32_t min_cents, max_cents;
    enum vt_demo_season season;
    bool consumable;
    uint32_t goes_with; /* index of the category bought along */
};
extern const struct vt_demo_category vt_demo_categories[];
extern const uint32_t vt_demo_n_categories;
extern const char *const vt_demo_style_names[VT_DEMO_STYLES];

struct vt_demo_channel {
    const char *id, *name;
    double cost_per_day, cost_per_order;
    double share; /* of customers who prefer it */
};
extern const struct vt_demo_channel vt_demo_channels[VT_DEMO_CHANNELS];

struct vt_demo_item {
    uint32_t category, style, color, noun, edition;
    uint32_t price_cents, cost_cents;
    int32_t stock;
    int32_t from_day, until_day; /* of the generated span; INT32_MIN: open */
};

/* A kind of taste: favourite categories with weights, and two loved styles. For each favourite the
 * running totals over its category's items are kept, so that a draw is a binary search. */
struct vt_demo_cluster {
    uint32_t categories[VT_DEMO_FAVOURITES];
    double weights[VT_DEMO_FAVOURITES];
    uint32_t styles[2];
    double *item_totals[VT_DEMO_FAVOURITES]; /* owned */
};

enum vt_demo_life { VT_LIFE_LOYAL, VT_LIFE_OCCASIONAL, VT_LIFE_NEW, VT_LIFE_LEAVING };

struct vt_demo_customer {
    uint32_t clusters[2]; /* the first two visits out of three */
    enum vt_demo_life life;
    uint32_t channel;
    uint32_t first_day, last_day;
    double visits_per_day;
    int consent; /* 0 silent, 1 granted, 2 denied */
    uint32_t n_purchases;
};

struct vt_demo_event {
    int64_t time_ms;
    uint32_t customer; /* index; UINT32_MAX: nobody, `visitor` only */
    uint32_t visitor;  /* 0: none */
    uint32_t item;     /* index; UINT32_MAX: none */
    uint32_t order;    /* ties of time: the order they were made in; of a copy: its original */
    uint32_t revenue_cents;
    uint16_t quantity;
    uint8_t type, channel, value, flaw; /* flaw: vt_demo_dirt + 1, 0 clean */
};

struct vt_demo_storefront {
    const struct vt_demo_options *options;
    int64_t first_day_ms; /* midnight UTC */
    struct vt_demo_item *items;
    uint32_t *category_starts; /* items are grouped by category: n_categories + 1 */
    struct vt_demo_cluster clusters[VT_DEMO_CLUSTERS];
    struct vt_demo_customer *customers;
    struct vt_demo_event *events;
    uint64_t n_events, capacity;
    uint32_t n_visitors;
    struct vt_demo_summary summary;
};

/* catalog.c */
VT_MUST_USE struct vt_err vt__demo_make_items(struct vt_demo_storefront *store);
/* tastes.c */
VT_MUST_USE struct vt_err vt__demo_make_clusters(struct vt_demo_storefront *store);
VT_MUST_USE struct vt_err vt__demo_make_customers(struct vt_demo_storefront *store);
/* An item this customer may want on this day: by cluster, season, style and popularity. */
uint32_t vt__demo_wanted_item(const struct vt_demo_storefront *store, struct vt_random *random,
                              const struct vt_demo_customer *customer, uint32_t day);
/* An item bought along with `item`: of the partner category, of the same style where there is one.
 */
uint32_t vt__demo_partner_item(const struct vt_demo_storefront *store, struct vt_random *random,
                               uint32_t item);
/* calendar.c: how strongly a season's goods are wanted on that day, 1 on average. */
double vt__demo_season_weight(enum vt_demo_season season, int64_t day_ms);
/* A moment of the day by the hours people shop. */
int64_t vt__demo_time_of_day_ms(struct vt_random *random, int64_t day_ms);
bool vt__demo_parse_day(const char *text, int64_t *ret_day_ms); /* "2026-06-30" */
void vt__demo_format_time(int64_t time_ms, bool with_zone, char ret_text[VT_TIME_TEXT_BYTES]);
/* visits.c */
VT_MUST_USE struct vt_err vt__demo_make_events(struct vt_demo_storefront *store);
VT_MUST_USE struct vt_err vt__demo_add_event(struct vt_demo_storefront *store,
                                             const struct vt_demo_event *event);
/* dirt.c: marks and adds flawed events after the clean ones are sorted. */
VT_MUST_USE struct vt_err vt__demo_plant_dirt(struct vt_demo_storefront *store);
/* write.c */
VT_MUST_USE struct vt_err vt__demo_write(struct vt_demo_storefront *store, struct vt_diag *diag);

#endif
