#ifndef VT_PB_PB_H
#define VT_PB_PB_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <protobuf-c/protobuf-c.h>

/*
 * Decodes outside bytes safely with protobuf-c. First the wire format is walked, bounded and
 * without allocating, along the message's descriptor: truncated fields, wrong wire types, NUL or
 * broken UTF-8 in any string field, too many elements, unknown fields over a limit and nesting over
 * a limit are refused with the field's path ("items[2].title") in `diag`. Then protobuf-c decodes
 * into the arena. VT_INVALID: malformed; VT_EXHAUSTED: larger than the arena.
 * Any thread; O(bytes). `ret_message` is the address of a pointer to the message's struct; what it
 * then points to lives in the arena and needs no free.
 */
VT_MUST_USE struct vt_err vt_pb_decode(const ProtobufCMessageDescriptor *type,
                                       struct vt_slice bytes, struct vt_arena *arena,
                                       struct vt_diag *diag, void *ret_message);

/* Serialises into the arena. VT_EXHAUSTED when it does not fit. */
VT_MUST_USE struct vt_err vt_pb_encode(const ProtobufCMessage *message, struct vt_arena *arena,
                                       struct vt_slice *ret_bytes);

#endif
