#ifndef VT_DATASET_CATALOG_H
#define VT_DATASET_CATALOG_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdint.h>

/*
 * What training knows of items besides who wanted them: the catalog's texts and numbers, copied out
 * of the store. Plain data; families read it, nobody changes it.
 */
enum { VT_CATALOG_CATEGORIES_MAX = 8, VT_CATALOG_ATTRIBUTES_MAX = 64 };

struct vt_catalog_attribute {
    struct vt_slice key, value;
};

struct vt_catalog_item {
    uint32_t number;
    struct vt_slice id, title, brand;                      /* id: SKU */
    struct vt_slice categories[VT_CATALOG_CATEGORIES_MAX]; /* widest first */
    uint32_t n_categories;
    const struct vt_catalog_attribute *attributes;
    uint32_t n_attributes;
    double price;           /* 0: not known */
    int64_t create_time_ms; /* 0: not known */
};

/* Items ascending by number. Zero it first; one thread while it grows, then immutable. */
struct vt_catalog {
    struct vt_catalog_item *items; /* owned */
    uint32_t n, capacity;
    void **blocks; /* texts and attributes, one block an item */
};

/* Copies the item with all its texts. VT_INVALID: numbers do not ascend, or too many categories or
 * attributes; VT_EXHAUSTED without memory. */
VT_MUST_USE struct vt_err vt_catalog_append(struct vt_catalog *catalog,
                                            const struct vt_catalog_item *item);
/* NULL when the catalog does not describe the item. O(log n). */
const struct vt_catalog_item *vt_catalog_find(const struct vt_catalog *catalog, uint32_t number);
void vt_catalog_free(struct vt_catalog *catalog); /* NULL or zeroed is allowed */

#endif
