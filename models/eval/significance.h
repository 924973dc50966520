#ifndef VT_EVAL_SIGNIFICANCE_H
#define VT_EVAL_SIGNIFICANCE_H

#include "services/common/base/err.h"

#include <stdint.h>

/*
 * How sure a mean over customers is, and whether two models differ: the bootstrap (Efron 1979) over
 * customers, who are the independent draws. Percentile intervals; for two models the differences of
 * the same customers are resampled, which takes out what is hard about a customer for both (Sakai,
 * "Evaluating evaluation metrics based on the bootstrap", 2006). Any thread; same bytes for any
 * thread count.
 *
 * Values are those of vt_eval_options.per_user: NaN stands for a customer who is not measured and
 * is left out, in pairs when either is NaN.
 */
struct vt_bootstrap_options {
    uint32_t resamples; /* 1 … VT_RESAMPLES_MAX */
    double confidence;  /* of the interval, in (0, 1) */
    uint64_t seed;
    uint32_t threads; /* 0: one per CPU */
};
enum { VT_RESAMPLES_MAX = 100000 };
/* 2,000 resamples, 95 %, seed 1. */
void vt_bootstrap_options_default(struct vt_bootstrap_options *ret_options);

struct vt_interval {
    double mean, low, high; /* all 0 when n is 0 */
    uint32_t n;             /* customers that were measured */
};

/* The mean of `values` (n) and its interval. VT_INVALID for options out of range, VT_EXHAUSTED.
 * Cost: resamples · n draws. */
VT_MUST_USE struct vt_err vt_bootstrap_mean(const double *values, uint32_t n,
                                            const struct vt_bootstrap_options *options,
                                            struct vt_interval *ret_mean);

struct vt_paired_difference {
    struct vt_interval difference; /* of a − b */
    double mean_a, mean_b;         /* over the same customers */
    /* One-sided: how often chance alone would show a difference at least this low (high) if a and b
     * were equal, from the resampled differences: the share of them at or above (below) 0, counting
     * the observed one as a draw (Davison and Hinkley 1997), so never 0. */
    double p_worse, p_better;
};

/* a against b, row by row. As vt_bootstrap_mean. Equal values give a difference of exactly 0 and
 * both p of 1. */
VT_MUST_USE struct vt_err vt_bootstrap_paired(const double *a, const double *b, uint32_t n,
                                              const struct vt_bootstrap_options *options,
                                              struct vt_paired_difference *ret_paired);

#endif
