/*
 * grpc.reflection v1 and v1alpha, which are the same on the wire: a stream of questions about the
 * compiled contract, answered one at a time (receive, send, receive …). A question that cannot be
 * answered gets an error_response and the stream goes on; a malformed one ends it.
 */
#include "proto/descriptors.h"
#include "services/common/base/text.h"
#include "services/common/rpc/descriptor_index.h"
#include "services/common/rpc/protowire.h"
#include "services/common/rpc/server_internal.h"
#include "services/common/rpc/status.h"

#include <stdlib.h>

enum { REQUEST_BYTES_MAX = 4096, STREAMS_MAX = 64, EXTENSIONS_MAX = 256 };

/* Field numbers of grpc/reflection/v1/reflection.proto. */
enum { ASK_FILE = 3, ASK_SYMBOL = 4, ASK_EXTENSION = 5, ASK_NUMBERS = 6, ASK_SERVICES = 7 };
enum { REQUEST_HOST = 1, EXTENSION_TYPE = 1, EXTENSION_NUMBER = 2 };
enum {
    REPLY_HOST = 1,
    REPLY_REQUEST = 2,
    REPLY_FILES = 4,
    REPLY_NUMBERS = 5,
    REPLY_SERVICES = 6,
    REPLY_ERROR = 7,
};

struct vt__reflection {
    const struct vt_rpc_server *server;
    struct vt__descriptor_index *index;
};

/* One stream; lives in the call's arena, which goes back to `mark` for each answer. */
struct stream {
    struct vt__reflection *reflection;
    struct vt_rpc_call *call;
    size_t mark;
};

struct question {
    struct vt_slice host, whole, text;
    uint32_t kind; /* ASK_… */
};

struct vt_err vt__reflection_new(const struct vt_rpc_server *server,
                                 struct vt__reflection **ret_reflection)
{
    struct vt__reflection *reflection = calloc(1, sizeof *reflection);
    VT_CHECK(reflection != NULL, VT_EXHAUSTED, "no memory for reflection");
    size_t size_bytes = (size_t)(vt_proto_descriptors_end - vt_proto_descriptors);
    reflection->server = server;
    struct vt_err err =
        vt__descriptor_index_new(vt_slice(vt_proto_descriptors, size_bytes), &reflection->index);
    if (vt_failed(err)) {
        free(reflection);
        return err;
    }
    *ret_reflection = reflection;
    return vt_ok();
}

void vt__reflection_free(struct vt__reflection *reflection)
{
    if (reflection == NULL)
        return;
    vt__descriptor_index_free(reflection->index);
    free(reflection);
}

/* ---- the question ---- */

static struct vt_err decode_question(struct vt_slice body, struct question *ret_question)
{
    struct question question = {.whole = body};
    struct vt_slice rest = body;
    for (struct vt__wire_field field; vt__wire_next(&rest, &field);) {
        if (field.wire_type != 2)
            continue;
        if (field.number == REQUEST_HOST)
            question.host = field.bytes;
        if (field.number >= ASK_FILE && field.number <= ASK_SERVICES) {
            question.kind = field.number;
            question.text = field.bytes;
        }
    }
    size_t bad = 0;
    VT_CHECK(rest.len == 0, VT_INVALID, "malformed ServerReflectionRequest");
    VT_CHECK(vt_text_valid(question.host, &bad) &&
                 (question.kind == ASK_EXTENSION || vt_text_valid(question.text, &bad)),
             VT_INVALID, "text is not valid UTF-8");
    *ret_question = question;
    return vt_ok();
}

static int extension_file(const struct vt__descriptor_index *index, struct vt_slice request)
{
    struct vt_slice type = {0};
    uint64_t number = 0;
    for (struct vt__wire_field field; vt__wire_next(&request, &field);) {
        if (field.number == EXTENSION_TYPE)
            type = field.bytes;
        if (field.number == EXTENSION_NUMBER)
            number = field.value;
    }
    return vt__descriptor_extension(index, type, number);
}

/* ---- the answers: each writes the body of one oneof member, or says what it lacks ---- */

static void write_files(const struct vt__descriptor_index *index, int file,
                        struct vt__wire_writer *writer)
{
    uint64_t files = vt__descriptor_with_imports(index, file);
    vt__wire_put_bytes(writer, 1, vt__descriptor_bytes(index, file));
    for (int i = 0; i < VT__FILES_MAX; i++)
        if (i != file && (files >> i & 1) != 0)
            vt__wire_put_bytes(writer, 1, vt__descriptor_bytes(index, i));
}

static bool write_numbers(const struct vt__descriptor_index *index, struct vt_slice type,
                          struct vt__wire_writer *writer)
{
    uint64_t numbers[EXTENSIONS_MAX];
    if (vt__descriptor_symbol(index, type) == VT__NO_FILE)
        return false;
    size_t n = vt__descriptor_extension_numbers(index, type, numbers, EXTENSIONS_MAX);
    vt__wire_put_bytes(writer, 1, type);
    for (size_t i = 0; i < n && i < EXTENSIONS_MAX; i++)
        vt__wire_put_varint(writer, 2, numbers[i]);
    return true;
}

