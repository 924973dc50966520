#ifndef VT_CANDIDATE_NEWCOMERS_H
#define VT_CANDIDATE_NEWCOMERS_H

#include "models/bundle/bundle_set.h"
#include "models/index/index.h"
#include "services/common/catalog/item_table.h"

/*
 * Items that the version has no row for, with the factors that their texts speak for: an item is
 * found by taste as soon as it is described, before anybody has touched it. Made off the serving
 * threads, for the version that serves and the texts as they are; a request that finds it out of
 * date has it made anew and takes what there is.
 */
struct vt__newcomers;
struct vt_clock;
struct vt_metrics;

enum {
    VT__NEWCOMERS_MAX = 200000, /* the newest; 52 MB at 64 factors */
};

struct vt__newcomer_table {
    char version[VT_VERSION_BYTES_MAX];
    uint64_t text_changes;     /* of the item table, when it was begun */
    int64_t begun_ns, made_ns; /* monotonic */
    uint32_t n, dim, row_stride;
    uint32_t *items;        /* numbers, ascending */
    float *factors;         /* n × row_stride */
    struct vt_index *index; /* over factors; NULL when n is 0 */
};

/* Bundles, items and clock are borrowed; `metrics` may be NULL. One thread of its own.
 * VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__newcomers_new(struct vt_bundle_set *bundles,
                                            struct vt_item_table *items,
                                            const struct vt_clock *clock,
                                            struct vt_metrics *metrics,
                                            struct vt__newcomers **ret_newcomers);
/* No request may run any more. NULL is allowed. */
void vt__newcomers_free(struct vt__newcomers *newcomers);

/* The table for this version, valid until _leave; NULL: there is none (yet). Wait-free; has a table
 * made when the one there is does not fit. Every _enter has its _leave, NULL or not. */
const struct vt__newcomer_table *vt__newcomers_enter(struct vt__newcomers *newcomers,
                                                     const struct vt_bundle_view *view,
                                                     unsigned *ret_ticket);
void vt__newcomers_leave(struct vt__newcomers *newcomers, unsigned ticket);

/* The place of an item in the table; UINT32_MAX: it is not there. O(log n). */
uint32_t vt__newcomer_place(const struct vt__newcomer_table *table, uint32_t item);

#endif
