/*
 * Two slots, one of them current. A reader counts itself into the current slot and looks again
 * whether it still is; if so, the slot's table stays until it has left, because the maker fills
 * only the other slot, and that only when nobody is counted into it. A reader that looked between a
 * swap and its count leaves at once and tries again, so it never touches a slot that is being
 * filled. Both words are seq_cst: either the maker sees the reader's count, or the reader sees that
 * the slot is not current. Where a reader still holds the other slot the maker gives up; the next
 * request asks again.
 *
 * A table is made from scratch each time, which costs some 15 µs an item. So that a catalog that
 * changes all the time does not keep a core busy, the maker rests nine times as long as the last
 * one took.
 */
#include "services/candidate/newcomers.h"

#include "models/content/map.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "services/common/base/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REST_NS_MIN INT64_C(100000000)
enum { N_SLOTS = 2, ITEMS_AT_ONCE = 256, REST_TIMES = 9 };

struct slot {
    _Alignas(64) atomic_uint readers;
    struct vt__newcomer_table *table; /* the maker's, while the slot is not current and unread */
};

struct vt__newcomers {
    struct slot slots[N_SLOTS];
    _Alignas(64) atomic_uint current;
    atomic_bool making; /* a table is asked for or being made */
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    const struct vt_clock *clock;
    struct vt_worker_pool *pool;
    struct vt_worker_task task;
    struct vt_gauge *n_items, *seconds;
};

/* ---- tables ---- */

static void table_free(struct vt__newcomer_table *table)
{
    if (table == NULL)
        return;
    vt_index_free(table->index);
    free(table->items);
    free(table->factors);
    free(table);
}

uint32_t vt__newcomer_place(const struct vt__newcomer_table *table, uint32_t item)
{
    uint32_t low = 0, high = table->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->n && table->items[low] == item ? low : UINT32_MAX;
}

static const char *language_of(const struct vt_bundle_view *view)
{
    for (uint32_t i = 0; i < view->n_parameters; i++)
        if (strcmp(view->parameters[i].name, "content_language") == 0)
            return view->parameters[i].value;
    return "english";
}

/* What making one needs. */
struct making {
    const struct vt_bundle *bundle;
    const struct vt_bundle_view *view;
    struct vt_item_table *items;
    struct vt_content_reader *reader;
    struct vt_content_space space;
    struct vt__newcomer_table *table;
    uint32_t capacity;
};

static struct vt_err make_room(struct making *making)
{
    struct vt__newcomer_table *table = making->table;
    if (table->n < making->capacity)
        return vt_ok();
    uint32_t capacity = making->capacity > 0 ? 2 * making->capacity : ITEMS_AT_ONCE;
    uint32_t *items = realloc(table->items, capacity * sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "out of memory for newcomers");
    table->items = items;
    float *factors =
        realloc(table->factors, (size_t)capacity * table->row_stride * sizeof *factors);
    VT_CHECK(factors != NULL, VT_EXHAUSTED, "out of memory for newcomers");
    table->factors = factors;
    making->capacity = capacity;
    return vt_ok();
}

/* The item's words; empty where they do not matter to it. Texts as in the table, entered. */
static uint32_t read_terms(struct making *making, const struct vt_item *item,
                           struct vt_content_term *terms)
{
    struct vt_catalog_attribute attributes[VT_ITEM_ATTRIBUTES_MAX];
    struct vt_catalog_item text = {
        .number = item->number,
        .title = item->title,
        .brand = item->brand,
        .n_categories = item->n_categories,
        .attributes = attributes,
        .n_attributes = item->n_attributes,
    };
    for (uint32_t i = 0; i < item->n_categories; i++)
        text.categories[i] = item->categories[i];
    for (uint32_t i = 0; i < item->n_attributes; i++)
        attributes[i] =
            (struct vt_catalog_attribute){item->attributes[i].key, item->attributes[i].value};
    return vt_content_read(making->reader, &making->space, &text, terms);
}

