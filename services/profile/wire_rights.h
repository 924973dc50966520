#ifndef VT_PROFILE_WIRE_RIGHTS_H
#define VT_PROFILE_WIRE_RIGHTS_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/identity.h"
#include "services/profile/erase.h"

/* ExportCustomer and EraseCustomer on the wire, the service's side. Everything lives in the arena;
 * VT_INVALID with the field in `diag`, VT_EXHAUSTED when the arena is full. Any thread. */

/* Whose data: customer_id, or the other identity. */
VT_MUST_USE struct vt_err vt_wire_export_decode(struct vt_slice body, struct vt_arena *arena,
                                                struct vt_diag *diag, struct vt_identity *ret_who);
VT_MUST_USE struct vt_err vt_wire_export_line_encode(struct vt_slice line, struct vt_arena *arena,
                                                     struct vt_slice *ret_body);

struct vt_wire_erase {
    struct vt_identity who;
    bool now, validate_only;
};
VT_MUST_USE struct vt_err vt_wire_erase_decode(struct vt_slice body, struct vt_arena *arena,
                                               struct vt_diag *diag,
                                               struct vt_wire_erase *ret_request);
VT_MUST_USE struct vt_err vt_wire_erase_encode(const struct vt_erasure_result *result,
                                               struct vt_arena *arena, struct vt_slice *ret_body);

/* ---- ListForgotten, both sides ---- */
struct vt_wire_forgotten {
    int64_t time_ms; /* of the service, when it looked */
    uint64_t *numbers;
    uint32_t n;
    bool more;
};
VT_MUST_USE struct vt_err vt_wire_forgotten_request_encode(int64_t since_ms, struct vt_arena *arena,
                                                           struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_forgotten_request_decode(struct vt_slice body,
                                                           struct vt_arena *arena,
                                                           struct vt_diag *diag,
                                                           int64_t *ret_since_ms);
VT_MUST_USE struct vt_err vt_wire_forgotten_encode(const struct vt_wire_forgotten *forgotten,
                                                   struct vt_arena *arena,
                                                   struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_forgotten_decode(struct vt_slice body, struct vt_arena *arena,
                                                   struct vt_wire_forgotten *ret_forgotten);

#endif
