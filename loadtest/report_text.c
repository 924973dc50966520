/* A run as a few lines for a terminal. */
#include "loadtest/report_text.h"

#include "services/common/rpc/status.h"

#include <stdio.h>

static double us(const struct histogram *histogram, double q)
{
    return (double)histogram_quantile(histogram, q) * 1e-3;
}

static void print_latency(const char *name, const struct histogram *latency, const char *note)
{
    printf("%-12s p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us%s\n", name,
           us(latency, 0.5), us(latency, 0.9), us(latency, 0.99), us(latency, 0.999),
           (double)latency->max * 1e-3, note);
}

static void print_kinds(const struct load_result *result)
{
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        if (result->kinds[kind].sent > 0 && result->kinds[kind].sent < result->all.sent)
            print_latency(workload_name((enum call_kind)kind), &result->kinds[kind].latency, "");
}

static void print_errors(const struct call_counts *counts)
{
    for (int code = 0; code < VT_CODE_COUNT; code++)
        if (counts->errors[code] > 0)
            printf("%-12s %llu %s\n", "errors", (unsigned long long)counts->errors[code],
                   vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code)));
}

void report_text_print(const struct generator_options *options, const struct load_result *result)
{
    printf("%-12s %s for %g s, %u connections, %u threads\n", "target", options->target,
           result->elapsed_s, options->connections, options->threads);
    printf("%-12s %llu sent, %llu ok, %llu degraded, %.1f/s good\n", "calls",
           (unsigned long long)result->all.sent, (unsigned long long)result->all.ok,
           (unsigned long long)result->all.degraded, load_result_goodput(result));
    print_errors(&result->all);
    print_latency("latency", &result->all.latency,
                  options->rate > 0 ? "" : " (closed loop: these hide queueing)");
    print_kinds(result);
    printf("%-12s sent late by p50 %.0f us, p99 %.0f us, worst %.0f us; %llu not sent; busy "
           "%.0f %%, machine %.0f %%\n",
           "generator", us(&result->lag, 0.5), us(&result->lag, 0.99),
           (double)result->lag.max * 1e-3, (unsigned long long)result->unsent, result->busy * 100,
           result->machine_busy * 100);
}
