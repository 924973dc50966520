#ifndef VT_BASE_METRICS_H
#define VT_BASE_METRICS_H

#include "services/common/base/err.h"

#include <stdint.h>
#include <stdio.h>

/*
 * Metrics in Prometheus' text format 0.0.4. Registering happens at start, or rarely later; any
 * thread. Counting is wait-free from any thread (relaxed atomics, sharded by thread so that cores
 * do not share lines). Names and labels are contracts: see docs/operations.md.
 */
struct vt_metrics;
struct vt_counter;   /* only rises */
struct vt_gauge;     /* rises and falls */
struct vt_histogram; /* cumulative buckets, sum, count */

/* VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt_metrics_new(struct vt_metrics **ret_metrics);
void vt_metrics_free(struct vt_metrics *metrics); /* frees all it made; NULL is allowed */

/* `labels` is the finished label text, e.g. `grpc_method="Recommend",grpc_code="OK"`, or "". The
 * same name and labels give the same object. With metrics NULL (tests) or out of memory a shared
 * dummy is returned: never NULL, nothing to check. */
struct vt_counter *vt_metrics_counter(struct vt_metrics *metrics, const char *name,
                                      const char *help, const char *labels);
struct vt_gauge *vt_metrics_gauge(struct vt_metrics *metrics, const char *name, const char *help,
                                  const char *labels);
/* Bounds ascending, without +Inf. */
struct vt_histogram *vt_metrics_histogram(struct vt_metrics *metrics, const char *name,
                                          const char *help, const char *labels,
                                          const double *bounds, unsigned n_bounds);

/* Any thread; wait-free. */
void vt_counter_add(struct vt_counter *counter, uint64_t n);
void vt_gauge_set(struct vt_gauge *gauge, double value);
void vt_gauge_add(struct vt_gauge *gauge, double delta);
void vt_histogram_observe(struct vt_histogram *histogram, double value);
uint64_t vt_counter_value(const struct vt_counter *counter); /* for tests */

/* Writes everything, families together, HELP and TYPE once each. */
void vt_metrics_render(const struct vt_metrics *metrics, FILE *out);

#endif
