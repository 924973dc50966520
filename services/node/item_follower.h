#ifndef VT_NODE_ITEM_FOLLOWER_H
#define VT_NODE_ITEM_FOLLOWER_H

#include "services/common/catalog/item_table.h"
#include "services/profile/profile.h"

/* Keeps an item table in step with the profile service of the same process: one thread, the
 * table's only writer. The twin of vt_profile_follow, which does it over gRPC. */
struct vt_item_follower;

/* Returns at once; the table is ready once the first snapshot is applied. Both are borrowed.
 * VT_EXHAUSTED: no memory or no thread. */
VT_MUST_USE struct vt_err vt_item_follower_start(struct vt_profile *profile,
                                                 struct vt_item_table *table,
                                                 struct vt_item_follower **ret_follower);
/* Stops the thread; before vt_profile_close. NULL is allowed. */
void vt_item_follower_stop(struct vt_item_follower *follower);

#endif
