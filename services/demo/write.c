/*
 * Writes the storefront as JSON lines, docs/data-formats.md, through jansson. Added flawed lines
 * stand at the end of events.jsonl, as late deliveries do.
 */
#include "services/demo/storefront.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSY_TITLE_EVERY = 97, DUPLICATE_ITEM_EVERY = 211, LINE_FLAGS = JSON_COMPACT };
static const size_t REAL_DIGITS = JSON_REAL_PRECISION(12);

/* A file being written, with its first error. */
struct output {
    FILE *file;
    char path[4096];
    uint64_t n_lines;
    bool failed;
};

static struct vt_err output_open(const struct vt_demo_storefront *store, const char *name,
                                 struct vt_diag *diag, struct output *out)
{
    *out = (struct output){0};
    snprintf(out->path, sizeof out->path, "%s/%s", store->options->out_dir, name);
    out->file = fopen(out->path, "w");
    if (out->file != NULL)
        return vt_ok();
    vt_diag_set(diag, "out", "%s: %s", out->path, strerror(errno));
    return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write a file of the storefront");
}

static struct vt_err output_close(struct output *out, struct vt_diag *diag)
{
    bool failed = out->failed || ferror(out->file) != 0;
    if (fclose(out->file) == 0 && !failed)
        return vt_ok();
    vt_diag_set(diag, "out", "%s: %s", out->path, strerror(errno));
    return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write a file of the storefront");
}

/* Writes the line and releases the object; `keep_bytes` cuts it short, 0 writes it whole. */
static void put_line(struct output *out, json_t *object, size_t keep_bytes)
{
    char *text = object != NULL ? json_dumps(object, LINE_FLAGS | REAL_DIGITS) : NULL;
    json_decref(object);
    if (text == NULL) {
        out->failed = true;
        return;
    }
    if (keep_bytes != 0 && keep_bytes < strlen(text))
        text[keep_bytes] = '\0';
    fprintf(out->file, "%s\n", text);
    out->n_lines++;
    free(text);
}

static json_t *money(uint64_t cents)
{
    return json_real((double)cents / 100.0);
}

/* ---- items ---- */

static const char *const color_names[] = {"Blue", "Red",  "Green", "Grey",  "Ivory", "Black",
                                          "Sand", "Teal", "Amber", "Coral", "Mint",  "Plum"};
static const char *const brand_names[] = {"Alder & Finch", "Bergwerk", "Casa Luz", "Dahl",
                                          "Elm Street",    "Fjordhus", "Güntner",  "Hazel"};

static void format_sku(uint32_t item, const struct vt_demo_storefront *store, char ret_sku[24])
{
    const struct vt_demo_category *category = &vt_demo_categories[store->items[item].category];
    snprintf(ret_sku, 24, "%.2s%02u-%05u", category->department, store->items[item].category,
             item + 1);
    ret_sku[1] = (char)(ret_sku[1] - 'a' + 'A');
}

static void format_title(const struct vt_demo_item *item, bool messy, char ret_title[128])
{
    const struct vt_demo_category *category = &vt_demo_categories[item->category];
    const char *gap = messy ? "  " : " ";
    int len = snprintf(ret_title, 128, "%s%s%s %s", vt_demo_style_names[item->style], gap,
                       color_names[item->color], category->nouns[item->noun]);
    if (item->edition != 0)
        len += snprintf(ret_title + len, 128 - (size_t)len, " No. %u", item->edition + 1);
    if (messy)
        snprintf(ret_title + len, 128 - (size_t)len, " cafe\xCC\x81 "); /* e + combining acute */
}

static void put_time(json_t *object, const char *key, int64_t time_ms)
{
    char text[VT_TIME_TEXT_BYTES];
    vt__demo_format_time(time_ms, true, text);
    json_object_set_new(object, key, json_string(text));
}

static void put_window(json_t *object, const struct vt_demo_storefront *store,
                       const struct vt_demo_item *item)
{
    if (item->from_day != INT32_MIN)
        put_time(object, "available_from",
                 store->first_day_ms + item->from_day * INT64_C(86400000));
    if (item->until_day != INT32_MIN)
        put_time(object, "available_until",
                 store->first_day_ms + item->until_day * INT64_C(86400000));
}

