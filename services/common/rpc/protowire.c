/* Varints, fixed numbers and length-delimited bytes; nothing else exists in proto3. */
#include "services/common/rpc/protowire.h"

static bool take_varint(struct vt_slice *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->len && i < 10; i++) {
        unsigned char byte = (unsigned char)rest->data[i];
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0) {
            *rest = vt_slice(rest->data + i + 1, rest->len - i - 1);
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct vt_slice *rest, uint64_t len, struct vt_slice *ret_bytes)
{
    if (len > rest->len)
        return false;
    *ret_bytes = vt_slice(rest->data, (size_t)len);
    *rest = vt_slice(rest->data + len, rest->len - (size_t)len);
    return true;
}

static bool take_fixed(struct vt_slice *rest, size_t n_bytes, uint64_t *ret_value)
{
    struct vt_slice bytes;
    if (!take_bytes(rest, n_bytes, &bytes))
        return false;
    *ret_value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        *ret_value |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    return true;
}

static bool take_value(struct vt_slice *rest, struct vt__wire_field *field)
{
    switch (field->wire_type) {
    case 0:
        return take_varint(rest, &field->value);
    case 1:
        return take_fixed(rest, 8, &field->value);
    case 2:
        return take_varint(rest, &field->value) && take_bytes(rest, field->value, &field->bytes);
    case 5:
        return take_fixed(rest, 4, &field->value);
    default:
        return false;
    }
}

bool vt__wire_next(struct vt_slice *rest, struct vt__wire_field *ret_field)
{
    struct vt_slice after = *rest;
    uint64_t tag = 0;
    if (rest->len == 0 || !take_varint(&after, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    struct vt__wire_field field = {.number = (uint32_t)(tag >> 3),
                                   .wire_type = (uint32_t)(tag & 7)};
    if (!take_value(&after, &field))
        return false;
    *rest = after;
    *ret_field = field;
    return true;
}

static void put_raw(struct vt__wire_writer *writer, const void *data, size_t len)
{
    if (len > writer->capacity - writer->len) {
        writer->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(writer->data + writer->len, data, len);
    writer->len += len;
}

static void put_varint(struct vt__wire_writer *writer, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    put_raw(writer, bytes, n);
}

void vt__wire_put_varint(struct vt__wire_writer *writer, uint32_t number, uint64_t value)
{
    put_varint(writer, (uint64_t)number << 3);
    put_varint(writer, value);
}

void vt__wire_put_bytes(struct vt__wire_writer *writer, uint32_t number, struct vt_slice bytes)
{
    put_varint(writer, (uint64_t)number << 3 | 2);
    put_varint(writer, bytes.len);
    put_raw(writer, bytes.data, bytes.len);
}

struct vt_slice vt__wire_written(const struct vt__wire_writer *writer)
{
    return vt_slice(writer->data, writer->len);
}
