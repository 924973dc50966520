#ifndef VT_MODEL_WIRE_H
#define VT_MODEL_WIRE_H

#include "models/bundle/bundle.h"
#include "services/common/base/arena.h"
#include "services/common/base/slice.h"

#include <stdbool.h>

/*
 * ModelService on the wire. Everything lives in the arena. Decoders: VT_INVALID with the field in
 * `diag` for what is malformed or against the contract, VT_EXHAUSTED when the arena is full, as
 * encoders. Any thread.
 */

/* A version as ListVersions tells it. */
struct vt_model_version {
    const struct vt_bundle_view *view; /* NULL: damaged */
    const char *version;
    const char *damage; /* why there is no view; NULL otherwise */
    bool active;
};

struct vt_wire_list_versions {
    struct vt_slice after; /* the version that the page before ended with; empty: the first page */
    uint32_t page_size;
};
VT_MUST_USE struct vt_err vt_wire_list_versions_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       struct vt_wire_list_versions *ret_request);

struct vt_wire_activate {
    const char *version; /* judged to be a version's name, not a path */
    bool validate_only;
};
VT_MUST_USE struct vt_err vt_wire_activate_decode(struct vt_slice body, struct vt_arena *arena,
                                                  struct vt_diag *diag,
                                                  struct vt_wire_activate *ret_request);
VT_MUST_USE struct vt_err vt_wire_rollback_decode(struct vt_slice body, struct vt_arena *arena,
                                                  struct vt_diag *diag, bool *ret_validate_only);
VT_MUST_USE struct vt_err vt_wire_get_active_decode(struct vt_slice body, struct vt_arena *arena,
                                                    struct vt_diag *diag);

/* Adds a version to a page; what it borrows from the view is copied. */
struct vt_wire_versions {
    struct vt_arena *arena;
    struct Vitrine__V1__ModelVersion **messages;
    uint32_t n, capacity;
};
VT_MUST_USE struct vt_err vt_wire_versions_init(struct vt_wire_versions *page, uint32_t capacity,
                                                struct vt_arena *arena);
VT_MUST_USE struct vt_err vt_wire_versions_add(struct vt_wire_versions *page,
                                               const struct vt_model_version *version);
VT_MUST_USE struct vt_err vt_wire_versions_encode(const struct vt_wire_versions *page, bool more,
                                                  struct vt_slice *ret_body);
/* GetActive, Activate and Rollback answer alike, field 1 being the version; NULL: there is none. */
VT_MUST_USE struct vt_err vt_wire_version_encode(const struct vt_model_version *version,
                                                 struct vt_arena *arena, struct vt_slice *ret_body);

#endif
