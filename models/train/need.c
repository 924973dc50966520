/*
 * What a training will take. Memory is counted from the arrays that are alive together in the
 * hungriest step; arithmetic from the families' own counts, for the two passes over the data and
 * the answers that are measured; time from how fast this machine runs the kernel that most of the
 * arithmetic goes through. Reading and writing are not in the time.
 */
#include "models/train/need.h"

#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/train/goods.h"
#include "services/common/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PASSES = 2, /* without what is held out, and with it */
    SPEED_DIM = 64,
    SPEED_ROWS = 256,
    SPEED_BLOCKS = 64,
    SPEED_REPEATS_MAX = 1000,
    RANK_BLOCK_ROWS = 4096, /* of models/factor/exchange.c */
    RANK_UNITS = 64,        /* of models/factor/share.h */
};
#define SPEED_MEASURE_NS INT64_C(60000000)
/* Training gathers, scatters and waits for memory too: the share of the bare kernel's speed that it
 * keeps. `vitrine train` on movielens-1m-split, 16 iterations of 64 factors, took 14.6 s with the
 * machine busy, 0.8 gives 17 s. */
#define KERNEL_SHARE 0.8

/* ---- memory ---- */

/* The matrix with columns and values; rows' starts. */
static uint64_t matrix_bytes(uint64_t n_rows, uint64_t n_entries)
{
    return (n_rows + 1) * sizeof(uint64_t) + n_entries * (sizeof(uint32_t) + sizeof(float));
}

static uint64_t memory_of(const struct vt_train_options *options, const struct vt_shape *shape,
                          uint64_t family_bytes)
{
    const uint64_t n = shape->n_interactions, rows = shape->n_users;
    const uint64_t threads = vt_threads_resolve(options->algorithm_options.threads);
    const uint64_t neighbors = options->algorithm_options.neighbor.neighbors;
    const uint64_t list = n * sizeof(struct vt_interaction);
    const uint64_t sorting = n * (sizeof(struct vt_interaction) + sizeof(uint64_t) + 1);
    /* everything; train, served, and the two parts of test; turned for evaluation */
    const uint64_t matrices = 4 * matrix_bytes(rows, n);
    /* the factors that are kept beside those in work: the best, and those of a warm start */
    const uint64_t kept = 2 * shape->n_items *
                          (options->algorithm_options.ials.factors + VT_BUNDLE_STRIDE_FLOATS) *
                          sizeof(float);
    const uint64_t lists = 2 * shape->n_items * neighbors * 8 + threads * shape->n_items * 24;
    /* Sorting is over when a family trains, and a family's own arrays when neighbours do. */
    uint64_t most = sorting > family_bytes ? sorting : family_bytes;
    return list + matrices + lists + kept + most +
           vt_train_goods_memory_bytes(n, shape->n_items, options->algorithm_options.ials.factors,
                                       threads);
}

/* A rank but 0 holds its part of the factors and of the entries by both sides, the rows of the
 * other side that its own name (all of them, from above), two blocks of factors on their way, and
 * the partial sums of Gram matrices (docs/models.md, "iALS on several machines"). */
static uint64_t rank_memory_of(const struct vt_train_options *options, const struct vt_shape *shape,
                               uint32_t n_ranks)
{
    const struct vt_ials_options *ials = &options->algorithm_options.ials;
    const uint64_t stride = (ials->factors + VT_BUNDLE_STRIDE_FLOATS - 1) /
                            VT_BUNDLE_STRIDE_FLOATS * VT_BUNDLE_STRIDE_FLOATS;
    const uint64_t threads = vt_threads_resolve(options->algorithm_options.threads);
    const uint64_t rows = shape->n_users + shape->n_items;
    const uint64_t larger = shape->n_users > shape->n_items ? shape->n_users : shape->n_items;
    const uint64_t part = larger / n_ranks + 1;
    const uint64_t block = part > RANK_BLOCK_ROWS ? part : RANK_BLOCK_ROWS;
    /* Runs are whole units: one more than its share at most, of 64 a side. */
    const uint64_t own = rows / n_ranks + rows / RANK_UNITS + 1;
    return own * (stride * sizeof(float) + 2 * sizeof(uint64_t)) +
           shape->n_interactions / n_ranks * 2 * (sizeof(uint32_t) + sizeof(float)) +
           rows * sizeof(uint32_t) + 2 * block * stride * sizeof(float) +
           (RANK_UNITS + threads) * ials->factors * ials->factors * sizeof(double);
}

/* ---- time ---- */

struct speed_test {
    float *rows;  /* SPEED_ROWS × SPEED_DIM */
    float *lower; /* n_threads × SPEED_DIM² */
};

static void run_kernel(void *ctx, uint32_t block, uint32_t thread)
{
    const struct speed_test *test = ctx;
    (void)block;
    vt_kernels()->gram_add_f32(test->rows, SPEED_ROWS, SPEED_DIM,
                               test->lower + (size_t)thread * SPEED_DIM * SPEED_DIM);
}

