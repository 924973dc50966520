#ifndef VT_BASE_BREAKER_H
#define VT_BASE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Stops asking a service that does not answer, so that not every caller waits for it in vain.
 * Closed: everybody may ask. After VT_BREAKER_MISSES misses in a row it opens: nobody may, for
 * VT_BREAKER_OPEN_NS. Then one caller at a time may probe; an answer closes it, a miss opens it
 * again. Any thread, wait-free; time comes from the caller.
 */
enum { VT_BREAKER_MISSES = 3 };
#define VT_BREAKER_OPEN_NS INT64_C(500000000)

enum vt_breaker_outcome {
    VT_BREAKER_ANSWERED, /* any answer, a refusal too */
    VT_BREAKER_MISSED,   /* none in its budget, or nobody there */
    VT_BREAKER_UNKNOWN,  /* our side gave up first: says nothing */
};

struct vt_breaker {           /* zero is closed */
    _Atomic uint32_t misses;  /* in a row; relaxed: a heuristic, orders nothing */
    _Atomic int64_t retry_ns; /* when open: not before this; relaxed */
};

/* False: do not ask. True: ask, and tell the outcome. */
bool vt_breaker_allow(struct vt_breaker *breaker, int64_t now_ns);
/* Returns true when this outcome opened the breaker (it was closed before). */
bool vt_breaker_record(struct vt_breaker *breaker, int64_t now_ns, enum vt_breaker_outcome outcome);

#endif
