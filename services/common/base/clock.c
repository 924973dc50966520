/*
 * The system's clocks behind two function pointers, and one that stands still for tests. Reading
 * costs a vDSO call, about 25 ns; handlers read once a call and pass the number on.
 */
#include "services/common/base/clock.h"

#include "services/common/base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };

static struct timespec read_clock(clockid_t id)
{
    struct timespec now;
    VT_ASSERT(clock_gettime(id, &now) == 0);
    return now;
}

static int64_t system_unix_ms(const struct vt_clock *clock)
{
    (void)clock;
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static int64_t system_monotonic_ns(const struct vt_clock *clock)
{
    (void)clock;
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (int64_t)now.tv_sec * MS_PER_S * NS_PER_MS + now.tv_nsec;
}

const struct vt_clock *vt_clock_system(void)
{
    static const struct vt_clock system_clock = {system_unix_ms, system_monotonic_ns};
    return &system_clock;
}

static const struct vt_clock_fake *fake_of(const struct vt_clock *clock)
{
    return (const struct vt_clock_fake *)(const void *)((const char *)clock -
                                                        offsetof(struct vt_clock_fake, clock));
}

/* Relaxed: a test that moves the clock orders that by its own means. */
static int64_t fake_unix_ms(const struct vt_clock *clock)
{
    return atomic_load_explicit(&fake_of(clock)->now_unix_ms, memory_order_relaxed);
}

static int64_t fake_monotonic_ns(const struct vt_clock *clock)
{
    return atomic_load_explicit(&fake_of(clock)->now_monotonic_ns, memory_order_relaxed);
}

void vt_clock_fake_init(struct vt_clock_fake *fake, int64_t unix_ms)
{
    fake->clock = (struct vt_clock){fake_unix_ms, fake_monotonic_ns};
    atomic_init(&fake->now_unix_ms, unix_ms);
    atomic_init(&fake->now_monotonic_ns, 0);
}

void vt_clock_fake_advance_ms(struct vt_clock_fake *fake, int64_t delta_ms)
{
    atomic_fetch_add_explicit(&fake->now_unix_ms, delta_ms, memory_order_relaxed);
    atomic_fetch_add_explicit(&fake->now_monotonic_ns, delta_ms * NS_PER_MS, memory_order_relaxed);
}
