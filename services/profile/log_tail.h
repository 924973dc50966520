#ifndef VT_PROFILE_LOG_TAIL_H
#define VT_PROFILE_LOG_TAIL_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

struct vt_profile;
struct vt_store_options;

/* vt_store_open into profile->store; a log whose end was torn by a power cut is opened without the
 * write that nobody was told of (log_tail.c). `acked_path`: the mark of what was acknowledged. */
VT_MUST_USE struct vt_err vt__open_store(struct vt_profile *profile,
                                         const struct vt_store_options *options,
                                         const char *acked_path, struct vt_diag *diag);

/* The chore: brings the mark to the disk, so that after a power cut it lags by a second at most. */
enum { VT__MARK_SYNC_MS = 1000 };
VT_MUST_USE struct vt_err vt__mark_sync(struct vt_profile *profile);

#endif
