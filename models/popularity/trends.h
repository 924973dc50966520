#ifndef VT_POPULARITY_TRENDS_H
#define VT_POPULARITY_TRENDS_H

#include "models/popularity/demand.h"
#include "services/common/base/diag.h"

/*
 * What is gaining: an item whose newest window holds more of its customers than its own past and
 * the growth of the whole store explain. With n of the item's customers in the last window and m in
 * the `windows_past` before it (a customer counts once in a window), and N and M those of all
 * items,
 *
 *   strength = ln( odds of the lower end of the Wilson interval of n / (n + m), at z
 *                  / odds of N / (N + M) )
 *
 * where it is above 0: the item's rate has at least grown by that factor against the store's. An
 * item without a past trends when enough customers came at once.
 */
struct vt_trend_options {
    double window_days;
    uint32_t windows_past;  /* 1 … VT_TREND_WINDOWS_MAX */
    uint32_t customers_min; /* in the last window */
    double z;               /* 3.29: by chance one of 2,000 steady items seems to trend */
};
enum { VT_TREND_WINDOWS_MAX = 52 };
/* 7 days against the 4 weeks before, 5 customers, z 3.29. */
void vt_trend_options_default(struct vt_trend_options *ret_options);

/* `ret_strength`: n_items floats, above 0 for what trends, else 0; *ret_n_trending how many do.
 * Events of negative weight do not count. VT_INVALID: an option is out of range; VT_EXHAUSTED.
 * O(n). */
VT_MUST_USE struct vt_err vt_trends_find(const struct vt_demand *demand,
                                         const struct vt_trend_options *options,
                                         struct vt_diag *diag, float *ret_strength,
                                         uint32_t *ret_n_trending);

#endif