static double measure_speed(struct speed_test *test, uint32_t threads)
{
    /* As the families count: two for each element of the full square. */
    const double gflop_of_round = 2.0 * SPEED_BLOCKS * SPEED_ROWS * SPEED_DIM * SPEED_DIM / 1e9;
    const int64_t start_ns = vt_clock_monotonic_ns(vt_clock_system());
    int64_t elapsed_ns = 0;
    int rounds = 0;
    while (rounds < SPEED_REPEATS_MAX && elapsed_ns < SPEED_MEASURE_NS) {
        vt_parallel(SPEED_BLOCKS, threads, run_kernel, test);
        elapsed_ns = vt_clock_monotonic_ns(vt_clock_system()) - start_ns;
        rounds++;
    }
    return rounds * gflop_of_round / ((double)(elapsed_ns > 0 ? elapsed_ns : 1) / 1e9);
}

double vt_train_speed_gflops(uint32_t threads)
{
    threads = vt_threads_resolve(threads);
    struct speed_test test = {
        .rows = malloc(SPEED_ROWS * SPEED_DIM * sizeof(float)),
        .lower = calloc((size_t)threads * SPEED_DIM * SPEED_DIM, sizeof(float)),
    };
    double gflops = 1; /* without memory for a few pages nothing will be trained anyway */
    if (test.rows != NULL && test.lower != NULL) {
        for (int i = 0; i < SPEED_ROWS * SPEED_DIM; i++)
            test.rows[i] = 1.0F / (float)(i + 1);
        gflops = measure_speed(&test, threads);
    }
    free(test.rows);
    free(test.lower);
    return gflops;
}

/* Scoring every item for each customer whose answers are measured. */
static double evaluation_gflop(const struct vt_train_options *options, const struct vt_shape *shape)
{
    const double dim = options->algorithm_options.ials.factors;
    return 2 * (double)shape->n_users * (double)shape->n_items * dim / 1e9;
}

/* As many as the kernel that the speed is measured with does meanwhile. */
static double gflop_of(const struct vt_need *family)
{
    return family->core_seconds > 0 ? family->core_seconds * VT_CORE_GFLOPS * KERNEL_SHARE
                                    : family->gflop;
}

struct vt_train_need vt_train_need(const struct vt_train_options *options,
                                   const struct vt_shape *shape, uint32_t n_ranks)
{
    const struct vt_need family =
        vt_algorithm_need(options->algorithm, shape, &options->algorithm_options);
    const uint32_t threads = options->algorithm_options.threads;
    const double training = PASSES * gflop_of(&family), asking = evaluation_gflop(options, shape);
    return (struct vt_train_need){
        .memory_bytes = memory_of(options, shape, family.memory_bytes),
        .rank_memory_bytes = n_ranks > 1 ? rank_memory_of(options, shape, n_ranks) : 0,
        .gflop = training + asking,
        .seconds = (training / n_ranks + asking) / (KERNEL_SHARE * vt_train_speed_gflops(threads)),
    };
}

/* ---- refusing ---- */

/* The largest power of two of factors that fits; 0: none does. */
static uint32_t factors_that_fit(const struct vt_train_options *options,
                                 const struct vt_shape *shape, uint64_t memory_bytes)
{
    struct vt_train_options smaller = *options;
    uint32_t *factors = &smaller.algorithm_options.ials.factors;
    for (*factors = VT_FACTORS_MAX; *factors >= 8; *factors /= 2) {
        const struct vt_need family =
            vt_algorithm_need(options->algorithm, shape, &smaller.algorithm_options);
        if (*factors < options->algorithm_options.ials.factors &&
            memory_of(&smaller, shape, family.memory_bytes) <= memory_bytes)
            return *factors;
    }
    return 0;
}

struct vt_err vt_train_need_check(const struct vt_train_options *options,
                                  const struct vt_shape *shape, const struct vt_train_need *need,
                                  uint64_t memory_bytes, struct vt_diag *diag)
{
    if (need->memory_bytes <= memory_bytes)
        return vt_ok();
    const double mib = 1 << 20;
    uint32_t factors = factors_that_fit(options, shape, memory_bytes);
    char instead[96] = "take a machine with more, or fewer events (retention)";
    if (factors > 0)
        snprintf(instead, sizeof instead,
                 "--set factors=%" PRIu32 " would fit, or take a machine "
                 "with more",
                 factors);
    vt_diag_set(diag, "memory",
                "training needs up to %.0f MiB and may take %.0f MiB. What serves stays. %s%s; "
                "--memory SIZE says otherwise",
                (double)need->memory_bytes / mib, (double)memory_bytes / mib,
                factors > 0 ? "" : "Please ", instead);
    return VT_ERR(VT_EXHAUSTED, "training would not fit into memory");
}
