#ifndef VT_FACTOR_SHARE_H
#define VT_FACTOR_SHARE_H

#include "models/group/group.h"

#include <stddef.h>
#include <stdint.h>

/*
 * How the rows of one side belong to the ranks of a group: each has a run of whole units. Units
 * depend on the size of the side alone, and every sum over rows is one of units in order, so that
 * the bytes do not depend on who owns what.
 */
enum {
    VT__UNIT_ROWS_STEP = 128, /* a unit is a multiple of it, the side's last one aside */
    VT__UNITS_MAX = 64,       /* bounds the partial sums that are kept and exchanged */
};

struct vt__share {
    uint32_t n_rows, rows_per_unit, n_units; /* of the whole side */
    uint32_t rank, n_ranks;
    uint32_t first[VT_GROUP_RANKS_MAX + 1]; /* the first row of each rank; last: n_rows */
};

/* All of it belongs to the one rank. */
struct vt__share vt__share_alone(uint32_t n_rows);
/* Runs of about the same work: `starts` (n_rows + 1) counts the entries before each row, and a row
 * itself counts as `row_entries` of them. */
struct vt__share vt__share_divide(const struct vt_group *group, uint32_t n_rows,
                                  const uint64_t *starts, double row_entries);

static inline uint32_t vt__share_first(const struct vt__share *share)
{
    return share->first[share->rank];
}
static inline uint32_t vt__share_rows(const struct vt__share *share)
{
    return share->first[share->rank + 1] - share->first[share->rank];
}
/* What all_gather and its like want, for rows of `row_bytes`; or for units of `unit_bytes`. */
void vt__share_row_bounds(const struct vt__share *share, size_t row_bytes,
                          size_t ret_bounds[VT_GROUP_RANKS_MAX + 1]);
void vt__share_unit_bounds(const struct vt__share *share, size_t unit_bytes,
                           size_t ret_bounds[VT_GROUP_RANKS_MAX + 1]);

#endif
