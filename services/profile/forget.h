#ifndef VT_PROFILE_FORGET_H
#define VT_PROFILE_FORGET_H

#include "services/profile/profile_internal.h"

/* Deletes all that leads to a committed customer and is known about them: identities, there and
 * back, record, history, and the aliases of those that were merged into them. Rows of the log and
 * the lists of where they are stay until retention; their numbers then mean nobody. For the batch,
 * on the writer thread; cost: a read and a delete for each row. */
VT_MUST_USE struct vt_err vt__forget_rows(struct vt_profile *profile, uint64_t customer);

#endif
