#ifndef VT_RPC_ACCEPT_H
#define VT_RPC_ACCEPT_H

/* What stands between the kernel's queue of connections and gRPC (accept.c). Internal to rpc/. */

struct vt_metrics; /* services/common/base/metrics.h */

/* How many descriptors of `limit` connections may not take. For tests. */
unsigned long vt__accept_reserve(unsigned long limit);

/* Raises the soft limit of open files to the hard one, and counts connections of the whole process
 * in `metrics` (borrowed, may be NULL) until _forget. Any thread. */
void vt__accept_count(struct vt_metrics *metrics);
/* Before `metrics` goes; another server's stay. Any thread. */
void vt__accept_forget(const struct vt_metrics *metrics);

/* The operator's listener may use the reserve too: when callers have taken everything else,
 * somebody must be able to see it. -1 undoes it. Any thread. */
void vt__accept_exempt(int listening_fd);

#endif
