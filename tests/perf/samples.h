#ifndef TESTS_PERF_SAMPLES_H
#define TESTS_PERF_SAMPLES_H

#include <stdint.h>

/* Measured values, few enough to keep all: quantiles are exact. One thread. */
enum { SAMPLES_MAX = 1 << 16 };
struct samples {
    double values[SAMPLES_MAX];
    uint32_t n;
};

void samples_add(struct samples *samples, double value);        /* dropped when full */
double samples_quantile(struct samples *samples, double share); /* 0 when empty; sorts */
/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t bench_now_ns(void);
/* Nanoseconds of processor time: of the calling thread, of all threads so far. They move far less
 * than the clock when something else runs on the machine. */
int64_t bench_thread_cpu_ns(void);
int64_t bench_process_cpu_ns(void);
/* How long something took, by both clocks. */
struct bench_time {
    double seconds, cpu_seconds;
};

#endif
