#ifndef VT_DATASET_WILSON_H
#define VT_DATASET_WILSON_H

/* The lower end of the Wilson score interval (1927) of the share n_hits / n: the share is at least
 * that, as sure as `z` says (1.645: 95 %). 0 for n = 0. Any thread. */
double vt_wilson_lower(double n_hits, double n, double z);

#endif
