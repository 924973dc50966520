/*
 * The way to a running server for commands that are told a data folder (docs/adr/0003). A socket's
 * file outlives a killed server, so that it is there says nothing: a health check tells.
 */
#include "services/node/admin_socket.h"

#include <stdio.h>
#include <sys/stat.h>

enum { TARGET_BYTES = 4096, CALL_BYTES = 4096, ANSWER_TIMEOUT_MS = 5000 };

static struct vt_err check_health(struct vt_rpc_channel *channel)
{
    unsigned char memory[CALL_BYTES];
    const struct vt_rpc_call_options options = {.timeout_ms = ANSWER_TIMEOUT_MS};
    struct vt_arena arena;
    struct vt_slice answer;
    vt_arena_init(&arena, memory, sizeof memory);
    return vt_rpc_client_call(channel, "/grpc.health.v1.Health/Check", vt_slice("", 0), &options,
                              &arena, NULL, &answer);
}

struct vt_err vt_admin_connect(const char *data_dir, struct vt_rpc_channel **ret_channel)
{
    static const char scheme[] = "unix:";
    char target[TARGET_BYTES];
    struct stat info;
    struct vt_rpc_channel *channel = NULL;
    int n = snprintf(target, sizeof target, "%s%s/admin.sock", scheme, data_dir);
    VT_CHECK(n > 0 && n < TARGET_BYTES, VT_INVALID, "the path of the data folder is too long");
    VT_CHECK(stat(target + sizeof scheme - 1, &info) == 0, VT_UNAVAILABLE,
             "no server listens on the folder's admin.sock");
    VT_TRY(vt_rpc_channel_new(target, &channel));
    struct vt_err err = check_health(channel);
    if (vt_failed(err)) {
        vt_rpc_channel_free(channel);
        return VT_ERR(VT_UNAVAILABLE, "no server answers on the folder's admin.sock");
    }
    *ret_channel = channel;
    return vt_ok();
}
