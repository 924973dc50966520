/*
 * vitrine-bench fold-in: the time from a history to a customer's vector. Factors are random, which
 * changes nothing: the work depends on the shape alone. Each round has another history.
 */
#include "models/factor/fold_in.h"

#include "models/dataset/mix.h"
#include "models/kernels/kernels.h"
#include "services/node/command.h"
#include "tests/perf/bench.h"
#include "tests/perf/samples.h"

#include <stdlib.h>

struct fold_in_options {
    uint32_t factors, events, items, rounds;
    bool json;
};

#define AT(field_) offsetof(struct fold_in_options, field_)
#define NUMBER(name_, field_, help_, fallback_, max_)                                              \
    {                                                                                              \
        .name = (name_), .kind = VT_OPTION_U32, .offset = AT(field_), .argument = "N",             \
        .help = (help_), .fallback = (fallback_), .min = 1, .max = (max_), .flag_only = true       \
    }
static const struct vt_option option_table[] = {
    NUMBER("factors", factors, "dimensions", "64", VT_FACTORS_MAX),
    NUMBER("events", events, "of a history", "50", 10000),
    NUMBER("items", items, "rows that histories are drawn from", "10000", 10000000),
    NUMBER("rounds", rounds, "histories", "5000", SAMPLES_MAX),
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "the form of the output, which has no other",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine-bench fold-in",
    .summary = "measures the time from a history to a vector",
    .example = "vitrine-bench fold-in --factors 64 --events 50",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

struct fold_in_bench {
    const struct fold_in_options *options;
    float *factors, *weights, *vector;
    uint32_t *rows;
    double *gram;
    void *scratch;
    uint64_t seed;
};

static uint64_t next(struct fold_in_bench *bench)
{
    bench->seed += VT_MIX64_STEP;
    return vt_mix64(bench->seed);
}

static struct vt_err make(struct fold_in_bench *bench)
{
    const size_t dim = bench->options->factors, n = bench->options->items;
    bench->factors = malloc(n * dim * sizeof *bench->factors);
    bench->gram = calloc(dim * dim, sizeof *bench->gram);
    bench->weights = malloc(bench->options->events * sizeof *bench->weights);
    bench->rows = malloc(bench->options->events * sizeof *bench->rows);
    bench->vector = malloc(dim * sizeof *bench->vector);
    bench->scratch = malloc(vt_fold_in_scratch_bytes((uint32_t)dim));
    VT_CHECK(bench->factors != NULL && bench->gram != NULL && bench->weights != NULL &&
                 bench->rows != NULL && bench->vector != NULL && bench->scratch != NULL,
             VT_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < n * dim; i++)
        bench->factors[i] = (float)(next(bench) >> 40) * 0x1p-24F - 0.5F;
    for (size_t d = 0; d < dim; d++)
        bench->gram[d * dim + d] = (double)n / 12 * 0.01; /* of uniform numbers, weight 0.01 */
    return vt_ok();
}

static struct vt_err measure(struct fold_in_bench *bench, struct samples *samples)
{
    const struct fold_in_options *options = bench->options;
    const struct vt_fold_in_model model = {
        .item_factors = bench->factors,
        .gram = bench->gram,
        .n_items = options->items,
        .dim = options->factors,
        .row_stride = options->factors,
        .regularization = 0.01,
        .regularization_exponent = 1,
        .unobserved_weight = 0.01,
    };
    for (uint32_t round = 0; round < options->rounds; round++) {
        for (uint32_t e = 0; e < options->events; e++) {
            bench->rows[e] = (uint32_t)(next(bench) % options->items);
            bench->weights[e] = 1 + (float)(next(bench) % 8);
        }
        int64_t begin_ns = bench_now_ns();
        VT_TRY(vt_fold_in(&model, bench->rows, bench->weights, options->events, bench->scratch,
                          bench->vector));
        samples_add(samples, (double)(bench_now_ns() - begin_ns) / 1e3);
    }
    return vt_ok();
}

static struct vt_err run(struct fold_in_bench *bench)
{
    static struct samples samples;
    double sum = 0;
    VT_TRY(make(bench));
    VT_TRY(measure(bench, &samples));
    for (uint32_t i = 0; i < samples.n; i++)
        sum += samples.values[i];
    return vt_command_print_json(
        json_pack("{s:I, s:I, s:f, s:f, s:f, s:s}", "factors", (json_int_t)bench->options->factors,
                  "events", (json_int_t)bench->options->events, "mean_us", sum / samples.n,
                  "p50_us", samples_quantile(&samples, 0.5), "p99_us",
                  samples_quantile(&samples, 0.99), "variant", vt_kernels()->name));
}

static int run_fold_in(void *target, const struct vt_options *options)
{
    (void)options;
    struct fold_in_bench bench = {.options = target, .seed = 1};
    struct vt_err err = run(&bench);
    free(bench.factors);
    free(bench.gram);
    free(bench.weights);
    free(bench.rows);
    free(bench.vector);
    free(bench.scratch);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, NULL) : VT_EXIT_DONE;
}

int bench_fold_in(int argc, char **argv)
{
    struct fold_in_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_fold_in);
}
