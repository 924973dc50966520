/*
 * Shares of a side. A unit is never divided, so that with more than VT__UNITS_MAX / 2 ranks some
 * have twice the rows of others: the price of sums that are the same for any number of them.
 */
#include "models/factor/share.h"

static struct vt__share share_of(uint32_t n_rows)
{
    uint32_t rows = (n_rows + VT__UNITS_MAX - 1) / VT__UNITS_MAX;
    rows = (rows + VT__UNIT_ROWS_STEP - 1) / VT__UNIT_ROWS_STEP * VT__UNIT_ROWS_STEP;
    if (rows == 0)
        rows = VT__UNIT_ROWS_STEP;
    return (struct vt__share){
        .n_rows = n_rows, .rows_per_unit = rows, .n_units = (n_rows + rows - 1) / rows};
}

struct vt__share vt__share_alone(uint32_t n_rows)
{
    struct vt__share share = share_of(n_rows);
    share.n_ranks = 1;
    share.first[1] = n_rows;
    return share;
}

struct vt__share vt__share_divide(const struct vt_group *group, uint32_t n_rows,
                                  const uint64_t *starts, double row_entries)
{
    struct vt__share share = share_of(n_rows);
    const double whole = (double)starts[n_rows] + row_entries * (double)n_rows;
    uint32_t row = 0;
    share.rank = group->rank;
    share.n_ranks = group->n_ranks;
    for (uint32_t rank = 1; rank < group->n_ranks; rank++) {
        const double wanted = whole * rank / group->n_ranks;
        while (row < n_rows && (double)starts[row] + row_entries * (double)row < wanted)
            row += share.rows_per_unit;
        row = row < n_rows ? row : n_rows;
        share.first[rank] = row;
    }
    share.first[group->n_ranks] = n_rows;
    return share;
}

void vt__share_row_bounds(const struct vt__share *share, size_t row_bytes,
                          size_t ret_bounds[VT_GROUP_RANKS_MAX + 1])
{
    for (uint32_t rank = 0; rank <= share->n_ranks; rank++)
        ret_bounds[rank] = row_bytes * share->first[rank];
}

void vt__share_unit_bounds(const struct vt__share *share, size_t unit_bytes,
                           size_t ret_bounds[VT_GROUP_RANKS_MAX + 1])
{
    const size_t rows = share->rows_per_unit;
    for (uint32_t rank = 0; rank <= share->n_ranks; rank++)
        ret_bounds[rank] = (share->first[rank] + rows - 1) / rows * unit_bytes;
}
