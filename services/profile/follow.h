#ifndef VT_PROFILE_FOLLOW_H
#define VT_PROFILE_FOLLOW_H

#include "services/common/base/metrics.h"
#include "services/common/catalog/item_table.h"
#include "services/common/rpc/client.h"

/*
 * Keeps an item table in step with a profile service in another process: one thread, the table's
 * only writer, reads CatalogService.Watch. When the stream breaks it connects again, waiting
 * between attempts 100 ms at first, twice as long each time, at most 5 s; it goes on after the last
 * change applied. The table keeps serving what it holds meanwhile.
 */
struct vt_profile_follow;

/* Returns at once, whether the service is there or not. Channel and table are borrowed; `metrics`
 * may be NULL. */
VT_MUST_USE struct vt_err vt_profile_follow_start(struct vt_rpc_channel *channel,
                                                  struct vt_item_table *table,
                                                  struct vt_metrics *metrics,
                                                  struct vt_profile_follow **ret_follow);
/* Hangs up and joins the thread. NULL is allowed. */
void vt_profile_follow_stop(struct vt_profile_follow *follow);

#endif
