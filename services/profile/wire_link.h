#ifndef VT_PROFILE_WIRE_LINK_H
#define VT_PROFILE_WIRE_LINK_H

#include "services/common/base/arena.h"
#include "services/profile/profile.h"

/* LinkIdentities on the wire, the service's side. Everything lives in the arena. Any thread. */
struct vt_wire_link {
    struct vt_link link;
    bool validate_only;
};
/* VT_INVALID with the identity's place in `diag`. How many there may be is judged by the domain. */
VT_MUST_USE struct vt_err vt_wire_link_decode(struct vt_slice body, struct vt_arena *arena,
                                              struct vt_diag *diag,
                                              struct vt_wire_link *ret_request);
/* `request` is what was asked: the note for people says what of it was done. */
VT_MUST_USE struct vt_err vt_wire_link_encode(const struct vt_wire_link *request,
                                              const struct vt_link_result *result,
                                              struct vt_arena *arena, struct vt_slice *ret_body);

#endif
