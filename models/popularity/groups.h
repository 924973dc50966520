#ifndef VT_POPULARITY_GROUPS_H
#define VT_POPULARITY_GROUPS_H

#include "models/dataset/catalog.h"
#include "models/popularity/demand.h"

/*
 * The most wanted items of many groups, as short lists by a hashed name:
 *   category:NAME   each category of the catalog, events halved every half_life_days
 *   channel:NUMBER  each channel of the store, likewise
 *   segment:new, :light, :regular, :heavy   customers by how many items they know, likewise
 *   window:1, window:7, window:30   the last so many days
 */
struct vt_group_options {
    uint32_t per_group;    /* longest list, 1 … VT_GROUP_ITEMS_MAX */
    double half_life_days; /* 0: events do not fade */
};
enum { VT_GROUP_ITEMS_MAX = 1000, VT_GROUP_CHANNELS_MAX = 256 };
/* Lists of 200, 30 days. */
void vt_group_options_default(struct vt_group_options *ret_options);

/* From how many items on a customer is light, regular and heavy; new below. The report of a version
 * draws the same lines. */
enum { VT_SEGMENT_LIGHT_ITEMS = 5, VT_SEGMENT_REGULAR_ITEMS = 20, VT_SEGMENT_HEAVY_ITEMS = 100 };
/* "new", "light", "regular" or "heavy" by the number of distinct items of a history; a literal. */
const char *vt_segment_of(uint32_t n_items);

/* List i, of the group keys[i], is columns[starts[i]] … columns[starts[i + 1] - 1], best first,
 * ties by column; values are popularity, above 0. Owned. */
struct vt_groups {
    uint32_t n;
    uint64_t *keys; /* ascending */
    uint64_t *starts;
    uint32_t *columns;
    float *values;
};
void vt_groups_free(struct vt_groups *groups); /* NULL or zeroed is allowed */

/* The key of "kind:name". Any thread. */
uint64_t vt_group_key(const char *kind, struct vt_slice name);
/* The same of a number written out, for channels and windows. */
uint64_t vt_group_key_number(const char *kind, uint32_t number);

/* `catalog` may be NULL: no categories then. Of more than VT_GROUP_CHANNELS_MAX channels the lowest
 * numbers get lists. VT_INVALID: per_group is out of range; VT_EXHAUSTED. Same input, same bytes.
 * O(events · channels). */
VT_MUST_USE struct vt_err vt_groups_train(const struct vt_demand *demand,
                                          const struct vt_dataset *dataset,
                                          const struct vt_catalog *catalog,
                                          const struct vt_group_options *options,
                                          struct vt_groups *ret_groups);

#endif
