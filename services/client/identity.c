/* Identities given on the command line: slices of one argument, which protobuf-c wants as texts. */
#include "services/client/identity.h"

#include "services/common/base/err.h"

#include <string.h>

static void copy(char *room, struct vt_slice text)
{
    VT_ASSERT(text.len <= VT_ID_BYTES_MAX); /* the caller's vt_identity_valid */
    if (text.len != 0)
        memcpy(room, text.data, text.len);
    room[text.len] = '\0';
}

Vitrine__V1__Identity *vt__identity_fill(struct vt__identity_message *room,
                                         const struct vt_identity *identity)
{
    if (!vt_identity_given(identity))
        return NULL;
    vitrine__v1__identity__init(&room->message);
    copy(room->channel, identity->channel);
    copy(room->id, identity->id);
    room->message.type = (Vitrine__V1__IdentityType)identity->type;
    room->message.channel = room->channel;
    room->message.id = room->id;
    return &room->message;
}

const char *vt__identity_key(const char *customer, const char *visitor,
                             const Vitrine__V1__Identity *identity)
{
    if (customer != NULL)
        return customer;
    return visitor != NULL || identity == NULL ? visitor : identity->id;
}
