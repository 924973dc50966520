#ifndef VT_CLIENT_IDENTITY_H
#define VT_CLIENT_IDENTITY_H

#include "services/common/base/event.h"
#include "services/common/base/identity.h"
#include "vitrine/v1/types.pb-c.h"

/* An Identity as protobuf-c wants it, with room for its texts. Stays where it was filled. */
struct vt__identity_message {
    Vitrine__V1__Identity message;
    char channel[VT_ID_BYTES_MAX + 1], id[VT_ID_BYTES_MAX + 1];
};

/* Of a valid identity; NULL for none. Borrowed from `room`. */
Vitrine__V1__Identity *vt__identity_fill(struct vt__identity_message *room,
                                         const struct vt_identity *identity);
/* What a gateway shall route by: the first that is given; NULL: nobody. */
const char *vt__identity_key(const char *customer, const char *visitor,
                             const Vitrine__V1__Identity *identity);

#endif
