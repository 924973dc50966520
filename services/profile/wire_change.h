#ifndef VT_PROFILE_WIRE_CHANGE_H
#define VT_PROFILE_WIRE_CHANGE_H

#include "services/common/base/arena.h"
#include "services/profile/profile.h"

/*
 * CatalogService.Watch on the wire, for both its ends. Everything lives in the arena.
 * Decoders: VT_INVALID with the field in `diag` for what is malformed or against the contract;
 * VT_EXHAUSTED, as of encoders, when the arena is full. Any thread.
 */
enum { VT_WATCH_CHANGES_MAX = 500 }; /* in one message */

VT_MUST_USE struct vt_err vt_wire_watch_request_encode(uint64_t since_sequence,
                                                       struct vt_arena *arena,
                                                       struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_watch_request_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       uint64_t *ret_since_sequence);
VT_MUST_USE struct vt_err vt_wire_changes_encode(const struct vt_change *changes, uint32_t n,
                                                 struct vt_arena *arena, struct vt_slice *ret_body);
/* VT_INVALID for a change of no known kind: the other end is newer than this one. */
VT_MUST_USE struct vt_err vt_wire_changes_decode(struct vt_slice body, struct vt_arena *arena,
                                                 struct vt_diag *diag,
                                                 const struct vt_change **ret_changes,
                                                 uint32_t *ret_n);

#endif
