#ifndef VT_PB_WIRE_WALK_H
#define VT_PB_WIRE_WALK_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <protobuf-c/protobuf-c.h>

/* What a message may hold, whatever its type; the contract's own limits are checked by wire.c. */
enum {
    VT_PB_DEPTH_MAX = 8,             /* nested messages */
    VT_PB_ELEMENTS_MAX = 200000,     /* fields and packed values of one message, nested ones too */
    VT_PB_UNKNOWN_FIELDS_MAX = 4096, /* fields newer than this build */
    VT_PB_UNKNOWN_BYTES_MAX = 1 << 16, /* their bytes, tags included */
};

/*
 * Judges the wire format of `bytes` along the descriptor, without allocating. VT_INVALID: malformed
 * or not text; VT_EXHAUSTED: over one of the limits above. `diag` gets the field's path and the
 * byte offset. Any thread; O(bytes).
 */
VT_MUST_USE struct vt_err vt__pb_walk(const ProtobufCMessageDescriptor *type, struct vt_slice bytes,
                                      struct vt_diag *diag);

#endif
