#ifndef VT_PROFILE_FORGOTTEN_H
#define VT_PROFILE_FORGOTTEN_H

#include "services/common/base/clock.h"
#include "services/common/rpc/client.h"
#include "services/profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Tells whoever keeps something about customers beside the store that some of them are forgotten:
 * erased, or without consent from now on. One thread asks every two seconds, the store of this
 * process or the profile service of another, from where it left off; after a start it begins far
 * enough in the past, so nothing is missed while this process or the way to the other is down.
 */
struct vt_forgotten_follow;

/* `numbers` are ascending; with `all` there were more than fit and everybody counts as one of them.
 * False: it could not be done, and is asked for again. On the follower's thread; may block. */
typedef bool (*vt_forget_fn)(void *ctx, const uint64_t *numbers, uint32_t n, bool all);

struct vt_forgotten_options {
    struct vt_profile *profile;     /* of this process, borrowed; NULL: over the channel */
    struct vt_rpc_channel *channel; /* borrowed */
    int64_t since_ms;               /* Unix: where to begin */
    vt_forget_fn forget;
    void *ctx;
};
VT_MUST_USE struct vt_err vt_forgotten_follow_start(const struct vt_forgotten_options *options,
                                                    struct vt_forgotten_follow **ret_follow);
/* Joins the thread. NULL is allowed. */
void vt_forgotten_follow_stop(struct vt_forgotten_follow *follow);

#endif
