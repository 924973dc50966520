/*
 * Two atomics instead of a state enum: `misses` tells closed from open, `retry_ns` when the next
 * probe may go. A prober claims its turn by moving `retry_ns` ahead, so a probe that never reports
 * delays the next one by one period and no more.
 */
#include "services/common/base/breaker.h"

bool vt_breaker_allow(struct vt_breaker *breaker, int64_t now_ns)
{
    if (atomic_load_explicit(&breaker->misses, memory_order_relaxed) < VT_BREAKER_MISSES)
        return true;
    int64_t retry_ns = atomic_load_explicit(&breaker->retry_ns, memory_order_relaxed);
    if (now_ns < retry_ns)
        return false;
    return atomic_compare_exchange_strong_explicit(&breaker->retry_ns, &retry_ns,
                                                   now_ns + VT_BREAKER_OPEN_NS,
                                                   memory_order_relaxed, memory_order_relaxed);
}

bool vt_breaker_record(struct vt_breaker *breaker, int64_t now_ns, enum vt_breaker_outcome outcome)
{
    if (outcome == VT_BREAKER_UNKNOWN)
        return false;
    if (outcome == VT_BREAKER_ANSWERED) {
        atomic_store_explicit(&breaker->misses, 0, memory_order_relaxed);
        return false;
    }
    uint32_t misses = atomic_load_explicit(&breaker->misses, memory_order_relaxed);
    /* Held at the threshold, so that it cannot wrap while a service is away for days. */
    while (misses < VT_BREAKER_MISSES &&
           !atomic_compare_exchange_weak_explicit(&breaker->misses, &misses, misses + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    if (misses + 1 < VT_BREAKER_MISSES)
        return false;
    atomic_store_explicit(&breaker->retry_ns, now_ns + VT_BREAKER_OPEN_NS, memory_order_relaxed);
    return misses + 1 == VT_BREAKER_MISSES;
}
