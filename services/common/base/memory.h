#ifndef VT_BASE_MEMORY_H
#define VT_BASE_MEMORY_H

#include <stdint.h>

/*
 * Bytes of memory that this process may still take without swapping or being killed: what the
 * kernel calls available, or less where a control group (version 2 or 1; a container's limit) or an
 * address space limit (ulimit -v) is nearer. Page cache that can be dropped counts as available.
 * UINT64_MAX when nothing can be read. Reads a handful of small files. Any thread.
 */
uint64_t vt_memory_available_bytes(void);
/* The same with /proc and /sys below `root` ("" is the machine's own), for tests; without the
 * limits of the process itself. */
uint64_t vt_memory_available_below(const char *root);

#endif
