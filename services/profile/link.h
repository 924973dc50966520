#ifndef VT_PROFILE_LINK_H
#define VT_PROFILE_LINK_H

#include "services/profile/profile_internal.h"

/* What LinkIdentities' two halves share: link.c joins, unlink.c parts. Writer thread. */
enum {
    VT__CUSTOMER_IDENTITIES_MAX = 1000, /* what one merge may have to move */
    VT__CUSTOMER_MERGED_MAX = 1000,
};

/* An identity of the request, and whose it is. */
struct vt__named {
    struct vt_identity given;
    struct vt__identity identity; /* its channel is 0 as long as nobody ever mentioned it */
    uint64_t customer;            /* 0: unknown */
};
struct vt__named_list {
    struct vt__named items[VT_LINK_IDENTITIES_MAX];
    uint32_t n;
};

/* Looks every identity up, each once however often it is named. */
VT_MUST_USE struct vt_err vt__named_find(struct vt_profile *profile, const struct vt_link *link,
                                         struct vt__named_list *ret_named);
/* The apply functions of the jobs; job->input is a struct vt_link, job->result a vt_link_result.
 * What can be refused is refused before the first row is written. */
VT_MUST_USE struct vt_err vt__apply_link(struct vt_profile *profile, struct vt__job *job);
VT_MUST_USE struct vt_err vt__apply_unlink(struct vt_profile *profile, struct vt__job *job);

#endif
