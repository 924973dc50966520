/*
 * One side's factors: rows padded to whole vectors with zeros, so that every kernel runs without
 * tails. The first values come from a counter, not a sequence: any element without the others.
 */
#include "models/dataset/mix.h"
#include "models/factor/ials_internal.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROTATE_ROWS = 32 }; /* of a block, on the stack: 128 KiB at VT_FACTORS_MAX */

struct vt_err vt__factors_allocate(uint32_t n_rows, uint32_t dim, struct vt__factors *ret_factors)
{
    uint32_t stride = (dim + VT_KERNEL_DIM_STEP - 1) / VT_KERNEL_DIM_STEP * VT_KERNEL_DIM_STEP;
    size_t size = (size_t)n_rows * stride * sizeof(float);
    float *values = aligned_alloc(VT__FACTOR_ALIGNMENT, size > 0 ? size : VT__FACTOR_ALIGNMENT);
    VT_CHECK(values != NULL, VT_EXHAUSTED, "out of memory for the factors");
    memset(values, 0, size);
    *ret_factors = (struct vt__factors){values, n_rows, dim, stride};
    return vt_ok();
}

/* splitmix64 as a hash of a counter: any element without the others. */
static uint64_t random_bits(uint64_t seed, uint64_t counter)
{
    return vt_mix64(seed + (counter + 1) * VT_MIX64_STEP);
}

/* Nearly normal with variance 1: twelve uniform numbers less six. Only integer and exact double
 * arithmetic, so that every machine starts from the same bits. */
static double random_normal(uint64_t seed, uint64_t counter)
{
    uint64_t sum = 0;
    for (uint64_t draw = 0; draw < 3; draw++) {
        uint64_t bits = random_bits(seed, 3 * counter + draw);
        for (int part = 0; part < 4; part++)
            sum += (bits >> (16 * part)) & 0xffff;
    }
    return (double)sum / 65536.0 - 6.0;
}

void vt__factors_randomise(struct vt__factors *factors, uint32_t first_row, double stddev,
                           uint64_t seed)
{
    double scale = stddev / sqrt((double)factors->dim);
    for (uint32_t row = 0; row < factors->n_rows; row++)
        for (uint32_t d = 0; d < factors->dim; d++)
            vt__factors_row(factors, row)[d] =
                (float)(scale *
                        random_normal(seed, ((uint64_t)first_row + row) * factors->dim + d));
}

void vt__factors_copy(struct vt__factors *factors, const float *values, uint32_t stride)
{
    for (uint32_t row = 0; row < factors->n_rows; row++)
        memcpy(vt__factors_row(factors, row), values + (size_t)row * stride,
               factors->dim * sizeof *values);
}

struct rotation {
    struct vt__factors *factors;
    const float *basis;
};

static void rotate_block(void *ctx, uint32_t block, uint32_t thread)
{
    (void)thread;
    const struct rotation *rotation = ctx;
    const struct vt__factors *factors = rotation->factors;
    uint32_t stride = factors->stride, first = block * ROTATE_ROWS;
    uint32_t n = factors->n_rows - first < ROTATE_ROWS ? factors->n_rows - first : ROTATE_ROWS;
    float turned[ROTATE_ROWS * VT_FACTORS_MAX];
    vt_kernels()->matmul_nt_f32(vt__factors_row(factors, first), n, stride, rotation->basis, stride,
                                stride, stride, turned, stride);
    memcpy(vt__factors_row(factors, first), turned, (size_t)n * stride * sizeof *turned);
}

void vt__factors_rotate(struct vt__factors *factors, const float *basis, uint32_t n_threads)
{
    struct rotation rotation = {factors, basis};
    vt_parallel((factors->n_rows + ROTATE_ROWS - 1) / ROTATE_ROWS, n_threads, rotate_block,
                &rotation);
}
