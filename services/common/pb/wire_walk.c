/*
 * The guard before protobuf-c. protobuf-c 1.4 recurses without a limit, keeps unknown fields at 28
 * times their size, takes strings with NUL ("a\0b" reads as "a": two customers become one) and
 * broken UTF-8. So the bytes are first walked along the descriptor: each level is a frame on our
 * stack (at most VT_PB_DEPTH_MAX of them), from which the path of a bad field is told; which
 * element of its list it is, is counted then. Nothing is allocated and nothing is copied.
 */
#include "services/common/pb/wire_walk.h"

#include "services/common/base/text.h"

#include <stdio.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LEN = 2, WIRE_FIXED32 = 5 };
enum { FIELD_NUMBER_MAX = (1 << 29) - 1 };

/* One message being walked. */
struct frame {
    const struct frame *parent;
    const ProtobufCMessageDescriptor *type;
    const ProtobufCFieldDescriptor *field; /* being read, NULL when unknown */
    const unsigned char *start, *at, *end;
    const unsigned char *tag; /* of the field being read */
    unsigned depth;
};

struct walk {
    const unsigned char *start;
    struct vt_diag *diag;
    size_t n_elements, n_unknown, unknown_bytes;
};

static struct vt_err walk_message(struct walk *walk, struct frame *frame);

/* False when truncated or longer than ten bytes. */
static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at == end)
            return false;
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Moves past a field that was walked before; returns its number. */
static uint32_t pass_field(const unsigned char **at, const unsigned char *end)
{
    uint64_t tag = 0, value = 0;
    if (!read_varint(at, end, &tag))
        return 0;
    if ((tag & 7) == WIRE_FIXED32)
        value = 4;
    else if ((tag & 7) == WIRE_FIXED64)
        value = 8;
    else if (!read_varint(at, end, &value) || (tag & 7) == WIRE_VARINT)
        value = 0;
    *at = value <= (uint64_t)(end - *at) ? *at + value : end;
    return (uint32_t)(tag >> 3);
}

/* How many elements of the list stand before the field being read. */
static unsigned count_before(const struct frame *frame)
{
    unsigned n = 0;
    for (const unsigned char *at = frame->start; at < frame->tag;)
        n += pass_field(&at, frame->tag) == frame->field->id;
    return n;
}

/* "events[3].item_id", root first. */
static size_t write_path(const struct frame *frame, char *text, size_t size)
{
    size_t len = 0;
    if (frame->parent != NULL)
        len = write_path(frame->parent, text, size);
    if (frame->field == NULL || len + 1 >= size)
        return len;
    const char *dot = len > 0 ? "." : "";
    int n;
    if (frame->field->label == PROTOBUF_C_LABEL_REPEATED)
        n = snprintf(text + len, size - len, "%s%s[%u]", dot, frame->field->name,
                     count_before(frame));
    else
        n = snprintf(text + len, size - len, "%s%s", dot, frame->field->name);
    size_t room = size - len - 1;
    return len + ((size_t)n < room ? (size_t)n : room);
}

static struct vt_err refuse(const struct walk *walk, const struct frame *frame, enum vt_code code,
                            const char *what)
{
    if (walk->diag != NULL) {
        char path[VT_DIAG_FIELD_BYTES] = "";
        write_path(frame, path, sizeof path);
        vt_diag_set(walk->diag, path, "%s", what);
        walk->diag->offset = (uint64_t)(frame->at - walk->start);
    }
    return VT_ERR(code, what);
}

static unsigned wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LEN;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    default:
        return WIRE_VARINT;
    }
}

/* Moves past one value and gives its payload: the bytes of a LEN field, else the raw value. */
static struct vt_err take_value(struct walk *walk, struct frame *frame, unsigned wire,
                                struct vt_slice *ret_payload)
{
    const unsigned char *at = frame->at;
    uint64_t len = 0;
    if (wire == WIRE_VARINT)
        if (!read_varint(&at, frame->end, &len))
            return refuse(walk, frame, VT_INVALID,
                          "truncated or overlong number; send a whole message");
    if (wire == WIRE_LEN)
        if (!read_varint(&at, frame->end, &len))
            return refuse(walk, frame, VT_INVALID, "truncated length; send a whole message");
    uint64_t payload_bytes = wire == WIRE_LEN       ? len
                             : wire == WIRE_FIXED32 ? 4
                             : wire == WIRE_FIXED64 ? 8
                                                    : 0;
    if (payload_bytes > (uint64_t)(frame->end - at))
        return refuse(walk, frame, VT_INVALID, "truncated field; send a whole message");
    *ret_payload = vt_slice(at, (size_t)payload_bytes);
    frame->at = at + payload_bytes;
    return vt_ok();
}

