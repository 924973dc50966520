#ifndef VT_PROFILE_MEMORY_H
#define VT_PROFILE_MEMORY_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

struct vt_profile;

/* How far the store has come: profile->state as it is on disk, untouched on failure. At open, or on
 * the writer thread. */
VT_MUST_USE struct vt_err vt__state_load(struct vt_profile *profile, struct vt_diag *diag);
/* Everything else the writer mirrors. After a failure _drop what was loaded. At open, or on the
 * writer thread; cost: every SKU and channel. */
VT_MUST_USE struct vt_err vt__memory_load(struct vt_profile *profile, struct vt_diag *diag);
void vt__memory_drop(struct vt_profile *profile); /* also what was loaded in part, or never */

#endif
