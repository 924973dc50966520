#ifndef VT_PROFILE_ACKED_H
#define VT_PROFILE_ACKED_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdint.h>

/*
 * The mark of what was acknowledged: a small file beside the store that holds the last sequence a
 * caller was told is on disk. RocksDB cannot tell a torn tail of its log, which is harmless, from
 * a damaged one, which is loss; the mark can. One thread.
 */
enum { VT__ACKED_PATH_BYTES = 4096 };
/* DIR/live.acked. */
void vt__acked_path(const char *data_dir, char ret_path[VT__ACKED_PATH_BYTES]);
VT_MUST_USE struct vt_err vt__acked_open(const char *path, struct vt_diag *diag, int *ret_fd,
                                         uint64_t *ret_sequence); /* 0: nothing was marked */
/* Not fsynced (a chore does that each second): after a power cut an older mark is found, which
 * claims less. */
VT_MUST_USE struct vt_err vt__acked_write(int fd, uint64_t sequence);
void vt__acked_close(int fd); /* -1 is allowed */

#endif
