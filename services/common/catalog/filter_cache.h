#ifndef VT_CATALOG_FILTER_CACHE_H
#define VT_CATALOG_FILTER_CACHE_H

#include "services/common/catalog/filter.h"

/*
 * Filters that were asked before: their plans, and the set of items that pass, kept up with the
 * catalog change by change. Storefronts have few filters and ask them often; a stream of ever new
 * ones is compiled into the requests' own memory and leaves no trace here (ADR 0155).
 *
 * Each thread has a part of its own, so that cores share nothing; threads beyond VT_FILTER_SHARDS
 * share parts, and whoever finds one busy does without. Any thread, wait-free.
 */
struct vt_filter_cache;
struct vt_metrics;

enum {
    VT_FILTER_SHARDS = 16,
    VT_FILTER_CACHED_MAX = 64,         /* of a thread */
    VT_FILTER_SET_BYTES_MAX = 4 << 20, /* of a thread: beyond, a filter is cached without a set */
};

/* `metrics` is borrowed and may be NULL. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_filter_cache_new(struct vt_metrics *metrics,
                                              struct vt_filter_cache **ret_cache);
/* Nothing may be leased any more. NULL is allowed. */
void vt_filter_cache_free(struct vt_filter_cache *cache);

/* The items that pass, as they were when it was leased: a later change is in the next lease. */
struct vt_filter_set;

/* A filter for the length of one request; all zero: none. */
struct vt_filter_lease {
    const struct vt_filter *filter;
    const struct vt_filter_set *set; /* NULL: ask the filter item by item */
    struct vt__filter_entry *entry;  /* counted; NULL: the plan is in the request's arena */
};

/* The plan of `text`, and where it was asked before the set of items; errors are those of
 * vt_filter_compile. An empty text gives an empty lease. `cache` NULL: compiles. The table is
 * entered, and always the same for one cache. Costs a look-up and the changes since the last time;
 * the second time a text is asked, and when too much changed, a pass over the catalog. */
VT_MUST_USE struct vt_err vt_filter_acquire(struct vt_filter_cache *cache,
                                            const struct vt_item_table *items, struct vt_slice text,
                                            struct vt_arena *arena, struct vt_diag *diag,
                                            struct vt_filter_lease *ret_lease);
/* Empties it; an empty one is allowed. Any thread. */
void vt_filter_release(struct vt_filter_lease *lease);

/* Whether the lease lets the item pass; an empty lease lets all. O(1) with a set. */
bool vt_filter_passes(const struct vt_filter_lease *lease, const struct vt_item_table *items,
                      uint32_t number, int64_t now_ms);
/* The first item from `number` on that is in the set; 0: none is. O(numbers / 64). */
uint32_t vt_filter_set_next(const struct vt_filter_set *set, uint32_t number);
/* Bit b: whether number + b is in the set. O(1). */
uint64_t vt_filter_set_word(const struct vt_filter_set *set, uint32_t number);

#endif
