#ifndef VT_KERNELS_PARALLEL_H
#define VT_KERNELS_PARALLEL_H

#include <stdint.h>

enum { VT_THREADS_MAX = 256 };

/* Work on one block. `thread` < n_threads tells which scratch to use; a thread does one block at a
 * time. Results must depend on the block alone, and sums over blocks be added in block order. */
typedef void (*vt_block_fn)(void *ctx, uint32_t block, uint32_t thread);

/* Runs fn once for each block < n_blocks on up to n_threads threads (the caller's is one of them)
 * and returns when all are done. Blocks are handed out in order, to whoever is free. When threads
 * cannot be made the work is done by those there are. */
void vt_parallel(uint32_t n_blocks, uint32_t n_threads, vt_block_fn fn, void *ctx);

/* How many threads to use when asked for `wanted` (0: one per CPU that this process may use);
 * 1 … VT_THREADS_MAX. */
uint32_t vt_threads_resolve(uint32_t wanted);

#endif
