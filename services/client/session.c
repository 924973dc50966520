/*
 * One command, one connection: a channel, an arena that a large answer fits in, and errors told in
 * words, with what to do when nobody listens. Nothing is tried again: the person decides. One
 * thread.
 */
#include "services/client/session.h"

#include "services/common/pb/pb.h"
#include "services/common/rpc/client.h"

#include <stdio.h>

enum { SESSION_BYTES = 64 << 20 };

/* What else may be the reason that nobody answers. */
static const char *doubt(const struct vt_session *session)
{
    if (session->tls == NULL)
        return ", without TLS (else: --tls-ca, --tls-cert, --tls-key)";
    return session->client->tls.cert == NULL ? ", content without --tls-cert and --tls-key"
                                             : ", and does each side trust the other's certificate";
}

static struct vt_err report(const struct vt_session *session, struct vt_err err,
                            const struct vt_diag *diag)
{
    const char *why = diag->text[0] != '\0' ? diag->text : err.what;
    fprintf(stderr, "vitrine: %s: %s: %s%s%s\n", session->client->target, vt_code_name(err.code),
            diag->field, diag->field[0] != '\0' ? ": " : "", why);
    if (err.code == VT_UNAVAILABLE)
        fprintf(stderr,
                "vitrine: is a server listening there%s? start one with: vitrine serve "
                "--data DIR --listen %s\n",
                doubt(session), session->client->target);
    return err;
}

static struct vt_err connect_to(const struct vt_client *client, struct vt_session *session,
                                struct vt_diag *diag)
{
    VT_TRY(vt_rpc_tls_from_flags(&client->tls, diag, &session->tls));
    const struct vt_rpc_channel_options options = {
        .target = client->target, .tls = session->tls, .server_name = client->tls.server_name};
    return vt_rpc_channel_open(&options, &session->channel);
}

struct vt_err vt__session_open(const struct vt_client *client, struct vt_session *ret_session)
{
    struct vt_session session = {.client = client};
    struct vt_diag diag = {0};
    if (!vt_arena_init_owned(&session.arena, SESSION_BYTES))
        return report(&session, VT_ERR(VT_EXHAUSTED, "no memory"), &diag);
    struct vt_err err = connect_to(client, &session, &diag);
    if (vt_failed(err)) {
        vt__session_close(&session);
        return report(&session, err, &diag);
    }
    *ret_session = session;
    return vt_ok();
}

void vt__session_close(struct vt_session *session)
{
    vt_rpc_channel_free(session->channel);
    vt_rpc_tls_free(session->tls);
    vt_arena_fini(&session->arena);
}

struct vt_err vt__session_call(struct vt_session *session, const char *path, const char *key,
                               const ProtobufCMessage *request,
                               const ProtobufCMessageDescriptor *answer_type, void *ret_answer)
{
    struct vt_diag diag = {0};
    struct vt_slice body, answer;
    struct vt_rpc_metadata metadata = {"vitrine-key", vt_slice_str(key)};
    struct vt_rpc_call_options options = {
        .timeout_ms = session->client->timeout_ms,
        .metadata = &metadata,
        .n_metadata = key != NULL && key[0] != '\0' ? 1 : 0,
    };
    struct vt_err err = vt_pb_encode(request, &session->arena, &body);
    if (!vt_failed(err))
        err = vt_rpc_client_call(session->channel, path, body, &options, &session->arena, &diag,
                                 &answer);
    if (!vt_failed(err))
        err = vt_pb_decode(answer_type, answer, &session->arena, &diag, ret_answer);
    return vt_failed(err) ? report(session, err, &diag) : err;
}

struct reading {
    struct vt_session *session;
    struct vt_rpc_stream *stream;
    const ProtobufCMessageDescriptor *type;
    struct vt_err (*each)(void *ctx, const void *message);
    void *ctx;
};

static struct vt_err read_message(const struct reading *reading, struct vt_diag *diag,
                                  bool *ret_end)
{
    struct vt_arena *arena = &reading->session->arena;
    struct vt_slice body;
    void *message = NULL;
    vt_arena_reset(arena);
    struct vt_err err = vt_rpc_stream_next(reading->stream, arena, &body, ret_end);
    struct vt_slice said = vt_rpc_stream_message(reading->stream);
    if (vt_failed(err) && said.len != 0)
        vt_diag_set(diag, "", "%.*s", (int)said.len, said.data);
    if (vt_failed(err) || *ret_end)
        return err;
    VT_TRY(vt_pb_decode(reading->type, body, arena, diag, &message));
    return reading->each(reading->ctx, message);
}

struct vt_err vt__session_stream(struct vt_session *session, const char *path,
                                 const ProtobufCMessage *request,
                                 const ProtobufCMessageDescriptor *type,
                                 struct vt_err (*each)(void *ctx, const void *message), void *ctx)
{
    struct reading reading = {.session = session, .type = type, .each = each, .ctx = ctx};
    struct vt_diag diag = {0};
    struct vt_slice body;
    bool ended = false;
    struct vt_err err = vt_pb_encode(request, &session->arena, &body);
    if (!vt_failed(err))
        err = vt_rpc_stream_open(session->channel, path, body, &reading.stream);
    while (!vt_failed(err) && !ended)
        err = read_message(&reading, &diag, &ended);
    vt_rpc_stream_free(reading.stream);
    return vt_failed(err) ? report(session, err, &diag) : err;
}

int vt__session_exit_status(struct vt_err err)
{
    return err.code == VT_INVALID ? 2 : 1;
}

int vt__session_ask(const struct vt_client *client, const char *path, const char *key,
                    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer_type,
                    vt_print_fn print)
{
    struct vt_session session;
    struct vt_err err = vt__session_open(client, &session);
    if (vt_failed(err))
        return vt__session_exit_status(err);
    void *answer;
    err = vt__session_call(&session, path, key, request, answer_type, &answer);
    int status = vt_failed(err) ? vt__session_exit_status(err) : print(client, answer);
    vt__session_close(&session);
    return status;
}
