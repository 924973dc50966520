/*
 * Each group's popularity is one pass over the demand with a filter; categories share one pass,
 * because an item's popularity is the same in all of them. What is wanted is collected as
 * (key, column, value) and sorted once at the end.
 */
#include "models/popularity/groups.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PER_GROUP_DEFAULT = 200, HALF_LIFE_DAYS_DEFAULT = 30, FIRST_CAPACITY = 1024 };
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static const uint32_t windows_days[] = {1, 7, 30};
static const char *const segments[] = {"new", "light", "regular", "heavy"};

struct entry {
    uint64_t key;
    uint32_t column;
    float value;
};

struct collecting {
    const struct vt_demand *demand;
    const struct vt_dataset *dataset;
    struct vt_group_options options;
    float *popularity;  /* of the group at hand */
    struct entry *best; /* the same, sorted */
    struct entry *entries;
    uint64_t n, capacity;
};

void vt_group_options_default(struct vt_group_options *ret_options)
{
    *ret_options = (struct vt_group_options){.per_group = PER_GROUP_DEFAULT,
                                             .half_life_days = HALF_LIFE_DAYS_DEFAULT};
}

const char *vt_segment_of(uint32_t n_items)
{
    if (n_items < VT_SEGMENT_LIGHT_ITEMS)
        return segments[0];
    if (n_items < VT_SEGMENT_REGULAR_ITEMS)
        return segments[1];
    return n_items < VT_SEGMENT_HEAVY_ITEMS ? segments[2] : segments[3];
}

void vt_groups_free(struct vt_groups *groups)
{
    if (groups == NULL)
        return;
    free(groups->keys);
    free(groups->starts);
    free(groups->columns);
    free(groups->values);
    *groups = (struct vt_groups){0};
}

uint64_t vt_group_key(const char *kind, struct vt_slice name)
{
    uint64_t seed = XXH3_64bits(kind, strlen(kind));
    return XXH3_64bits_withSeed(name.len > 0 ? name.data : "", name.len, seed);
}

uint64_t vt_group_key_number(const char *kind, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    return vt_group_key(kind, vt_slice_str(text));
}

/* ---- collecting ---- */

static int by_key_best_first(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->value > b->value || a->value < b->value)
        return a->value > b->value ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

static struct vt_err add_entry(struct collecting *collecting, struct entry entry)
{
    if (collecting->n == collecting->capacity) {
        uint64_t capacity = collecting->capacity > 0 ? 2 * collecting->capacity : FIRST_CAPACITY;
        struct entry *entries = realloc(collecting->entries, (size_t)capacity * sizeof *entries);
        VT_CHECK(entries != NULL, VT_EXHAUSTED, "out of memory for popular groups");
        collecting->entries = entries;
        collecting->capacity = capacity;
    }
    collecting->entries[collecting->n++] = entry;
    return vt_ok();
}

/* The best of one group. */
static struct vt_err add_group(struct collecting *collecting, uint64_t key,
                               vt_demand_filter_fn filter, const void *ctx, double half_life_days)
{
    uint32_t n = 0;
    vt_demand_popularity(collecting->demand, filter, ctx, half_life_days, collecting->popularity);
    for (uint32_t column = 0; column < collecting->demand->n_items; column++)
        if (collecting->popularity[column] > 0)
            collecting->best[n++] = (struct entry){key, column, collecting->popularity[column]};
    qsort(collecting->best, n, sizeof *collecting->best, by_key_best_first);
    for (uint32_t i = 0; i < n && i < collecting->options.per_group; i++)
        VT_TRY(add_entry(collecting, collecting->best[i]));
    return vt_ok();
}

/* ---- the kinds of groups ---- */

static bool is_since(const void *ctx, const struct vt_demand_event *event)
{
    return event->time_ms > *(const int64_t *)ctx;
}

static struct vt_err add_windows(struct collecting *collecting)
{
    for (size_t i = 0; i < sizeof windows_days / sizeof windows_days[0]; i++) {
        int64_t since_ms = collecting->demand->last_time_ms - windows_days[i] * DAY_MS;
        VT_TRY(add_group(collecting, vt_group_key_number("window", windows_days[i]), is_since,
                         &since_ms, 0));
    }
    return vt_ok();
}

static bool is_of_channel(const void *ctx, const struct vt_demand_event *event)
{
    return event->channel == *(const uint16_t *)ctx;
}

