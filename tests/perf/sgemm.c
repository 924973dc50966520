/*
 * What this machine's OpenBLAS reaches when a matrix product is all there is to do. The share of it
 * that training reaches is a figure that means the same on another machine.
 */
#include "tests/perf/sgemm.h"

#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "services/common/base/clock.h"

#include <stddef.h>
#include <stdlib.h>

enum { SIZE = 512, REPEATS = 20, ROUNDS = 4, CELLS = SIZE * SIZE };

static void multiply(void *ctx, uint32_t block, uint32_t thread)
{
    (void)thread;
    float *a = (float *)ctx + (size_t)block * 3 * CELLS, *b = a + CELLS, *c = b + CELLS;
    for (int i = 0; i < REPEATS; i++)
        vt_kernels()->matmul_nt_f32(a, SIZE, SIZE, b, SIZE, SIZE, SIZE, c, SIZE);
}

double bench_sgemm_gflops(uint32_t n_threads)
{
    size_t n = (size_t)n_threads * 3 * CELLS;
    float *matrices = malloc(n * sizeof *matrices);
    double best = 0;
    if (matrices == NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        matrices[i] = (float)(i % 7) - 3;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t started_ns = vt_clock_monotonic_ns(vt_clock_system());
        vt_parallel(n_threads, n_threads, multiply, matrices);
        double s = (double)(vt_clock_monotonic_ns(vt_clock_system()) - started_ns) / 1e9;
        double gflops = 2.0 * SIZE * CELLS * REPEATS * n_threads / s / 1e9;
        best = gflops > best ? gflops : best;
    }
    free(matrices);
    return best;
}
