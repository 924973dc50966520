/* Ids of people on the wire. Absent and zero are the same, so that a request without one costs
 * nothing. */
#include "services/common/wire/identity.h"

#include "services/common/wire/parts.h"
#include "vitrine/v1/types.pb-c.h"

struct vt_identity vt_wire_identity(const Vitrine__V1__Identity *message)
{
    if (message == NULL)
        return (struct vt_identity){.type = VT_IDENTITY_UNSPECIFIED};
    return (struct vt_identity){
        .type = (enum vt_identity_type)message->type,
        .channel = vt_slice_str(message->channel),
        .id = vt_slice_str(message->id),
    };
}

struct vt_err vt_wire_identity_check(const struct vt_identity *identity, struct vt_field place,
                                     struct vt_diag *diag)
{
    struct vt_diag fault = {0};
    if (vt_identity_given(identity) && !vt_identity_valid(identity, &fault))
        return vt_check_failed(place, diag, "%s: %s", fault.field, fault.text);
    return vt_ok();
}

struct vt_err vt_wire_identity_decode(const Vitrine__V1__Identity *message, struct vt_field place,
                                      struct vt_diag *diag, struct vt_identity *ret_identity)
{
    struct vt_identity identity = vt_wire_identity(message);
    VT_TRY(vt_wire_identity_check(&identity, place, diag));
    *ret_identity = identity;
    return vt_ok();
}

Vitrine__V1__Identity *vt_wire_identity_encode(struct vt_arena *arena,
                                               const struct vt_identity *identity)
{
    if (!vt_identity_given(identity))
        return NULL;
    Vitrine__V1__Identity *message = vt_wire_message(arena, &vitrine__v1__identity__descriptor);
    if (message == NULL)
        return NULL;
    message->type = (Vitrine__V1__IdentityType)identity->type;
    message->channel = vt_wire_text(arena, identity->channel);
    message->id = vt_wire_text(arena, identity->id);
    return message;
}
