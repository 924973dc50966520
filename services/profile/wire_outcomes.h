#ifndef VT_PROFILE_WIRE_OUTCOMES_H
#define VT_PROFILE_WIRE_OUTCOMES_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/profile/profile.h"

/* ListOutcomes on the wire, both sides. Everything lives in the arena. Decoders: VT_INVALID with
 * the field in `diag`; VT_EXHAUSTED, as of encoders, when the arena is full. Any thread. */
VT_MUST_USE struct vt_err vt_wire_list_outcomes_encode(const struct vt_outcomes_query *query,
                                                       struct vt_arena *arena,
                                                       struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_list_outcomes_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       struct vt_outcomes_query *ret_query);
VT_MUST_USE struct vt_err vt_wire_outcomes_encode(const struct vt_outcomes *outcomes,
                                                  struct vt_arena *arena,
                                                  struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_outcomes_decode(struct vt_slice body, struct vt_arena *arena,
                                                  struct vt_diag *diag,
                                                  struct vt_outcomes *ret_outcomes);

#endif
