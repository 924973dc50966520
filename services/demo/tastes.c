/*
 * Who wants what. Taste clusters give the recommender something to find: a customer belongs to two,
 * each loves a few categories and two styles, so what one customer of a cluster bought tells about
 * the others. Within a category popularity falls like 1/(rank + 4), and a loved style counts eight
 * times.
 */
#include "services/demo/storefront.h"

#include <stdio.h>
#include <stdlib.h>

static const double STYLE_LOVE = 8.0;
static const double OFF_TASTE_SHARE = 0.10; /* draws from anywhere */

static struct vt_err fill_totals(const struct vt_demo_storefront *store,
                                 struct vt_demo_cluster *cluster, uint32_t favourite)
{
    uint32_t category = cluster->categories[favourite];
    uint32_t start = store->category_starts[category], end = store->category_starts[category + 1];
    double *totals = calloc(end - start + 1, sizeof *totals);
    VT_CHECK(totals != NULL, VT_EXHAUSTED, "no memory for the tastes");
    double sum = 0;
    for (uint32_t i = start; i < end; i++) {
        uint32_t style = store->items[i].style;
        bool loved = style == cluster->styles[0] || style == cluster->styles[1];
        sum += (loved ? STYLE_LOVE : 1.0) / (i - start + 4);
        totals[i - start] = sum;
    }
    cluster->item_totals[favourite] = totals;
    return vt_ok();
}

struct vt_err vt__demo_make_clusters(struct vt_demo_storefront *store)
{
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 2);
    for (uint32_t c = 0; c < VT_DEMO_CLUSTERS; c++) {
        struct vt_demo_cluster *cluster = &store->clusters[c];
        cluster->styles[0] = vt_random_below(&random, VT_DEMO_STYLES);
        cluster->styles[1] = vt_random_below(&random, VT_DEMO_STYLES);
        for (uint32_t f = 0; f < VT_DEMO_FAVOURITES; f++) {
            cluster->categories[f] = vt_random_below(&random, vt_demo_n_categories);
            cluster->weights[f] = 0.3 + vt_random_unit(&random);
            VT_TRY(fill_totals(store, cluster, f));
        }
    }
    return vt_ok();
}

static const struct life_plan {
    double share, visits_per_day;
} life_plans[] = {
    [VT_LIFE_LOYAL] = {0.20, 0.11},
    [VT_LIFE_OCCASIONAL] = {0.50, 0.03},
    [VT_LIFE_NEW] = {0.16, 0.08},
    [VT_LIFE_LEAVING] = {0.14, 0.10},
};

static enum vt_demo_life draw_life(struct vt_random *random)
{
    double draw = vt_random_unit(random);
    for (int life = VT_LIFE_LOYAL; life < VT_LIFE_LEAVING; life++) {
        if (draw < life_plans[life].share)
            return (enum vt_demo_life)life;
        draw -= life_plans[life].share;
    }
    return VT_LIFE_LEAVING;
}

static uint32_t draw_channel(struct vt_random *random)
{
    double totals[VT_DEMO_CHANNELS], sum = 0;
    for (int i = 0; i < VT_DEMO_CHANNELS; i++)
        totals[i] = sum += vt_demo_channels[i].share;
    return vt_random_pick(random, totals, VT_DEMO_CHANNELS);
}

static void make_customer(struct vt_random *random, uint32_t n_days,
                          struct vt_demo_customer *customer)
{
    customer->clusters[0] = vt_random_below(random, VT_DEMO_CLUSTERS);
    customer->clusters[1] = vt_random_below(random, VT_DEMO_CLUSTERS);
    customer->life = draw_life(random);
    customer->channel = draw_channel(random);
    customer->last_day = n_days - 1;
    if (customer->life == VT_LIFE_NEW)
        customer->first_day = n_days * 2 / 3 + vt_random_below(random, n_days / 3 + 1);
    if (customer->life == VT_LIFE_LEAVING)
        customer->last_day = vt_random_below(random, n_days * 2 / 3 + 1);
    /* Some come twice as often as others of their kind. */
    customer->visits_per_day =
        life_plans[customer->life].visits_per_day * (0.4 + 1.2 * vt_random_unit(random));
    double draw = vt_random_unit(random);
    customer->consent = draw < 0.92 ? 1 : draw < 0.95 ? 2 : 0;
}

struct vt_err vt__demo_make_customers(struct vt_demo_storefront *store)
{
    uint32_t n = store->options->n_customers;
    store->customers = calloc(n, sizeof *store->customers);
    VT_CHECK(store->customers != NULL, VT_EXHAUSTED, "no memory for the customers");
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 3);
    for (uint32_t i = 0; i < n; i++)
        make_customer(&random, store->options->n_days, &store->customers[i]);
    return vt_ok();
}

/* Any item, best sellers of each category first. */
static uint32_t item_of_category(const struct vt_demo_storefront *store, struct vt_random *random,
                                 uint32_t category)
{
    uint32_t start = store->category_starts[category];
    uint32_t n = store->category_starts[category + 1] - start;
    double squared = vt_random_unit(random);
    return start + (uint32_t)(squared * squared * n);
}

static uint32_t non_empty_category(const struct vt_demo_storefront *store, struct vt_random *random)
{
    for (;;) {
        uint32_t category = vt_random_below(random, vt_demo_n_categories);
        if (store->category_starts[category] < store->category_starts[category + 1])
            return category;
    }
}

uint32_t vt__demo_wanted_item(const struct vt_demo_storefront *store, struct vt_random *random,
                              const struct vt_demo_customer *customer, uint32_t day)
{
    const struct vt_demo_cluster *cluster =
        &store->clusters[customer->clusters[vt_random_chance(random, 2.0 / 3) ? 0 : 1]];
    int64_t day_ms = store->first_day_ms + (int64_t)day * 86400000;
    double totals[VT_DEMO_FAVOURITES], sum = 0;
    for (uint32_t f = 0; f < VT_DEMO_FAVOURITES; f++) {
        enum vt_demo_season season = vt_demo_categories[cluster->categories[f]].season;
        totals[f] = sum += cluster->weights[f] * vt__demo_season_weight(season, day_ms);
    }
    uint32_t favourite = vt_random_pick(random, totals, VT_DEMO_FAVOURITES);
    uint32_t category = cluster->categories[favourite];
    uint32_t start = store->category_starts[category];
    uint32_t n = store->category_starts[category + 1] - start;
    if (n == 0 || vt_random_chance(random, OFF_TASTE_SHARE))
        return item_of_category(store, random, non_empty_category(store, random));
    return start + vt_random_pick(random, cluster->item_totals[favourite], n);
}

uint32_t vt__demo_partner_item(const struct vt_demo_storefront *store, struct vt_random *random,
                               uint32_t item)
{
    uint32_t category = vt_demo_categories[store->items[item].category].goes_with;
    if (store->category_starts[category] == store->category_starts[category + 1])
        return item;
    uint32_t partner = item_of_category(store, random, category);
    for (int attempt = 0; attempt < 6; attempt++) {
        if (store->items[partner].style == store->items[item].style)
            break;
        partner = item_of_category(store, random, category);
    }
    return partner;
}
