#ifndef VT_BASE_PROCESS_METRICS_H
#define VT_BASE_PROCESS_METRICS_H

#include <stdio.h>

/* What this process uses, in Prometheus' text format and under the names that its client libraries
 * have: processor seconds, resident and virtual memory, file descriptors and their limit, start.
 * Read from /proc at each call (some microseconds); what cannot be read is left out. Any thread. */
void vt_process_metrics_render(FILE *out);

#endif
