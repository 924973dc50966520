/*
 * Makes the items, grouped by category. Within a category an item's place is its popularity rank:
 * the first ones are the best sellers.
 */
#include "services/demo/storefront.h"

#include <limits.h>
#include <stdlib.h>

enum { COLORS = 12, NOUNS = 4, COMBINATIONS = VT_DEMO_STYLES * COLORS * NOUNS };

/* Prices as shops write them: x.49 and x.99 below ten, x.90 above. */
static uint32_t friendly_price(double cents)
{
    if (cents < 1000)
        return (uint32_t)cents / 50 * 50 + 49;
    return (uint32_t)cents / 100 * 100 + 90;
}

/* The minimum of two uniforms: many cheap items, few dear ones. */
static uint32_t draw_price(struct vt_random *random, const struct vt_demo_category *category)
{
    double first = vt_random_unit(random), second = vt_random_unit(random);
    double place = first < second ? first : second;
    return friendly_price(category->min_cents +
                          place * (category->max_cents - category->min_cents));
}

static int32_t draw_stock(struct vt_random *random)
{
    if (vt_random_chance(random, 0.03))
        return 0;
    return (int32_t)vt_random_between(random, 3, vt_random_chance(random, 0.2) ? 600 : 90);
}

/* One in fifty is not on sale yet, one in fifty not any more. */
static void draw_window(struct vt_random *random, uint32_t n_days, struct vt_demo_item *item)
{
    item->from_day = item->until_day = INT32_MIN;
    double draw = vt_random_unit(random);
    if (draw < 0.02)
        item->from_day = (int32_t)(n_days + vt_random_between(random, 10, 60));
    else if (draw < 0.04)
        item->until_day = (int32_t)(n_days - vt_random_below(random, n_days / 3 + 1));
}

/* `shuffled` holds all combinations of style, color and noun in this category's random order. */
static void make_item(struct vt_random *random, const struct vt_demo_storefront *store,
                      uint32_t category, uint32_t place, const uint32_t *shuffled,
                      struct vt_demo_item *item)
{
    uint32_t combination = shuffled[place % COMBINATIONS];
    item->category = category;
    item->style = combination % VT_DEMO_STYLES;
    item->color = combination / VT_DEMO_STYLES % COLORS;
    item->noun = combination / (VT_DEMO_STYLES * COLORS);
    item->edition = place / COMBINATIONS;
    item->price_cents = draw_price(random, &vt_demo_categories[category]);
    item->cost_cents = item->price_cents * vt_random_between(random, 38, 72) / 100;
    item->stock = draw_stock(random);
    draw_window(random, store->options->n_days, item);
}

static void shuffle(struct vt_random *random, uint32_t *numbers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j = vt_random_below(random, i + 1), kept = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = kept;
    }
}

struct vt_err vt__demo_make_items(struct vt_demo_storefront *store)
{
    uint32_t n_items = store->options->n_items, n_categories = vt_demo_n_categories;
    store->items = calloc(n_items, sizeof *store->items);
    store->category_starts = calloc(n_categories + 1, sizeof *store->category_starts);
    VT_CHECK(store->items != NULL && store->category_starts != NULL, VT_EXHAUSTED,
             "no memory for the items");
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 1);
    uint32_t shuffled[COMBINATIONS], at = 0;
    for (uint32_t category = 0; category < n_categories; category++) {
        uint32_t end = (uint32_t)((uint64_t)n_items * (category + 1) / n_categories);
        store->category_starts[category] = at;
        shuffle(&random, shuffled, COMBINATIONS);
        for (uint32_t place = 0; at < end; at++, place++)
            make_item(&random, store, category, place, shuffled, &store->items[at]);
    }
    store->category_starts[n_categories] = n_items;
    return vt_ok();
}
