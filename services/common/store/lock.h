#ifndef VT_STORE_LOCK_H
#define VT_STORE_LOCK_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

/* Takes PATH for this process until vt__store_unlock: flock on a file that holds the pid, since
 * RocksDB's own lock cannot say who has it. VT_UNAVAILABLE names the holder in `diag`. */
VT_MUST_USE struct vt_err vt__store_lock(const char *path, struct vt_diag *diag, int *ret_fd);
void vt__store_unlock(int fd); /* -1 is allowed */

#endif
