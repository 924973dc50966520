/* Values and their quantiles by sorting. */
#include "tests/perf/samples.h"

#include <stdlib.h>
#include <time.h>

void samples_add(struct samples *samples, double value)
{
    if (samples->n < SAMPLES_MAX)
        samples->values[samples->n++] = value;
}

static int compare(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

double samples_quantile(struct samples *samples, double share)
{
    if (samples->n == 0)
        return 0;
    qsort(samples->values, samples->n, sizeof samples->values[0], compare);
    return samples->values[(uint32_t)(share * (samples->n - 1))];
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t bench_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t bench_process_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
