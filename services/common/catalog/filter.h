#ifndef VT_CATALOG_FILTER_H
#define VT_CATALOG_FILTER_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/catalog/item_table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The filter language: which items a caller wants, as
 *   category in ("tea", "mugs") and price < 30 and stock > 0 and not brand = "x"
 * docs/api.md, "Filters", has the grammar and what each field means. A text becomes a plan once; a
 * plan is asked for one item after another.
 */
struct vt_filter;

enum {
    VT_FILTER_TEXT_BYTES_MAX = 2048,
    VT_FILTER_TERMS_MAX = 32,   /* comparisons */
    VT_FILTER_VALUES_MAX = 256, /* in all of them together */
    VT_FILTER_DEPTH_MAX = 16,   /* parentheses within each other */
};

/* The plan of a text, in the arena and valid as long as it. VT_INVALID with the field `filter` and
 * a sentence that names the place (in characters, from 1; diag->offset is the byte, from 0) and
 * what would be right; VT_EXHAUSTED when the arena has no room for VT_FILTER_PLAN_BYTES. An empty
 * text is refused: no filter is for the caller to see. Any thread. O(bytes), and O(values²) moves
 * of 16 bytes: at most some 20 µs. */
VT_MUST_USE struct vt_err vt_filter_compile(struct vt_slice text, struct vt_arena *arena,
                                            struct vt_diag *diag,
                                            const struct vt_filter **ret_filter);
enum { VT_FILTER_PLAN_BYTES = 8 << 10 };

/* Whether the item is described and passes. The table is entered; any thread. `now_ms` is Unix
 * time, for `age`. At most VT_FILTER_TERMS_MAX comparisons; allocates nothing. */
bool vt_filter_matches(const struct vt_filter *filter, const struct vt_item_table *items,
                       uint32_t number, int64_t now_ms);
/* The same of an item that is in no table, or not yet: its entry, whole. */
bool vt_filter_matches_item(const struct vt_filter *filter, const struct vt_item *item,
                            int64_t now_ms);
/* True when the answer can change although the item does not: the filter speaks of `age`. */
bool vt_filter_needs_time(const struct vt_filter *filter);

#endif
