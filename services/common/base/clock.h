#ifndef VT_BASE_CLOCK_H
#define VT_BASE_CLOCK_H

#include <stdint.h>

/* Time as the domain asks for it, so that tests can hold it. Any thread. */
struct vt_clock {
    int64_t (*unix_ms)(const struct vt_clock *clock);
    int64_t (*monotonic_ns)(const struct vt_clock *clock);
};

/* CLOCK_REALTIME and CLOCK_MONOTONIC. Lives for ever. */
const struct vt_clock *vt_clock_system(void);

/* Stands still until a test moves it. Embed and pass &fake.clock. */
struct vt_clock_fake {
    struct vt_clock clock;
    _Atomic int64_t now_unix_ms, now_monotonic_ns; /* relaxed: each is a number of its own */
};
/* Stops it at `unix_ms`, the monotonic clock at 0. */
void vt_clock_fake_init(struct vt_clock_fake *fake, int64_t unix_ms);
/* Moves both clocks. */
void vt_clock_fake_advance_ms(struct vt_clock_fake *fake, int64_t delta_ms);

/* Milliseconds since 1970, UTC; may jump. */
static inline int64_t vt_clock_unix_ms(const struct vt_clock *clock)
{
    return clock->unix_ms(clock);
}

/* Nanoseconds since some moment; never falls. What deadlines are told in. */
static inline int64_t vt_clock_monotonic_ns(const struct vt_clock *clock)
{
    return clock->monotonic_ns(clock);
}

#endif
