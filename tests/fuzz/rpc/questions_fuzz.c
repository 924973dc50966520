/* Any bytes as a reflection question and a health question: answered or refused, never a
 * crash, and the status message is always text. */
#include "services/common/base/text.h"
#include "services/common/rpc/loopback.h"
#include "services/common/rpc/server_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vt_rpc_server *server_for_questions(void)
{
    static struct vt_rpc_server *server;
    const struct vt_rpc_server_options options = {.n_threads = 1};
    if (server == NULL)
        vt_err_ignore(vt_rpc_server_new(&options, &server), "then every call fails, and we abort");
    return server;
}

static void ask(const struct vt_rpc_loopback_options *options, const char *path,
                struct vt_slice body)
{
    struct vt_arena arena;
    size_t bad = 0;
    if (!vt_arena_init_owned(&arena, 1 << 19))
        return;
    struct vt_rpc_loopback_result result = vt_rpc_loopback_call(options, path, body, &arena);
    if (!vt_text_valid(vt_slice_str(result.message), &bad))
        abort();
    vt_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_rpc_server *server = server_for_questions();
    struct vt_slice body = vt_slice(data, size);
    struct vt_rpc_loopback_options health = {.methods = vt__health_methods,
                                             .n_methods = VT__N_HEALTH_METHODS,
                                             .service = server->health};
    struct vt_rpc_loopback_options reflection = {.methods = vt__reflection_methods,
                                                 .n_methods = VT__N_REFLECTION_METHODS,
                                                 .service = server->reflection,
                                                 .messages = &body,
                                                 .n_messages = 1};
    ask(&health, vt__health_methods[0].path, body);
    ask(&reflection, vt__reflection_methods[0].path, vt_slice("", 0));
    return 0;
}
