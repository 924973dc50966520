#ifndef VT_PROFILE_CHORES_H
#define VT_PROFILE_CHORES_H

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Work of the live store that comes due by time: what expires, what was promised by a date, what is
 * watched. One background thread runs the chores of a table (chores.c) one after the other; each
 * may block and iterate, and writes through vt__writer_run, like everybody.
 */
struct vt_profile;
struct vt__chores;

struct vt__chore {
    const char *name;       /* for log and metrics */
    const char *error_name; /* of the log line when it fails */
    int64_t every_ms;       /* from one end to the next beginning; the first runs after this time */
    /* A failure is logged and counted; the chore is tried again when it is due. Long ones look at
     * vt__chores_stopping between steps. */
    struct vt_err (*run)(struct vt_profile *profile);
};

/* Starts the thread. The profile is borrowed until _stop. */
VT_MUST_USE struct vt_err vt__chores_start(struct vt_profile *profile,
                                           struct vt__chores **ret_chores);
/* Waits for the chore that is running. NULL is allowed. */
void vt__chores_stop(struct vt__chores *chores);
/* True when the store is about to close: a hint for long chores. Any thread. */
bool vt__chores_stopping(const struct vt__chores *chores);

#endif
