#ifndef VT_PROFILE_RECOVERY_H
#define VT_PROFILE_RECOVERY_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What happens between a failed write and the next good one (recovery.c). The writer thread alone,
 * except _is_broken.
 */
struct vt_metrics;
struct vt_profile;

struct vt__recovery {
    struct vt_diag diag; /* RocksDB's words on the write that failed */
    int64_t next_try_ns; /* CLOCK_MONOTONIC */
    uint16_t told_code;  /* of the failure that was logged last: each is told once */
    struct vt_gauge *refused_gauge;
    struct vt_counter *n_reopened;
};

void vt__recovery_init(struct vt_profile *profile, struct vt_metrics *metrics);
/* Writes are refused from now on: memory and disk may differ. */
void vt__recovery_begin(struct vt_profile *profile, struct vt_err why);
/* A hint on other threads. */
bool vt__recovery_is_broken(const struct vt_profile *profile);
/* Nanoseconds until the next try; -1: nothing is broken. */
int64_t vt__recovery_due_ns(const struct vt_profile *profile);
/* Tries when it is due: opens the store again and reads the writer's memory back. Blocking. */
void vt__recovery_try(struct vt_profile *profile);

#endif