static struct vt_err walk_packed(struct walk *walk, struct frame *frame, struct vt_slice payload)
{
    unsigned wire = wire_type_of(frame->field->type);
    if (wire != WIRE_VARINT) {
        size_t size = wire == WIRE_FIXED32 ? 4 : 8;
        if (payload.len % size != 0)
            return refuse(walk, frame, VT_INVALID, "packed list ends within a value");
        walk->n_elements += payload.len / size;
    } else {
        const unsigned char *at = (const unsigned char *)payload.data, *end = at + payload.len;
        for (uint64_t value; at < end; walk->n_elements++)
            if (!read_varint(&at, end, &value))
                return refuse(walk, frame, VT_INVALID, "packed list ends within a value");
    }
    if (walk->n_elements > VT_PB_ELEMENTS_MAX)
        return refuse(walk, frame, VT_EXHAUSTED,
                      "message holds too many values; send smaller batches");
    return vt_ok();
}

static struct vt_err walk_text(struct walk *walk, struct frame *frame, struct vt_slice payload)
{
    size_t bad = 0;
    if (vt_text_valid(payload, &bad))
        return vt_ok();
    frame->at = (const unsigned char *)payload.data + bad;
    return refuse(walk, frame, VT_INVALID,
                  payload.data[bad] == '\0' ? "text holds a NUL byte; remove it"
                                            : "text is not valid UTF-8; encode it as UTF-8");
}

static struct vt_err walk_nested(struct walk *walk, struct frame *frame, struct vt_slice payload)
{
    if (frame->depth >= VT_PB_DEPTH_MAX)
        return refuse(walk, frame, VT_EXHAUSTED, "messages are nested too deep");
    const unsigned char *start = (const unsigned char *)payload.data;
    struct frame nested = {.parent = frame,
                           .type = frame->field->descriptor,
                           .start = start,
                           .at = start,
                           .end = start + payload.len,
                           .depth = frame->depth + 1};
    return walk_message(walk, &nested);
}

static struct vt_err walk_known(struct walk *walk, struct frame *frame, unsigned wire)
{
    const ProtobufCFieldDescriptor *field = frame->field;
    unsigned expected = wire_type_of(field->type);
    bool packed =
        field->label == PROTOBUF_C_LABEL_REPEATED && wire == WIRE_LEN && expected != WIRE_LEN;
    if (wire != expected && !packed)
        return refuse(
            walk, frame, VT_INVALID,
            "field has another type than in vitrine/v1/*.proto; rebuild the client from them");
    struct vt_slice payload = {0};
    VT_TRY(take_value(walk, frame, wire, &payload));
    if (packed)
        return walk_packed(walk, frame, payload);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return walk_text(walk, frame, payload);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return walk_nested(walk, frame, payload);
    return vt_ok();
}

static struct vt_err walk_unknown(struct walk *walk, struct frame *frame, unsigned wire)
{
    if (wire > WIRE_LEN && wire != WIRE_FIXED32)
        return refuse(walk, frame, VT_INVALID, "field has a wire type that proto3 does not have");
    struct vt_slice payload = {0};
    VT_TRY(take_value(walk, frame, wire, &payload));
    walk->n_unknown++;
    walk->unknown_bytes += (size_t)(frame->at - frame->tag);
    if (walk->n_unknown > VT_PB_UNKNOWN_FIELDS_MAX || walk->unknown_bytes > VT_PB_UNKNOWN_BYTES_MAX)
        return refuse(walk, frame, VT_EXHAUSTED,
                      "message holds too many fields unknown to this version");
    return vt_ok();
}

static struct vt_err walk_field(struct walk *walk, struct frame *frame)
{
    uint64_t tag = 0;
    frame->field = NULL;
    frame->tag = frame->at;
    if (!read_varint(&frame->at, frame->end, &tag))
        return refuse(walk, frame, VT_INVALID, "truncated field; send a whole message");
    if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return refuse(walk, frame, VT_INVALID,
                      "field number out of range; this is not a protobuf message");
    if (++walk->n_elements > VT_PB_ELEMENTS_MAX)
        return refuse(walk, frame, VT_EXHAUSTED,
                      "message holds too many values; send smaller batches");
    frame->field = protobuf_c_message_descriptor_get_field(frame->type, (unsigned)(tag >> 3));
    if (frame->field == NULL)
        return walk_unknown(walk, frame, (unsigned)(tag & 7));
    return walk_known(walk, frame, (unsigned)(tag & 7));
}

static struct vt_err walk_message(struct walk *walk, struct frame *frame)
{
    while (frame->at < frame->end)
        VT_TRY(walk_field(walk, frame));
    return vt_ok();
}

struct vt_err vt__pb_walk(const ProtobufCMessageDescriptor *type, struct vt_slice bytes,
                          struct vt_diag *diag)
{
    if (bytes.len == 0)
        return vt_ok();
    const unsigned char *start = (const unsigned char *)bytes.data;
    struct walk walk = {.start = start, .diag = diag};
    struct frame frame = {
        .type = type, .start = start, .at = start, .end = start + bytes.len, .depth = 1};
    return walk_message(&walk, &frame);
}
