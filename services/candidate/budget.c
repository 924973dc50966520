/* How many candidates each source may find: the defaults, which are what is best for a list of
 * nobody's particular wish, and the most that the working memory has room for. */
#include "services/candidate/scratch.h"

static const struct {
    uint32_t fallback, max;
} budgets[VT_SOURCE_COUNT] = {
    [VT_SOURCE_FACTOR] = {VT_CANDIDATES_MAX, VT_CANDIDATES_MAX},
    [VT_SOURCE_ITEM_NEIGHBOR] = {VT_CANDIDATES_MAX, VT_CANDIDATES_MAX},
    [VT_SOURCE_KERNEL] = {VT_CANDIDATES_MAX, VT_CANDIDATES_MAX},
    [VT_SOURCE_POPULAR] = {VT__POPULAR_MAX, VT__POPULAR_MAX},
    [VT_SOURCE_CONTENT] = {50, VT__CONTENT_MAX},
    [VT_SOURCE_BOUGHT_TOGETHER] = {100, VT__TOGETHER_MAX},
    [VT_SOURCE_TRENDING] = {20, VT__TRENDING_MAX},
    [VT_SOURCE_NEW_ARRIVAL] = {20, VT__NEW_MAX},
    [VT_SOURCE_CAMPAIGN] = {VT_CAMPAIGN_MAX, VT_CAMPAIGN_MAX},
    [VT_SOURCE_RECENTLY_VIEWED] = {0, VT__VIEWED_MAX},
    [VT_SOURCE_BUY_AGAIN] = {0, VT__AGAIN_MAX},
    [VT_SOURCE_GROUP] = {20, VT__GROUP_MAX},
};

void vt_candidate_budgets_default(uint32_t ret_budgets[VT_SOURCE_COUNT])
{
    for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
        ret_budgets[source] = budgets[source].fallback;
}

uint32_t vt_candidate_budget_max(unsigned source)
{
    return source < VT_SOURCE_COUNT ? budgets[source].max : 0;
}

uint32_t vt__budget(const struct vt_candidate_query *query, enum vt_source source)
{
    uint32_t budget = query->budgets != NULL ? query->budgets[source] : budgets[source].fallback;
    return budget < budgets[source].max ? budget : budgets[source].max;
}