static struct vt_err add_channels(struct collecting *collecting)
{
    static const uint32_t n_channels = UINT16_MAX + 1;
    bool *present = calloc(n_channels, sizeof *present);
    VT_CHECK(present != NULL, VT_EXHAUSTED, "out of memory for popular groups");
    for (uint64_t i = 0; i < collecting->demand->n; i++)
        present[collecting->demand->events[i].channel] = true;
    struct vt_err err = vt_ok();
    uint32_t n_done = 0;
    for (uint32_t c = 1; c < n_channels && n_done < VT_GROUP_CHANNELS_MAX && !vt_failed(err); c++) {
        uint16_t channel = (uint16_t)c;
        n_done += present[c];
        if (present[c])
            err = add_group(collecting, vt_group_key_number("channel", c), is_of_channel, &channel,
                            collecting->options.half_life_days);
    }
    free(present);
    return err;
}

struct segment_filter {
    const struct vt_sparse *matrix;
    const char *segment;
};

static bool is_of_segment(const void *ctx, const struct vt_demand_event *event)
{
    const struct segment_filter *filter = ctx;
    uint64_t n_items = filter->matrix->starts[event->row + 1] - filter->matrix->starts[event->row];
    return vt_segment_of((uint32_t)n_items) == filter->segment; /* literals of one table */
}

static struct vt_err add_segments(struct collecting *collecting)
{
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        struct segment_filter filter = {&collecting->dataset->matrix, segments[i]};
        VT_TRY(add_group(collecting, vt_group_key("segment", vt_slice_str(segments[i])),
                         is_of_segment, &filter, collecting->options.half_life_days));
    }
    return vt_ok();
}

static struct vt_err add_categories(struct collecting *collecting, const struct vt_catalog *catalog)
{
    vt_demand_popularity(collecting->demand, NULL, NULL, collecting->options.half_life_days,
                         collecting->popularity);
    for (uint32_t column = 0; column < collecting->demand->n_items; column++) {
        const struct vt_catalog_item *item =
            vt_catalog_find(catalog, collecting->dataset->item_ids[column]);
        for (uint32_t c = 0; item != NULL && c < item->n_categories; c++) {
            struct entry entry = {vt_group_key("category", item->categories[c]), column,
                                  collecting->popularity[column]};
            if (entry.value > 0 && item->categories[c].len > 0)
                VT_TRY(add_entry(collecting, entry));
        }
    }
    return vt_ok();
}

/* ---- the whole ---- */

static struct vt_err collect(struct collecting *collecting, const struct vt_catalog *catalog)
{
    VT_TRY(add_windows(collecting));
    VT_TRY(add_channels(collecting));
    VT_TRY(add_segments(collecting));
    return catalog != NULL ? add_categories(collecting, catalog) : vt_ok();
}

static struct vt_err pack(struct collecting *collecting, struct vt_groups *groups)
{
    struct entry *entries = collecting->entries;
    size_t n = (size_t)collecting->n;
    if (n > 0)
        qsort(entries, n, sizeof *entries, by_key_best_first);
    groups->keys = calloc(n + 1, sizeof *groups->keys);
    groups->starts = calloc(n + 2, sizeof *groups->starts);
    groups->columns = calloc(n + 1, sizeof *groups->columns);
    groups->values = calloc(n + 1, sizeof *groups->values);
    VT_CHECK(groups->keys != NULL && groups->starts != NULL && groups->columns != NULL &&
                 groups->values != NULL,
             VT_EXHAUSTED, "out of memory for popular groups");
    uint64_t at = 0;
    for (size_t i = 0, begin = 0; i < n; i++) {
        bool first = i == 0 || entries[i].key != entries[i - 1].key;
        if (first) {
            begin = i;
            groups->keys[groups->n++] = entries[i].key;
        }
        bool repeated = !first && entries[i].column == entries[i - 1].column; /* a category twice */
        if (i - begin < collecting->options.per_group && !repeated) {
            groups->columns[at] = entries[i].column;
            groups->values[at++] = entries[i].value;
        }
        groups->starts[groups->n] = at;
    }
    return vt_ok();
}

struct vt_err vt_groups_train(const struct vt_demand *demand, const struct vt_dataset *dataset,
                              const struct vt_catalog *catalog,
                              const struct vt_group_options *options, struct vt_groups *ret_groups)
{
    VT_CHECK(options->per_group >= 1 && options->per_group <= VT_GROUP_ITEMS_MAX, VT_INVALID,
             "a group's list has 1 to 1,000 items");
    struct vt_groups groups = {0};
    struct collecting collecting = {.demand = demand, .dataset = dataset, .options = *options};
    size_t n_items = (size_t)demand->n_items + 1;
    collecting.popularity = calloc(n_items, sizeof *collecting.popularity);
    collecting.best = calloc(n_items, sizeof *collecting.best);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for popular groups");
    if (collecting.popularity != NULL && collecting.best != NULL)
        err = collect(&collecting, catalog);
    if (!vt_failed(err))
        err = pack(&collecting, &groups);
    free(collecting.popularity);
    free(collecting.best);
    free(collecting.entries);
    if (vt_failed(err))
        vt_groups_free(&groups);
    else
        *ret_groups = groups;
    return err;
}
