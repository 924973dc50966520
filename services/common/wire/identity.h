#ifndef VT_WIRE_IDENTITY_H
#define VT_WIRE_IDENTITY_H

#include "services/common/base/arena.h"
#include "services/common/base/identity.h"
#include "services/common/wire/check.h"

/* vitrine.v1.Identity, which events, profiles and recommendations speak. Any thread. */
struct Vitrine__V1__Identity;

/* Borrowed from the message; zero for NULL (absent). Judges nothing. */
struct vt_identity vt_wire_identity(const struct Vitrine__V1__Identity *message);
/* VT_INVALID at `place` for a given identity that is not valid; zero is allowed. */
VT_MUST_USE struct vt_err vt_wire_identity_check(const struct vt_identity *identity,
                                                 struct vt_field place, struct vt_diag *diag);
/* Both of these. */
VT_MUST_USE struct vt_err vt_wire_identity_decode(const struct Vitrine__V1__Identity *message,
                                                  struct vt_field place, struct vt_diag *diag,
                                                  struct vt_identity *ret_identity);
/* NULL for zero and when the arena is full. */
struct Vitrine__V1__Identity *vt_wire_identity_encode(struct vt_arena *arena,
                                                      const struct vt_identity *identity);

#endif
