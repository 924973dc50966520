/*
 * protobuf-c within a budget: every allocation of its decoder comes from the call's arena and is
 * never freed singly. Its NULL means malformed or full; the arena's flag tells which. The wire walk
 * before it has already named what is malformed, so a NULL without the flag is only a backstop.
 */
#include "services/common/pb/pb.h"

#include "services/common/pb/wire_walk.h"

#include <string.h>

static void *arena_take(void *arena, size_t size_bytes)
{
    return vt_arena_alloc(arena, size_bytes);
}

static void arena_keep(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

struct vt_err vt_pb_decode(const ProtobufCMessageDescriptor *type, struct vt_slice bytes,
                           struct vt_arena *arena, struct vt_diag *diag, void *ret_message)
{
    VT_TRY(vt__pb_walk(type, bytes, diag));
    ProtobufCAllocator allocator = {
        .alloc = arena_take, .free = arena_keep, .allocator_data = arena};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.data);
    if (message == NULL && arena->exhausted) {
        vt_diag_set(diag, "", "message needs more memory than a call may use; send less at once");
        return VT_ERR(VT_EXHAUSTED, "message is larger than the call's memory");
    }
    if (message == NULL) {
        vt_diag_set(diag, "", "not a %s message", type->name);
        return VT_ERR(VT_INVALID, "malformed message");
    }
    memcpy(ret_message, &message, sizeof message);
    return vt_ok();
}

struct vt_err vt_pb_encode(const ProtobufCMessage *message, struct vt_arena *arena,
                           struct vt_slice *ret_bytes)
{
    size_t size_bytes = protobuf_c_message_get_packed_size(message);
    void *bytes = vt_arena_alloc(arena, size_bytes > 0 ? size_bytes : 1);
    VT_CHECK(bytes != NULL, VT_EXHAUSTED, "answer is larger than the call's memory");
    protobuf_c_message_pack(message, bytes);
    *ret_bytes = vt_slice(bytes, size_bytes);
    return vt_ok();
}
