#ifndef LOADTEST_RATIO_H
#define LOADTEST_RATIO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many times more, and how sure that is. Samples are rounds of a measurement; their logarithms
 * are averaged, so that twice as much and half as much lie equally far from the same, and the bound
 * is Student's, at 95 %. It covers what varied between the rounds and nothing else: not another
 * day, not another machine.
 */
struct ratio {
    double a, b;      /* geometric means */
    double value;     /* b / a */
    double low, high; /* the bound; 0 and infinity when there are too few samples */
    bool differs;     /* the bound leaves out 1 */
};

/* Round i of one was measured beside round i of the other. Values > 0, n ≥ 1. */
struct ratio ratio_paired(const double *a, const double *b, uint32_t n);
/* Each was measured by itself (Welch's test). Values > 0, n ≥ 1. */
struct ratio ratio_separate(const double *a, uint32_t n_a, const double *b, uint32_t n_b);

#endif
