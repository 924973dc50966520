/* AdminService as protobuf. */
#include "services/profile/wire_admin.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/admin.pb-c.h"

#include <string.h>

struct vt_err vt_wire_checkpoint_decode(struct vt_slice body, struct vt_arena *arena,
                                        struct vt_diag *diag, const char **ret_directory)
{
    Vitrine__V1__CheckpointRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__checkpoint_request__descriptor, body, arena, diag, &message));
    size_t len = strlen(message->directory);
    if (message->directory[0] != '/')
        return vt_check_failed(VT_FIELD("directory"), diag,
                               "'%.64s', must be an absolute path of a folder that does not exist "
                               "yet",
                               message->directory);
    if (len > VT_PATH_BYTES_MAX)
        return vt_check_failed(VT_FIELD("directory"), diag, "%zu bytes, at most %d", len,
                               VT_PATH_BYTES_MAX);
    *ret_directory = message->directory;
    return vt_ok();
}

struct vt_err vt_wire_checkpoint_encode(uint64_t sequence, struct vt_arena *arena,
                                        struct vt_slice *ret_body)
{
    Vitrine__V1__CheckpointResponse response = VITRINE__V1__CHECKPOINT_RESPONSE__INIT;
    response.sequence = sequence;
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_checkpoint_request_encode(const char *directory, struct vt_arena *arena,
                                                struct vt_slice *ret_body)
{
    Vitrine__V1__CheckpointRequest request = VITRINE__V1__CHECKPOINT_REQUEST__INIT;
    request.directory = (char *)(uintptr_t)directory; /* only read while encoding */
    return vt_wire_encode(&request.base, arena, ret_body);
}
