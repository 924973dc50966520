#ifndef LOADTEST_RESULT_H
#define LOADTEST_RESULT_H

#include "loadtest/histogram.h"
#include "loadtest/timeline.h"
#include "loadtest/workload.h"
#include "services/common/base/err.h"

enum { GENERATOR_LATE_US = 1000 };

/* Of the calls of one kind. */
struct call_counts {
    struct histogram latency; /* of OK answers, ns since the intended send time */
    uint64_t sent, ok, degraded;
    uint64_t errors[VT_CODE_COUNT];
};

/* What happened after the warm-up. Large: not on a stack. */
struct load_result {
    struct call_counts kinds[N_CALL_KINDS];
    struct call_counts all;
    struct timeline timeline;
    struct histogram lag;    /* ns from the intended to the real send time: the generator's own */
    uint64_t late;           /* sent more than GENERATOR_LATE_US after their time */
    uint64_t unsent;         /* due, but max_outstanding calls were under way */
    double elapsed_s;        /* the measured time */
    double busy;             /* share of its time that the busiest thread was not idle; 0 to 1 */
    double user_s, system_s; /* processor time of the generator, warm-up included */
    double machine_busy;     /* share of all cores in use while measuring, by everybody */
};

/* `duration_ms` as measured. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err load_result_new(int64_t duration_ms, struct load_result **ret_result);
void load_result_free(struct load_result *result); /* NULL is allowed */
/* Adds one thread's counts; `all` and the machine's numbers are left alone. */
void load_result_merge(struct load_result *into, const struct load_result *from);
/* Makes `all` the sum of the kinds. */
void load_result_sum(struct load_result *result);

/* OK and not degraded, a second. */
double load_result_goodput(const struct load_result *result);
/* Of the latencies of all OK answers, microseconds. */
double load_result_quantile_us(const struct load_result *result, double q);
/* All errors, whatever their code. */
uint64_t load_result_n_errors(const struct call_counts *counts);
/* Why the numbers are the generator's rather than the target's, for people; NULL: they are not.
 * `rate` 0: closed loop. */
const char *load_result_doubt(const struct load_result *result, double rate);

#endif
