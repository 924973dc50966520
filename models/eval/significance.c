/*
 * The bootstrap. A resample is one block of work: it draws n customers with its own counter-based
 * generator (seed, resample, draw), so neither the thread count nor the order of blocks shows. Its
 * mean goes to its own slot; the sorted slots are the distribution. The measured values are packed
 * first, so that a draw is one multiplication and one load.
 */
#include "models/eval/significance.h"

#include "models/dataset/mix.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>

enum { DEFAULT_RESAMPLES = 2000 };
#define DEFAULT_CONFIDENCE 0.95

void vt_bootstrap_options_default(struct vt_bootstrap_options *ret_options)
{
    *ret_options = (struct vt_bootstrap_options){
        .resamples = DEFAULT_RESAMPLES, .confidence = DEFAULT_CONFIDENCE, .seed = 1};
}

struct bootstrap {
    const struct vt_bootstrap_options *options;
    double *values; /* owned: the n that are measured */
    double *means;  /* owned: one for each resample */
    uint32_t n;
};

static double mean_of(const double *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += values[i];
    return n > 0 ? sum / (double)n : 0;
}

/* Lemire's multiply-shift: 32 random bits to [0, n); its bias of n / 2^32 is far below the noise of
 * the resamples. */
static uint32_t draw_below(uint32_t n, uint64_t state)
{
    return (uint32_t)(((vt_mix64(state) >> 32) * n) >> 32);
}

static void resample(void *ctx, uint32_t block, uint32_t thread)
{
    struct bootstrap *bootstrap = ctx;
    uint64_t state = vt_mix64(bootstrap->options->seed * VT_MIX64_STEP + block);
    double sum = 0;
    (void)thread;
    for (uint32_t i = 0; i < bootstrap->n; i++) {
        state += VT_MIX64_STEP;
        sum += bootstrap->values[draw_below(bootstrap->n, state)];
    }
    bootstrap->means[block] = sum / (double)bootstrap->n;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The means that bound the middle `confidence` of them. */
static struct vt_interval interval_of(const struct bootstrap *bootstrap)
{
    uint32_t last = bootstrap->options->resamples - 1;
    uint32_t skip = (uint32_t)floor((1 - bootstrap->options->confidence) / 2 * (double)(last + 1));
    return (struct vt_interval){.mean = mean_of(bootstrap->values, bootstrap->n),
                                .low = bootstrap->means[skip],
                                .high = bootstrap->means[last - skip],
                                .n = bootstrap->n};
}

static struct vt_err bootstrap_init(struct bootstrap *bootstrap, uint32_t n,
                                    const struct vt_bootstrap_options *options)
{
    *bootstrap = (struct bootstrap){.options = options};
    VT_CHECK(options->resamples >= 1 && options->resamples <= VT_RESAMPLES_MAX, VT_INVALID,
             "resamples must be 1 to 100000");
    VT_CHECK(options->confidence > 0 && options->confidence < 1, VT_INVALID,
             "confidence must be between 0 and 1");
    bootstrap->values = malloc(((size_t)n + 1) * sizeof *bootstrap->values);
    bootstrap->means = malloc(options->resamples * sizeof *bootstrap->means);
    VT_CHECK(bootstrap->values != NULL && bootstrap->means != NULL, VT_EXHAUSTED,
             "out of memory for the bootstrap");
    return vt_ok();
}

static void bootstrap_fini(struct bootstrap *bootstrap)
{
    free(bootstrap->values);
    free(bootstrap->means);
}

static void bootstrap_run(struct bootstrap *bootstrap)
{
    const struct vt_bootstrap_options *options = bootstrap->options;
    vt_parallel(options->resamples, vt_threads_resolve(options->threads), resample, bootstrap);
    qsort(bootstrap->means, options->resamples, sizeof *bootstrap->means, ascending);
}

struct vt_err vt_bootstrap_mean(const double *values, uint32_t n,
                                const struct vt_bootstrap_options *options,
                                struct vt_interval *ret_mean)
{
    struct bootstrap bootstrap;
    struct vt_err err = bootstrap_init(&bootstrap, n, options);
    if (vt_failed(err))
        goto done;
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            bootstrap.values[bootstrap.n++] = values[i];
    if (bootstrap.n > 0)
        bootstrap_run(&bootstrap);
    *ret_mean = bootstrap.n > 0 ? interval_of(&bootstrap) : (struct vt_interval){0};
done:
    bootstrap_fini(&bootstrap);
    return err;
}

/* Packs the differences of those that both measured, and sums either side. */
static void pack_differences(const double *a, const double *b, uint32_t n,
                             struct bootstrap *bootstrap, struct vt_paired_difference *paired)
{
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i]))
            continue;
        bootstrap->values[bootstrap->n++] = a[i] - b[i];
        paired->mean_a += a[i];
        paired->mean_b += b[i];
    }
    if (bootstrap->n > 0) {
        paired->mean_a /= (double)bootstrap->n;
        paired->mean_b /= (double)bootstrap->n;
    }
}

static void count_tails(const struct bootstrap *bootstrap, struct vt_paired_difference *paired)
{
    uint32_t resamples = bootstrap->options->resamples, at_or_above = 0, at_or_below = 0;
    for (uint32_t i = 0; i < resamples; i++) {
        at_or_above += bootstrap->means[i] >= 0;
        at_or_below += bootstrap->means[i] <= 0;
    }
    paired->p_worse = (double)(at_or_above + 1) / (double)(resamples + 1);
    paired->p_better = (double)(at_or_below + 1) / (double)(resamples + 1);
}

struct vt_err vt_bootstrap_paired(const double *a, const double *b, uint32_t n,
                                  const struct vt_bootstrap_options *options,
                                  struct vt_paired_difference *ret_paired)
{
    struct bootstrap bootstrap;
    struct vt_paired_difference paired = {.p_worse = 1, .p_better = 1};
    struct vt_err err = bootstrap_init(&bootstrap, n, options);
    if (vt_failed(err))
        goto done;
    pack_differences(a, b, n, &bootstrap, &paired);
    if (bootstrap.n > 0) {
        bootstrap_run(&bootstrap);
        paired.difference = interval_of(&bootstrap);
        count_tails(&bootstrap, &paired);
    }
    *ret_paired = paired;
done:
    bootstrap_fini(&bootstrap);
    return err;
}
