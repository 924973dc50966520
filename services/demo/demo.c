/*
 * The generator from top to bottom: items, tastes, customers, their visits, dirt, files. One
 * thread, no clock, no libm in what decides a byte.
 */
#include "services/demo/demo.h"

#include "services/common/base/file.h"
#include "services/demo/storefront.h"

#include <stdio.h>
#include <stdlib.h>

enum { CUSTOMERS_MAX = 10000000, ITEMS_MIN = 100, ITEMS_MAX = 2000000, DAYS_MAX = 1500 };

static struct vt_err check_range(const char *field, uint32_t value, uint32_t min, uint32_t max,
                                 struct vt_diag *diag)
{
    if (value >= min && value <= max)
        return vt_ok();
    vt_diag_set(diag, field, "%u, must be %u to %u", value, min, max);
    return VT_ERR(VT_INVALID, "an option is out of range");
}

static struct vt_err check(const struct vt_demo_options *options, struct vt_diag *diag,
                           int64_t *ret_first_day_ms)
{
    VT_TRY(check_range("customers", options->n_customers, 1, CUSTOMERS_MAX, diag));
    VT_TRY(check_range("items", options->n_items, ITEMS_MIN, ITEMS_MAX, diag));
    VT_TRY(check_range("days", options->n_days, 7, DAYS_MAX, diag));
    int64_t last_day_ms;
    if (!vt__demo_parse_day(options->last_day, &last_day_ms)) {
        vt_diag_set(diag, "last-day", "'%s' is not a date like 2026-06-30", options->last_day);
        return VT_ERR(VT_INVALID, "an option is not a date");
    }
    *ret_first_day_ms = last_day_ms - (int64_t)(options->n_days - 1) * 86400000;
    return vt_ok();
}

static void name_busiest(struct vt_demo_storefront *store)
{
    uint32_t best = 0, most = 0;
    for (uint32_t i = 0; i < store->options->n_customers; i++) {
        const struct vt_demo_customer *customer = &store->customers[i];
        if (customer->n_purchases > most && customer->consent == 1) {
            best = i;
            most = customer->n_purchases;
        }
    }
    snprintf(store->summary.busiest_customer, sizeof store->summary.busiest_customer, "C%06u",
             best + 1);
}

static struct vt_err generate(struct vt_demo_storefront *store, struct vt_diag *diag)
{
    VT_TRY(vt_folder_create(store->options->out_dir, diag));
    VT_TRY(vt__demo_make_items(store));
    VT_TRY(vt__demo_make_clusters(store));
    VT_TRY(vt__demo_make_customers(store));
    VT_TRY(vt__demo_make_events(store));
    VT_TRY(vt__demo_plant_dirt(store));
    name_busiest(store);
    return vt__demo_write(store, diag);
}

static void release(struct vt_demo_storefront *store)
{
    for (int c = 0; c < VT_DEMO_CLUSTERS; c++)
        for (int f = 0; f < VT_DEMO_FAVOURITES; f++)
            free(store->clusters[c].item_totals[f]);
    free(store->items);
    free(store->category_starts);
    free(store->customers);
    free(store->events);
    free(store);
}

struct vt_err vt_demo_generate(const struct vt_demo_options *options, struct vt_diag *diag,
                               struct vt_demo_summary *ret_summary)
{
    int64_t first_day_ms;
    VT_TRY(check(options, diag, &first_day_ms));
    struct vt_demo_storefront *store = calloc(1, sizeof *store);
    VT_CHECK(store != NULL, VT_EXHAUSTED, "no memory for the storefront");
    store->options = options;
    store->first_day_ms = first_day_ms;
    struct vt_err err = generate(store, diag);
    if (!vt_failed(err))
        *ret_summary = store->summary;
    release(store);
    return err;
}
