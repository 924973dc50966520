/*
 * Counts, and the judgement whether they are worth anything. A generator that could not keep its
 * own schedule measured itself: its delay is inside every latency. That is told from what it saw of
 * itself, by limits that are generous to nobody.
 */
#include "loadtest/result.h"

#include <stdlib.h>

static const double LATE_SHARE_MAX = 0.01; /* then p99 may be the generator's own */
static const double LAG_SHARE_MAX = 0.1;   /* of the median latency, for the median lag */
static const double BUSY_MAX = 0.95;
static const double LAG_FREE_NS = 50e3; /* no one reads medians more finely than that */

struct vt_err load_result_new(int64_t duration_ms, struct load_result **ret_result)
{
    struct load_result *result = calloc(1, sizeof *result);
    if (result == NULL || !timeline_init(&result->timeline, duration_ms)) {
        free(result);
        return VT_ERR(VT_EXHAUSTED, "no memory for the counts");
    }
    result->elapsed_s = (double)duration_ms * 1e-3;
    *ret_result = result;
    return vt_ok();
}

void load_result_free(struct load_result *result)
{
    if (result == NULL)
        return;
    timeline_fini(&result->timeline);
    free(result);
}

static void merge_counts(struct call_counts *into, const struct call_counts *from)
{
    histogram_merge(&into->latency, &from->latency);
    into->sent += from->sent;
    into->ok += from->ok;
    into->degraded += from->degraded;
    for (int code = 0; code < VT_CODE_COUNT; code++)
        into->errors[code] += from->errors[code];
}

void load_result_merge(struct load_result *into, const struct load_result *from)
{
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        merge_counts(&into->kinds[kind], &from->kinds[kind]);
    timeline_merge(&into->timeline, &from->timeline);
    histogram_merge(&into->lag, &from->lag);
    into->late += from->late;
    into->unsent += from->unsent;
    if (from->busy > into->busy)
        into->busy = from->busy;
}

void load_result_sum(struct load_result *result)
{
    result->all = (struct call_counts){0};
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        merge_counts(&result->all, &result->kinds[kind]);
}

double load_result_goodput(const struct load_result *result)
{
    return (double)(result->all.ok - result->all.degraded) / result->elapsed_s;
}

double load_result_quantile_us(const struct load_result *result, double q)
{
    return (double)histogram_quantile(&result->all.latency, q) * 1e-3;
}

uint64_t load_result_n_errors(const struct call_counts *counts)
{
    uint64_t n = 0;
    for (int code = 0; code < VT_CODE_COUNT; code++)
        n += counts->errors[code];
    return n;
}

const char *load_result_doubt(const struct load_result *result, double rate)
{
    double lag_ns = (double)histogram_quantile(&result->lag, 0.5);
    double latency_ns = (double)histogram_quantile(&result->all.latency, 0.5);
    if (!(rate > 0))
        return NULL; /* a closed loop has no schedule to miss */
    if (result->unsent > 0)
        return "calls were not sent at all: too many were under way (--max-outstanding)";
    if ((double)result->late > LATE_SHARE_MAX * (double)result->all.sent)
        return "over 1 % of the calls were sent more than 1 ms late";
    if (lag_ns > LAG_FREE_NS && lag_ns > LAG_SHARE_MAX * latency_ns)
        return "half of the calls were sent late by over a tenth of their latency";
    if (result->busy > BUSY_MAX)
        return "a generator thread had no time left";
    return NULL;
}
