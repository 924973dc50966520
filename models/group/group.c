/*
 * What a group of processes does together, made of pairwise swaps. Nothing is added up here: sums
 * are gathered in parts and added by everybody in the order of the data, so that the number of
 * ranks cannot show in the bits.
 */
#include "models/group/group.h"

#include <string.h>

/* From rank 0 to each; `start` and `size` say what of `whole` a rank gets. */
static struct vt_err deal(const struct vt_group *group, const size_t *bounds, const void *whole,
                          void *ret_part)
{
    if (group->rank != 0)
        return group->swap(group->self, 0, NULL, 0, 0, ret_part,
                           bounds[group->rank + 1] - bounds[group->rank]);
    for (uint32_t rank = 1; rank < group->n_ranks; rank++)
        VT_TRY(group->swap(group->self, rank, (const char *)whole + bounds[rank],
                           bounds[rank + 1] - bounds[rank], rank, NULL, 0));
    return vt_ok();
}

struct vt_err vt_group_broadcast(const struct vt_group *group, void *bytes, size_t size_bytes)
{
    if (group->rank != 0)
        return group->swap(group->self, 0, NULL, 0, 0, bytes, size_bytes);
    for (uint32_t rank = 1; rank < group->n_ranks; rank++)
        VT_TRY(group->swap(group->self, rank, bytes, size_bytes, rank, NULL, 0));
    return vt_ok();
}

struct vt_err vt_group_all_gather(const struct vt_group *group, const size_t *bounds, void *bytes)
{
    char *at = bytes;
    uint32_t rank = group->rank, n = group->n_ranks;
    for (uint32_t shift = 1; shift < n; shift++) {
        uint32_t to = (rank + shift) % n, from = (rank + n - shift) % n;
        VT_TRY(group->swap(group->self, to, at + bounds[rank], bounds[rank + 1] - bounds[rank],
                           from, at + bounds[from], bounds[from + 1] - bounds[from]));
    }
    return vt_ok();
}

struct vt_err vt_group_gather(const struct vt_group *group, const size_t *bounds, const void *part,
                              void *ret_whole)
{
    uint32_t own = group->rank;
    if (own != 0)
        return group->swap(group->self, 0, part, bounds[own + 1] - bounds[own], 0, NULL, 0);
    memcpy(ret_whole, part, bounds[1] - bounds[0]);
    for (uint32_t rank = 1; rank < group->n_ranks; rank++)
        VT_TRY(group->swap(group->self, rank, NULL, 0, rank, (char *)ret_whole + bounds[rank],
                           bounds[rank + 1] - bounds[rank]));
    return vt_ok();
}

struct vt_err vt_group_scatter(const struct vt_group *group, const size_t *bounds,
                               const void *whole, void *ret_part)
{
    if (group->rank == 0)
        memcpy(ret_part, (const char *)whole + bounds[0], bounds[1] - bounds[0]);
    return deal(group, bounds, whole, ret_part);
}
