/*
 * A set of placements: made by placement_read.c, found here. Everything it says lies in one arena
 * of its own and goes with its last reader.
 */
#include "services/ranking/placement.h"

static const char *const source_names[VT_SOURCE_COUNT] = {
    [VT_SOURCE_FACTOR] = "factor",
    [VT_SOURCE_ITEM_NEIGHBOR] = "item-neighbor",
    [VT_SOURCE_POPULAR] = "popular",
    [VT_SOURCE_CONTENT] = "content",
    [VT_SOURCE_BOUGHT_TOGETHER] = "bought-together",
    [VT_SOURCE_TRENDING] = "trending",
    [VT_SOURCE_NEW_ARRIVAL] = "new-arrival",
    [VT_SOURCE_CAMPAIGN] = "campaign",
    [VT_SOURCE_KERNEL] = "kernel",
    [VT_SOURCE_MODEL] = "model",
    [VT_SOURCE_RANKER] = "ranker",
    [VT_SOURCE_RECENTLY_VIEWED] = "recently-viewed",
    [VT_SOURCE_BUY_AGAIN] = "buy-again",
    [VT_SOURCE_GROUP] = "group",
};

const char *vt_source_name(unsigned source)
{
    return source < VT_SOURCE_COUNT ? source_names[source] : NULL;
}

bool vt_placement_only(unsigned source)
{
    return source == VT_SOURCE_CAMPAIGN || source == VT_SOURCE_RECENTLY_VIEWED ||
           source == VT_SOURCE_BUY_AGAIN || source == VT_SOURCE_GROUP;
}

void vt_placement_default(struct vt_placement *ret_placement)
{
    *ret_placement = (struct vt_placement){
        .name = vt_slice_str("default"),
        .diversity = 1,
        .exploration = {.new_for_ms = INT64_C(14) * 86400000,
                        .until_events = 20,
                        .prior_wins = 1,
                        .prior_misses = 20},
    };
    /* Buy again was chosen by tests/perf/buy_again.py; the others are reasoned. */
    ret_placement->weights[VT_SOURCE_CAMPAIGN] = .1F;
    ret_placement->weights[VT_SOURCE_RECENTLY_VIEWED] = .1F;
    ret_placement->weights[VT_SOURCE_BUY_AGAIN] = .5F;
    ret_placement->weights[VT_SOURCE_GROUP] = .05F;
    vt_candidate_budgets_default(ret_placement->budgets);
}

const struct vt_placement *vt_placements_find(const struct vt_placements *placements,
                                              struct vt_slice name)
{
    for (uint32_t p = 1; p < placements->n_placements; p++)
        if (vt_slice_equal(placements->placements[p].name, name))
            return &placements->placements[p];
    return &placements->placements[0];
}