static json_t *item_object(const struct vt_demo_storefront *store, uint32_t index, bool messy)
{
    const struct vt_demo_item *item = &store->items[index];
    const struct vt_demo_category *category = &vt_demo_categories[item->category];
    char sku[24], title[128];
    format_sku(index, store, sku);
    format_title(item, messy, title);
    const char *brand = brand_names[(item->category * 5 + item->style) % 8];
    json_t *object =
        json_pack("{s:s, s:s, s:[s,s], s:s, s:o, s:o, s:s, s:i, s:{s:s,s:s}}", "id", sku, "title",
                  title, "categories", category->department, category->name, "brand", brand,
                  "price", money(item->price_cents), "cost", money(item->cost_cents),
                  "currency_code", "GBP", "stock", (int)item->stock, "attributes", "color",
                  color_names[item->color], "style", vt_demo_style_names[item->style]);
    if (object != NULL)
        put_window(object, store, item);
    return object;
}

static void put_items(struct vt_demo_storefront *store, struct output *out)
{
    for (uint32_t i = 0; i < store->options->n_items; i++) {
        bool messy = i % MESSY_TITLE_EVERY == MESSY_TITLE_EVERY - 1;
        store->summary.dirt[VT_DIRT_MESSY_TITLE] += messy;
        put_line(out, item_object(store, i, messy), 0);
        if (i % DUPLICATE_ITEM_EVERY == DUPLICATE_ITEM_EVERY - 1) {
            put_line(out, item_object(store, i, messy), 0);
            store->summary.dirt[VT_DIRT_DUPLICATE_ITEM]++;
        }
    }
    store->summary.n_items = out->n_lines;
}

/* ---- customers and channels ---- */

static void put_customers(struct vt_demo_storefront *store, struct output *out)
{
    static const char *const consents[] = {NULL, "granted", "denied"};
    static const char *const countries[] = {"GB", "GB", "GB", "IE", "DE", "FR", "NL"};
    struct vt_random random;
    vt_random_init(&random, store->options->seed, 5);
    for (uint32_t i = 0; i < store->options->n_customers; i++) {
        const struct vt_demo_customer *customer = &store->customers[i];
        char id[16];
        snprintf(id, sizeof id, "C%06u", i + 1);
        json_t *object = json_pack("{s:s, s:{s:s,s:s}}", "id", id, "attributes", "country",
                                   countries[vt_random_below(&random, 7)], "preferred_channel",
                                   vt_demo_channels[customer->channel].id);
        if (object != NULL && consents[customer->consent] != NULL)
            json_object_set_new(object, "consent", json_string(consents[customer->consent]));
        put_line(out, object, 0);
    }
    store->summary.n_customers = out->n_lines;
}

static void put_channels(struct vt_demo_storefront *store, struct output *out)
{
    for (int i = 0; i < VT_DEMO_CHANNELS; i++) {
        const struct vt_demo_channel *channel = &vt_demo_channels[i];
        put_line(out,
                 json_pack("{s:s, s:s, s:f, s:f, s:s}", "id", channel->id, "name", channel->name,
                           "cost_per_day", channel->cost_per_day, "cost_per_order",
                           channel->cost_per_order, "currency_code", "GBP"),
                 0);
    }
    store->summary.n_channels = out->n_lines;
}

/* ---- events ---- */

static void put_who(json_t *object, const struct vt_demo_event *event)
{
    char id[24];
    if (event->customer != UINT32_MAX) {
        snprintf(id, sizeof id, "C%06u", event->customer + 1);
        json_object_set_new(object, "customer_id", json_string(id));
    }
    if (event->visitor != 0) {
        snprintf(id, sizeof id, "v-%07x", event->visitor);
        json_object_set_new(object, "visitor_id", json_string(id));
    }
}

static void put_money(json_t *object, const struct vt_demo_storefront *store,
                      const struct vt_demo_event *event)
{
    if (event->type != VT_EVENT_PURCHASE && event->type != VT_EVENT_RETURN)
        return;
    uint64_t cost_cents = (uint64_t)event->quantity * store->items[event->item].cost_cents;
    json_object_set_new(object, "quantity", json_integer(event->quantity));
    json_object_set_new(object, "revenue", money(event->revenue_cents));
    json_object_set_new(object, "cost", money(cost_cents));
    json_object_set_new(object, "currency_code", json_string("GBP"));
}