static struct vt_err add_item(struct making *making, uint32_t number)
{
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    struct vt__newcomer_table *table = making->table;
    struct vt_item item;
    if (vt_bundle_row(making->bundle, number) != UINT32_MAX ||
        !vt_item_table_get(making->items, number, &item))
        return vt_ok();
    uint32_t n_terms = read_terms(making, &item, terms);
    if (n_terms == 0)
        return vt_ok();
    VT_TRY(make_room(making));
    float *factor = table->factors + (size_t)table->n * table->row_stride;
    memset(factor, 0, table->row_stride * sizeof *factor);
    vt_content_factor(making->view->content.map, table->dim, making->view->factor_stride, terms,
                      n_terms, factor);
    table->items[table->n++] = number;
    return vt_ok();
}

/* Leaves the item table between, so that what the follower takes out of use is freed. */
static struct vt_err add_items(struct making *making)
{
    uint32_t max = vt_item_table_max_number(making->items);
    uint32_t first = max > VT__NEWCOMERS_MAX ? max - VT__NEWCOMERS_MAX + 1 : 1;
    struct vt_err err = vt_ok();
    for (uint32_t begin = first; begin <= max && !vt_failed(err); begin += ITEMS_AT_ONCE) {
        unsigned ticket = vt_item_table_enter(making->items);
        for (uint32_t i = 0; i < ITEMS_AT_ONCE && begin + i <= max && !vt_failed(err); i++)
            err = add_item(making, begin + i);
        vt_item_table_leave(making->items, ticket);
    }
    return err;
}

static struct vt_err index_table(struct vt__newcomer_table *table)
{
    const struct vt_index_rows rows = {table->factors, table->n, table->dim, table->row_stride};
    return table->n > 0 ? vt_index_new(&rows, &table->index) : vt_ok();
}

static struct vt_err fill_table(struct making *making)
{
    VT_TRY(vt_content_reader_new(language_of(making->view), NULL, &making->reader));
    VT_TRY(add_items(making));
    return index_table(making->table);
}

/* NULL in *ret_table: the version maps no content. */
static struct vt_err make_table(struct vt__newcomers *newcomers, const struct vt_bundle *bundle,
                                struct vt__newcomer_table **ret_table)
{
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    if (view->content.map == NULL)
        return vt_ok();
    struct vt__newcomer_table *table = calloc(1, sizeof *table);
    VT_CHECK(table != NULL, VT_EXHAUSTED, "out of memory for newcomers");
    snprintf(table->version, sizeof table->version, "%s", view->version);
    table->begun_ns = vt_clock_monotonic_ns(newcomers->clock);
    table->text_changes = vt_item_table_text_changes(newcomers->items);
    table->dim = view->dim;
    table->row_stride = view->factor_stride;
    struct making making = {
        .bundle = bundle,
        .view = view,
        .items = newcomers->items,
        .space = {view->content.n_terms, view->content.terms, view->content.idf},
        .table = table,
    };
    struct vt_err err = fill_table(&making);
    vt_content_reader_free(making.reader);
    table->made_ns = vt_clock_monotonic_ns(newcomers->clock);
    if (vt_failed(err))
        table_free(table);
    else
        *ret_table = table;
    return err;
}

/* ---- the maker's thread ---- */

/* Puts the table into the slot that is not current; false: somebody still reads there. */
static bool swap_in(struct vt__newcomers *newcomers, struct vt__newcomer_table *table)
{
    unsigned other = 1 - atomic_load(&newcomers->current);
    struct slot *slot = &newcomers->slots[other];
    if (atomic_load(&slot->readers) != 0)
        return false;
    table_free(slot->table);
    slot->table = table;
    atomic_store(&newcomers->current, other);
    return true;
}

static void make(void *ctx)
{
    struct vt__newcomers *newcomers = ctx;
    struct vt__newcomer_table *table = NULL;
    struct vt_bundle *bundle = vt_bundle_set_current(newcomers->bundles);
    struct vt_err err = bundle != NULL ? make_table(newcomers, bundle, &table) : vt_ok();
    vt_bundle_release(bundle);
    if (vt_failed(err))
        vt_log_err(VT_LOG_WARN, "newcomers_failed", err, "new items are found by age only");
    if (table != NULL) {
        vt_gauge_set(newcomers->n_items, (double)table->n);
        vt_gauge_set(newcomers->seconds, (double)(table->made_ns - table->begun_ns) / 1e9);
        if (!swap_in(newcomers, table))
            table_free(table);
    }
    atomic_store(&newcomers->making, false);
}