/* Methods stand together by service, so a name is new when it differs from the one before. */
static void write_services(const struct vt_rpc_server *server, struct vt__wire_writer *writer)
{
    struct vt_slice last = {0};
    for (size_t i = 0; i < server->n_methods; i++) {
        struct vt_slice name = vt__service_of(server->methods[i].row->path);
        if (server->methods[i].row == &vt__catch_all || vt_slice_equal(name, last))
            continue;
        unsigned char memory[256];
        struct vt__wire_writer service = {.data = memory, .capacity = sizeof memory};
        vt__wire_put_bytes(&service, 1, name);
        vt__wire_put_bytes(writer, 1, vt__wire_written(&service));
        last = name;
    }
}

static void write_error(int status, const char *text, struct vt__wire_writer *writer)
{
    vt__wire_put_varint(writer, 1, (uint64_t)status);
    vt__wire_put_bytes(writer, 2, vt_slice_str(text));
}

static int find_file(const struct vt__descriptor_index *index, const struct question *question)
{
    switch (question->kind) {
    case ASK_FILE:
        return vt__descriptor_file(index, question->text);
    case ASK_SYMBOL:
        return vt__descriptor_symbol(index, question->text);
    default:
        return extension_file(index, question->text);
    }
}

/* Writes the oneof member's body and returns its field number. */
static uint32_t write_answer(const struct vt__reflection *reflection,
                             const struct question *question, struct vt__wire_writer *writer)
{
    if (question->kind == 0) {
        write_error(vt_rpc_status_from_code(VT_INVALID), "message_request is not set", writer);
        return REPLY_ERROR;
    }
    if (question->kind == ASK_SERVICES) {
        write_services(reflection->server, writer);
        return REPLY_SERVICES;
    }
    if (question->kind == ASK_NUMBERS && write_numbers(reflection->index, question->text, writer))
        return REPLY_NUMBERS;
    int file = question->kind == ASK_NUMBERS ? VT__NO_FILE : find_file(reflection->index, question);
    if (file == VT__NO_FILE) {
        write_error(vt_rpc_status_from_code(VT_NOT_FOUND), "not part of this contract", writer);
        return REPLY_ERROR;
    }
    write_files(reflection->index, file, writer);
    return REPLY_FILES;
}

static struct vt_err encode_reply(const struct stream *stream, const struct question *question,
                                  struct vt_slice *ret_reply)
{
    struct vt_arena *arena = vt_rpc_call_request(stream->call)->arena;
    size_t half = (arena->capacity - arena->used) / 2;
    half -= half > 64 ? 64 : half; /* for alignment */
    struct vt__wire_writer member = {.data = vt_arena_alloc(arena, half), .capacity = half};
    struct vt__wire_writer reply = {.data = vt_arena_alloc(arena, half), .capacity = half};
    VT_CHECK(member.data != NULL && reply.data != NULL, VT_EXHAUSTED, "no memory for reflection");
    uint32_t number = write_answer(stream->reflection, question, &member);
    vt__wire_put_bytes(&reply, REPLY_HOST, question->host);
    vt__wire_put_bytes(&reply, REPLY_REQUEST, question->whole);
    vt__wire_put_bytes(&reply, number, vt__wire_written(&member));
    VT_CHECK(!member.overflow && !reply.overflow, VT_EXHAUSTED,
             "descriptors are larger than the call's memory");
    *ret_reply = vt__wire_written(&reply);
    return vt_ok();
}

/* ---- the stream ---- */

static void on_question(void *ctx, struct vt_err err, struct vt_slice body, bool ended);

static void on_sent(void *ctx, bool ok)
{
    struct stream *stream = ctx;
    if (ok)
        vt_rpc_call_receive(stream->call, on_question, stream);
    else
        vt_rpc_call_finish(stream->call, VT_ERR(VT_CANCELLED, "caller is gone"));
}

static void on_question(void *ctx, struct vt_err err, struct vt_slice body, bool ended)
{
    struct stream *stream = ctx;
    struct question question;
    struct vt_slice reply;
    if (ended || vt_failed(err)) {
        vt_rpc_call_finish(stream->call, err);
        return;
    }
    vt_rpc_call_request(stream->call)->arena->used = stream->mark;
    err = decode_question(body, &question);
    if (!vt_failed(err))
        err = encode_reply(stream, &question, &reply);
    if (vt_failed(err))
        vt_rpc_call_finish(stream->call, err);
    else
        vt_rpc_call_send(stream->call, reply, on_sent, stream);
}

static void reflect(struct vt_rpc_call *call, void *service)
{
    struct vt_arena *arena = vt_rpc_call_request(call)->arena;
    struct stream *stream = vt_arena_array(arena, 1, sizeof *stream);
    if (stream == NULL) {
        vt_rpc_call_finish(call, VT_ERR(VT_EXHAUSTED, "no memory for reflection"));
        return;
    }
    *stream = (struct stream){.reflection = service, .call = call, .mark = arena->used};
    vt_rpc_call_receive(call, on_question, stream);
}

const struct vt_rpc_method vt__reflection_methods[VT__N_REFLECTION_METHODS] = {
    {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .handler = reflect,
     .kind = VT_RPC_BIDI_STREAM,
     .max_request_bytes = REQUEST_BYTES_MAX,
     .max_in_flight = STREAMS_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .handler = reflect,
     .kind = VT_RPC_BIDI_STREAM,
     .max_request_bytes = REQUEST_BYTES_MAX,
     .max_in_flight = STREAMS_MAX,
     .roles = VT_CALLER_ANY},
};