static json_t *clean_event(const struct vt_demo_storefront *store,
                           const struct vt_demo_event *event, uint64_t number)
{
    char id[24], sku[24], time[32];
    snprintf(id, sizeof id, "e%09" PRIu64, number);
    format_sku(event->item, store, sku);
    vt__demo_format_time(event->time_ms, true, time);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "event_id", id, "type",
                               vt_event_type_name(event->type), "item_id", sku, "time", time,
                               "channel", vt_demo_channels[event->channel].id);
    if (object == NULL)
        return NULL;
    put_who(object, event);
    put_money(object, store, event);
    if (event->type == VT_EVENT_RATING)
        json_object_set_new(object, "value", json_integer(event->value));
    return object;
}

static void spoil_time(json_t *object, const struct vt_demo_event *event, int64_t shift_ms,
                       bool with_zone)
{
    char text[VT_TIME_TEXT_BYTES];
    vt__demo_format_time(event->time_ms + shift_ms, with_zone, text);
    json_object_set_new(object, "time", json_string(text));
}

static void spoil_sku(json_t *object)
{
    char loose[40];
    int len = snprintf(loose, sizeof loose, " %s ",
                       json_string_value(json_object_get(object, "item_id")));
    for (int i = 0; i < len; i++)
        if (loose[i] >= 'A' && loose[i] <= 'Z')
            loose[i] = (char)(loose[i] - 'A' + 'a');
    json_object_set_new(object, "item_id", json_string(loose));
}

/* Makes the mark visible in the line. */
static void spoil(json_t *object, const struct vt_demo_event *event)
{
    static const int64_t FORTY_YEARS_MS = INT64_C(40) * 365 * 86400000;
    switch (event->flaw - 1) {
    case VT_DIRT_NEAR_DUPLICATE_EVENT:
        spoil_sku(object);
        spoil_time(object, event, 1000, true);
        break;
    case VT_DIRT_MISSING_ITEM:
        json_object_set_new(object, "item_id", json_string(""));
        break;
    case VT_DIRT_MISSING_CUSTOMER:
        json_object_del(object, "customer_id");
        break;
    case VT_DIRT_UNKNOWN_TYPE:
        json_object_set_new(object, "type", json_string("purchse"));
        break;
    case VT_DIRT_FUTURE_TIME:
        spoil_time(object, event, FORTY_YEARS_MS, true);
        break;
    case VT_DIRT_ANCIENT_TIME:
        spoil_time(object, event, -FORTY_YEARS_MS, true);
        break;
    case VT_DIRT_LOCAL_TIME:
        spoil_time(object, event, 0, false);
        break;
    case VT_DIRT_NEGATIVE_REVENUE:
        json_object_set_new(object, "revenue", json_real(-(double)event->revenue_cents / 100));
        break;
    case VT_DIRT_HUGE_QUANTITY:
        json_object_set_new(object, "quantity", json_integer(80995));
        break;
    case VT_DIRT_FOREIGN_CURRENCY:
        json_object_set_new(object, "currency_code", json_string("EUR"));
        break;
    case VT_DIRT_FEE_EVENT:
        json_object_set_new(object, "item_id", json_string(event->order % 3 == 0 ? "DOT" : "POST"));
        break;
    default: /* duplicates and bots look like any other line; broken ones are cut */
        break;
    }
}

/* A duplicate carries the very same id as its original; other lines have their own. */
static uint64_t event_number(const struct vt_demo_event *event, uint64_t index)
{
    return event->flaw == VT_DIRT_DUPLICATE_EVENT + 1 ? event->order : index;
}

static void put_events(struct vt_demo_storefront *store, struct output *out)
{
    for (uint64_t i = 0; i < store->n_events; i++) {
        const struct vt_demo_event *event = &store->events[i];
        json_t *object = clean_event(store, event, event_number(event, i) + 1);
        if (object != NULL)
            spoil(object, event);
        put_line(out, object, event->flaw == VT_DIRT_BROKEN_LINE + 1 ? 40 : 0);
    }
    store->summary.n_events = out->n_lines;
}

static struct vt_err write_one(struct vt_demo_storefront *store, const char *name,
                               void (*put)(struct vt_demo_storefront *, struct output *),
                               struct vt_diag *diag)
{
    struct output out;
    VT_TRY(output_open(store, name, diag, &out));
    put(store, &out);
    return output_close(&out, diag);
}

struct vt_err vt__demo_write(struct vt_demo_storefront *store, struct vt_diag *diag)
{
    VT_TRY(write_one(store, "items.jsonl", put_items, diag));
    VT_TRY(write_one(store, "customers.jsonl", put_customers, diag));
    VT_TRY(write_one(store, "channels.jsonl", put_channels, diag));
    return write_one(store, "events.jsonl", put_events, diag);
}
