/*
 * A token bucket without a clock, as gRPC's retry throttling has one: calls fill it, retries empty
 * it. What is spent is kept instead of what is left, so that a zeroed budget is a full one. A load
 * before each change keeps the line shared between cores while all is well and nothing is spent.
 */
#include "services/common/base/retry_budget.h"

enum { SPENT_MAX = VT_RETRY_BUDGET_MAX * VT_RETRY_BUDGET_PER_CALLS };

void vt_retry_budget_earn(struct vt_retry_budget *budget)
{
    int32_t spent = atomic_load_explicit(&budget->spent, memory_order_relaxed);
    while (spent > 0 &&
           !atomic_compare_exchange_weak_explicit(&budget->spent, &spent, spent - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

bool vt_retry_budget_take(struct vt_retry_budget *budget)
{
    int32_t spent = atomic_load_explicit(&budget->spent, memory_order_relaxed);
    while (spent + VT_RETRY_BUDGET_PER_CALLS <= SPENT_MAX)
        if (atomic_compare_exchange_weak_explicit(&budget->spent, &spent,
                                                  spent + VT_RETRY_BUDGET_PER_CALLS,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}
