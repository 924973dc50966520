/*
 * Values below 2^bits have a bucket each; above, the top bits + 1 bits of a value choose its
 * bucket, as in HdrHistogram: the width of a bucket is a fixed share of its values.
 */
#include "loadtest/histogram.h"

#include <math.h>

unsigned histogram_bucket(uint64_t value, unsigned bits)
{
    const unsigned sub = 1U << bits;
    if (value < sub)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - bits;
    if (shift >= HISTOGRAM_POWERS)
        return ((HISTOGRAM_POWERS + 1U) << bits) - 1;
    return ((shift + 1) << bits) + (unsigned)(value >> shift) - sub;
}

uint64_t histogram_bucket_end(unsigned bucket, unsigned bits)
{
    const unsigned sub = 1U << bits;
    if (bucket < sub)
        return bucket;
    unsigned shift = (bucket >> bits) - 1;
    uint64_t top = (bucket & (sub - 1)) + sub;
    return ((top + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_bucket(value, HISTOGRAM_SUB_BITS)]++;
    histogram->n++;
    if (value > histogram->max)
        histogram->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->n += from->n;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    uint64_t rank = (uint64_t)ceil(q * (double)histogram->n), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram->n > 0; i++) {
        seen += histogram->counts[i];
        if (seen >= rank && seen > 0) {
            uint64_t end = histogram_bucket_end(i, HISTOGRAM_SUB_BITS);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return 0;
}
