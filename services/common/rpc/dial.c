/*
 * A listener that ran out of file descriptors accepts nothing any more while its process lives on
 * (CVE-2023-4785), so whoever asks whether a process is alive has the port dialled.
 */
#include "services/common/rpc/dial.h"

#include "services/common/base/arena.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/tls_files.h"
#include "services/common/rpc/tls_internal.h"

static struct vt_err check_health(struct vt_rpc_channel *channel)
{
    char memory[256];
    struct vt_arena arena;
    struct vt_slice body;
    struct vt_rpc_call_options once = {.timeout_ms = VT_RPC_DIAL_TIMEOUT_MS};
    vt_arena_init(&arena, memory, sizeof memory);
    return vt_rpc_client_call(channel, "/grpc.health.v1.Health/Check", vt_slice("", 0), &once,
                              &arena, NULL, &body);
}

struct vt_err vt_rpc_dial_self(const char *target, struct vt_rpc_tls *tls, bool *ret_outdated)
{
    struct vt_rpc_channel *channel;
    char own_name[VT__TLS_NAME_BYTES] = "";
    *ret_outdated = tls != NULL && vt__tls_is_over(tls);
    if (*ret_outdated)
        return vt_ok();
    if (tls != NULL)
        vt__tls_own_name(tls, own_name, sizeof own_name);
    VT_TRY(vt_rpc_channel_open(
        &(struct vt_rpc_channel_options){.target = target, .tls = tls, .server_name = own_name},
        &channel));
    struct vt_err err = check_health(channel);
    vt_rpc_channel_free(channel);
    return err;
}
