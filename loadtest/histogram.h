#ifndef LOADTEST_HISTOGRAM_H
#define LOADTEST_HISTOGRAM_H

#include <stdint.h>

/*
 * Latencies in nanoseconds, in buckets whose width grows with the value (as HdrHistogram does): 128
 * to each power of two, so that a quantile is off by less than 0.8 %. Counting is O(1) and never
 * allocates. One thread; merge at the end.
 */
enum { HISTOGRAM_SUB_BITS = 7, HISTOGRAM_POWERS = 40 };
enum { HISTOGRAM_BUCKETS = (HISTOGRAM_POWERS + 1) << HISTOGRAM_SUB_BITS };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t n;
    uint64_t max; /* exact */
};

/* Counts one value; above 2^47 it counts in the last bucket. */
void histogram_add(struct histogram *histogram, uint64_t value);
/* As if every value of `from` had been added to `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);
/* Which bucket a value falls into where 2^bits share a power of two, and the largest value of a
 * bucket: at most 2^-bits above any other of it. */
unsigned histogram_bucket(uint64_t value, unsigned bits);
uint64_t histogram_bucket_end(unsigned bucket, unsigned bits);
/* The value that a share `q` (0 to 1) of all does not exceed, rounded up to its bucket's end; 0
 * when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

#endif
