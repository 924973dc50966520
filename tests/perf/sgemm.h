#ifndef TESTS_PERF_SGEMM_H
#define TESTS_PERF_SGEMM_H

#include <stdint.h>

/* GFLOP/s of OpenBLAS at square products of single precision, one on each thread: what a share of
 * this machine is measured by. The best of three; 0 without memory. */
double bench_sgemm_gflops(uint32_t n_threads);

#endif
