#ifndef VT_RANKING_MATCH_H
#define VT_RANKING_MATCH_H

#include "services/common/base/slice.h"
#include "services/common/catalog/filter.h"
#include "services/common/catalog/item_table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Which items a rule is about. All that is given must hold; of a list, one entry. */

enum { VT_MATCH_TEXTS_MAX = 50, VT_MATCH_ITEMS_MAX = 500 };

/* A SKU of the configuration. Its number is permanent but may not be known yet, so it is kept when
 * it is first found: relaxed, everybody who looks finds the same. */
struct vt_sku {
    struct vt_slice id;
    _Atomic uint32_t number; /* 0: not found yet */
};
/* 0: nobody has mentioned it. Enter the table before. */
uint32_t vt_sku_number(struct vt_sku *sku, const struct vt_item_table *items);

struct vt_match {
    const struct vt_slice *categories, *brands; /* of any width; of exactly this spelling */
    struct vt_slice attribute;                  /* empty: none */
    const struct vt_slice *values;              /* of the attribute */
    struct vt_sku *items;
    uint32_t n_categories, n_brands, n_values, n_items;
    double price_from, price_below; /* 0 and INFINITY: any */
    const struct vt_filter *filter; /* NULL: none; lives with the configuration */
};
/* What matches everything. */
void vt_match_init(struct vt_match *ret_match);
/* `item` as vt_item_table_get gave it; the table is entered. `now_ms` is for filters that speak of
 * age. O(texts compared). */
bool vt_match_item(const struct vt_match *match, const struct vt_item_table *items,
                   const struct vt_item *item, int64_t now_ms);
/* The value of the item's attribute; empty: it has none. */
struct vt_slice vt_item_attribute(const struct vt_item *item, struct vt_slice key);

#endif
