/*
 * A run as JSON. The first keys are those that scripts rely on; what follows says how it was
 * measured and how far it can be believed, what each kind of call got, and what happened when, so
 * that `compare` can tell noise from difference later on.
 */
#include "loadtest/report_json.h"

#include "services/common/rpc/status.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { DIGITS = 12 };

/* Tenths are as fine as clocks are; a wide double's noise digits would only be longer. */
static json_t *tenths(double value)
{
    return json_real(round(value * 10) / 10);
}

static json_t *share(double value)
{
    return json_real(round(value * 1e4) / 1e4);
}

static json_t *quantile(const struct histogram *histogram, double q)
{
    return tenths((double)histogram_quantile(histogram, q) * 1e-3);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *errors_of(const struct call_counts *counts)
{
    json_t *errors = json_object();
    for (int code = 0; code < VT_CODE_COUNT; code++)
        if (counts->errors[code] > 0)
            json_object_set_new(errors,
                                vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code)),
                                count(counts->errors[code]));
    return errors;
}

static void set_counts(json_t *object, const struct call_counts *counts)
{
    json_object_set_new(object, "sent", count(counts->sent));
    json_object_set_new(object, "ok", count(counts->ok));
    json_object_set_new(object, "errors", errors_of(counts));
    json_object_set_new(object, "degraded", count(counts->degraded));
    json_object_set_new(object, "p50_us", quantile(&counts->latency, 0.5));
    json_object_set_new(object, "p90_us", quantile(&counts->latency, 0.9));
    json_object_set_new(object, "p99_us", quantile(&counts->latency, 0.99));
    json_object_set_new(object, "p999_us", quantile(&counts->latency, 0.999));
    json_object_set_new(object, "max_us", tenths((double)counts->latency.max * 1e-3));
}

static json_t *cpu_of(const struct load_result *result)
{
    return json_pack("{s:o,s:o,s:I,s:o}", "generator_user_s", tenths(result->user_s),
                     "generator_system_s", tenths(result->system_s), "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "machine_busy",
                     share(result->machine_busy));
}

static json_t *generator_of(const struct load_result *result, double rate)
{
    const char *doubt = load_result_doubt(result, rate);
    return json_pack("{s:b,s:s?,s:I,s:o,s:o,s:o,s:I,s:o}", "limited", doubt != NULL, "why", doubt,
                     "late", (json_int_t)result->late, "lag_p50_us", quantile(&result->lag, 0.5),
                     "lag_p99_us", quantile(&result->lag, 0.99), "max_late_us",
                     tenths((double)result->lag.max * 1e-3), "unsent", (json_int_t)result->unsent,
                     "busy", share(result->busy));
}

static json_t *calls_of(const struct load_result *result)
{
    json_t *calls = json_object();
    for (int kind = 0; kind < N_CALL_KINDS; kind++) {
        if (result->kinds[kind].sent == 0)
            continue;
        json_t *call = json_object();
        set_counts(call, &result->kinds[kind]);
        json_object_set_new(calls, workload_name((enum call_kind)kind), call);
    }
    return calls;
}

static json_t *slot_quantile(const struct timeline_slot *slot, double q)
{
    return tenths((double)timeline_slot_quantile(slot, q) * 1e-3);
}

static json_t *slot_of(const struct timeline *timeline, uint32_t i)
{
    const struct timeline_slot *slot = &timeline->slots[i];
    return json_pack("{s:o,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "t_s",
                     tenths((double)i * (double)timeline->slot_ns * 1e-9), "sent",
                     (json_int_t)slot->sent, "ok", (json_int_t)slot->ok, "failed",
                     (json_int_t)slot->failed, "degraded", (json_int_t)slot->degraded, "p50_us",
                     slot_quantile(slot, 0.5), "p99_us", slot_quantile(slot, 0.99), "max_us",
                     tenths((double)slot->max_ns * 1e-3));
}

static json_t *timeline_of(const struct timeline *timeline)
{
    json_t *slots = json_array();
    for (uint32_t i = 0; i < timeline->n_slots; i++)
        json_array_append_new(slots, slot_of(timeline, i));
    return slots;
}

/* Every series that moved, before and after. */
static json_t *metrics_of(const struct scrape *scrape)
{
    json_t *metrics = json_object();
    for (size_t i = 0; i < scrape->n_series; i++) {
        const struct scrape_series *series = &scrape->series[i];
        if (!(series->after > series->before) && !(series->after < series->before))
            continue;
        json_object_set_new(metrics, series->name,
                            json_pack("[f,f]", series->before, series->after));
    }
    return metrics;
}

static void set_setup(json_t *object, const struct generator_options *options)
{
    json_object_set_new(object, "target", json_string(options->target));
    json_object_set_new(object, "arrivals",
                        json_string(!(options->rate > 0) ? "closed"
                                    : options->poisson   ? "poisson"
                                                         : "fixed"));
    json_object_set_new(object, "warmup_s", json_real((double)options->warmup_ms * 1e-3));
    json_object_set_new(object, "connections", json_integer(options->connections));
    json_object_set_new(object, "threads", json_integer(options->threads));
    json_object_set_new(object, "seed", count(options->seed));
}

json_t *report_json(const struct generator_options *options, const struct load_result *result,
                    const struct scrape *scrape)
{
    json_t *object = json_object();
    json_object_set_new(object, "rate",
                        options->rate > 0 ? json_real(options->rate) : json_string("max"));
    set_counts(object, &result->all);
    json_object_set_new(object, "goodput", tenths(load_result_goodput(result)));
    json_object_set_new(object, "cpu", cpu_of(result));
    json_object_set_new(object, "generator", generator_of(result, options->rate));
    json_object_set_new(object, "duration_s", json_real(result->elapsed_s));
    set_setup(object, options);
    json_object_set_new(object, "calls", calls_of(result));
    json_object_set_new(object, "timeline", timeline_of(&result->timeline));
    if (scrape != NULL)
        json_object_set_new(object, "metrics", metrics_of(scrape));
    return object;
}

void report_json_print(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    putchar('\n');
    json_decref(object);
}
