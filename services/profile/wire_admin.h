#ifndef VT_PROFILE_WIRE_ADMIN_H
#define VT_PROFILE_WIRE_ADMIN_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdint.h>

/*
 * AdminService on the wire. Everything lives in the arena.
 * Decoders: VT_INVALID with the field in `diag` for what is malformed or against the contract;
 * VT_EXHAUSTED, as of encoders, when the arena is full. Any thread.
 */
enum { VT_PATH_BYTES_MAX = 4000 };

/* An absolute path, NUL-terminated in the arena; anything else is VT_INVALID. */
VT_MUST_USE struct vt_err vt_wire_checkpoint_decode(struct vt_slice body, struct vt_arena *arena,
                                                    struct vt_diag *diag,
                                                    const char **ret_directory);
VT_MUST_USE struct vt_err vt_wire_checkpoint_encode(uint64_t sequence, struct vt_arena *arena,
                                                    struct vt_slice *ret_body);

/* The caller's side: asks for a checkpoint in `directory`. */
VT_MUST_USE struct vt_err vt_wire_checkpoint_request_encode(const char *directory,
                                                            struct vt_arena *arena,
                                                            struct vt_slice *ret_body);

#endif
