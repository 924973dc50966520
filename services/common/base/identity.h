#ifndef VT_BASE_IDENTITY_H
#define VT_BASE_IDENTITY_H

#include "services/common/base/diag.h"
#include "services/common/base/slice.h"

#include <stdbool.h>

/* How somebody is called outside. The numbers equal vitrine.v1.IdentityType and stand in keys on
 * disk: never renumber. */
enum vt_identity_type {
    VT_IDENTITY_UNSPECIFIED = 0,
    VT_IDENTITY_MEMBER = 1,  /* what customer_id means elsewhere */
    VT_IDENTITY_VISITOR = 2, /* what visitor_id means elsewhere */
    VT_IDENTITY_DEVICE = 3,
    VT_IDENTITY_EMAIL_HASH = 4, /* never the address itself */
    VT_IDENTITY_LOYALTY_CARD = 5,
    VT_IDENTITY_SOCIAL = 6,
    VT_IDENTITY_TYPE_COUNT
};

/* Texts are borrowed. Zero: nobody is named. */
struct vt_identity {
    enum vt_identity_type type;
    struct vt_slice
        channel; /* that the id belongs to, where ids of several may collide; or empty */
    struct vt_slice id;
};

/* "member", "loyalty_card" …; NULL outside the enum. The names of files and flags. */
const char *vt_identity_type_name(unsigned type);
/* VT_IDENTITY_UNSPECIFIED when no type has that name. */
enum vt_identity_type vt_identity_type_parse(struct vt_slice name);
/* "TYPE:ID[@CHANNEL]"; the last '@' begins the channel. False unless type and id are there; what
 * the id may be is the server's to judge. Borrows from `text`. */
bool vt_identity_parse(struct vt_slice text, struct vt_identity *ret_identity);
/* Is anybody named at all, rightly or wrongly? */
static inline bool vt_identity_given(const struct vt_identity *identity)
{
    return identity->type != VT_IDENTITY_UNSPECIFIED || identity->id.len != 0 ||
           identity->channel.len != 0;
}

/* False with "type", "id" or "channel" in the diag's field and what would be right in its text. An
 * address in clear is no e-mail hash. Any thread. */
bool vt_identity_valid(const struct vt_identity *identity, struct vt_diag *diag);

/* Whom a request or an event means: the member when one is given, else the visitor, else the other
 * identity. Zero when nobody is named. */
struct vt_identity vt_identity_choose(struct vt_slice customer_id, struct vt_slice visitor_id,
                                      struct vt_identity other);

#endif
