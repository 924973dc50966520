#ifndef VT_BASE_RETRY_BUDGET_H
#define VT_BASE_RETRY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How many calls may be made twice: one for every ten that are made, and a few to begin with. So a
 * service that fails everything gets a tenth more of calls, not twice as many. Any thread,
 * wait-free.
 */
enum {
    VT_RETRY_BUDGET_PER_CALLS = 10,
    VT_RETRY_BUDGET_MAX = 10 /* retries that can be saved up */
};

struct vt_retry_budget {
    _Atomic int32_t spent; /* in tenths of a retry; zero is a full budget; relaxed: a heuristic */
};

/* A call is made: a tenth of a retry is earned. */
void vt_retry_budget_earn(struct vt_retry_budget *budget);
/* True when a retry may be made; it is taken. */
bool vt_retry_budget_take(struct vt_retry_budget *budget);

#endif