static void register_metrics(struct vt__newcomers *newcomers, struct vt_metrics *metrics)
{
    newcomers->n_items =
        vt_metrics_gauge(metrics, "vitrine_candidate_newcomers",
                         "Items without a row that are found by what is written about them.", "");
    newcomers->seconds = vt_metrics_gauge(metrics, "vitrine_candidate_newcomers_made_seconds",
                                          "How long the last table of them took to make.", "");
}

struct vt_err vt__newcomers_new(struct vt_bundle_set *bundles, struct vt_item_table *items,
                                const struct vt_clock *clock, struct vt_metrics *metrics,
                                struct vt__newcomers **ret_newcomers)
{
    struct vt__newcomers *newcomers =
        aligned_alloc(_Alignof(struct vt__newcomers), sizeof *newcomers);
    VT_CHECK(newcomers != NULL, VT_EXHAUSTED, "no memory for newcomers");
    memset(newcomers, 0, sizeof *newcomers);
    newcomers->bundles = bundles;
    newcomers->items = items;
    newcomers->clock = clock;
    newcomers->task = (struct vt_worker_task){.run = make, .ctx = newcomers};
    register_metrics(newcomers, metrics);
    struct vt_err err = vt_worker_pool_new(1, 1, &newcomers->pool);
    if (vt_failed(err))
        free(newcomers);
    else
        *ret_newcomers = newcomers;
    return err;
}

void vt__newcomers_free(struct vt__newcomers *newcomers)
{
    if (newcomers == NULL)
        return;
    vt_worker_pool_free(newcomers->pool);
    for (int i = 0; i < N_SLOTS; i++)
        table_free(newcomers->slots[i].table);
    free(newcomers);
}

/* ---- serving threads ---- */

static bool fits(const struct vt__newcomer_table *table, const struct vt_bundle_view *view)
{
    return table != NULL && strcmp(table->version, view->version) == 0;
}

/* A request may be pinned to a version that is not the current one: that is no reason to hurry. */
static bool has_rested(const struct vt__newcomers *newcomers,
                       const struct vt__newcomer_table *table)
{
    if (table == NULL)
        return true;
    int64_t rest_ns = REST_TIMES * (table->made_ns - table->begun_ns);
    int64_t now_ns = vt_clock_monotonic_ns(newcomers->clock);
    return now_ns - table->made_ns >= (rest_ns > REST_NS_MIN ? rest_ns : REST_NS_MIN);
}

/* One asker at a time hands the work over: a lock taken for as long as a list takes a link. */
static void ask(struct vt__newcomers *newcomers)
{
    if (atomic_exchange(&newcomers->making, true))
        return;
    struct vt_err err = vt_worker_pool_submit(newcomers->pool, &newcomers->task);
    if (vt_failed(err))
        atomic_store(&newcomers->making, false);
}

const struct vt__newcomer_table *vt__newcomers_enter(struct vt__newcomers *newcomers,
                                                     const struct vt_bundle_view *view,
                                                     unsigned *ret_ticket)
{
    unsigned slot = atomic_load(&newcomers->current);
    atomic_fetch_add(&newcomers->slots[slot].readers, 1);
    while (atomic_load(&newcomers->current) != slot) {
        atomic_fetch_sub(&newcomers->slots[slot].readers, 1);
        slot = 1 - slot;
        atomic_fetch_add(&newcomers->slots[slot].readers, 1);
    }
    *ret_ticket = slot;
    const struct vt__newcomer_table *table = newcomers->slots[slot].table;
    bool stale =
        !fits(table, view) || table->text_changes != vt_item_table_text_changes(newcomers->items);
    if (view->content.map != NULL && stale && has_rested(newcomers, table))
        ask(newcomers);
    return fits(table, view) ? table : NULL;
}

void vt__newcomers_leave(struct vt__newcomers *newcomers, unsigned ticket)
{
    atomic_fetch_sub(&newcomers->slots[ticket].readers, 1);
}
