/*
 * The one place where a number of ours becomes bytes on disk and back. Fixed numbers are big-endian
 * so that keys sort as numbers do. Failures stick instead of being returned one by one: an encoder
 * is a straight column, and one check at its end decides.
 */
#include "services/profile/codec.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256, VARINT_BYTES_MAX = 10 };

void vt__buffer_fini(struct vt__buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct vt__buffer){0};
}

struct vt_slice vt__buffer_slice(const struct vt__buffer *buffer)
{
    return vt_slice(buffer->data, buffer->len);
}

static bool reserve(struct vt__buffer *buffer, size_t len)
{
    if (buffer->failed || len <= buffer->capacity - buffer->len)
        return !buffer->failed;
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : CAPACITY_MIN;
    while (capacity - buffer->len < len)
        capacity *= 2;
    unsigned char *data = realloc(buffer->data, capacity);
    buffer->failed = data == NULL;
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void vt__put_bytes(struct vt__buffer *buffer, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(buffer, len))
        return;
    memcpy(buffer->data + buffer->len, bytes, len);
    buffer->len += len;
}

static void put_fixed(struct vt__buffer *buffer, uint64_t value, unsigned n_bytes)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * (n_bytes - 1 - i)));
    vt__put_bytes(buffer, bytes, n_bytes);
}

void vt__put_u8(struct vt__buffer *buffer, unsigned value)
{
    put_fixed(buffer, value, 1);
}

void vt__put_u16(struct vt__buffer *buffer, uint16_t value)
{
    put_fixed(buffer, value, 2);
}

void vt__put_u32(struct vt__buffer *buffer, uint32_t value)
{
    put_fixed(buffer, value, 4);
}

void vt__put_u64(struct vt__buffer *buffer, uint64_t value)
{
    put_fixed(buffer, value, 8);
}

void vt__put_f32(struct vt__buffer *buffer, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    vt__put_u32(buffer, bits);
}

void vt__put_f64(struct vt__buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    vt__put_u64(buffer, bits);
}

void vt__put_varint(struct vt__buffer *buffer, uint64_t value)
{
    unsigned char bytes[VARINT_BYTES_MAX];
    unsigned n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (unsigned char)(value | 0x80);
    bytes[n++] = (unsigned char)value;
    vt__put_bytes(buffer, bytes, n);
}

void vt__put_zigzag(struct vt__buffer *buffer, int64_t value)
{
    uint64_t sign = value < 0 ? UINT64_MAX : 0;
    vt__put_varint(buffer, ((uint64_t)value << 1) ^ sign);
}

void vt__put_text(struct vt__buffer *buffer, struct vt_slice text)
{
    vt__put_varint(buffer, text.len);
    vt__put_bytes(buffer, text.data, text.len);
}

/* ---- reading ---- */

struct vt__reader vt__reader(struct vt_slice bytes)
{
    static const unsigned char nothing[1];
    const unsigned char *at = bytes.len != 0 ? (const unsigned char *)bytes.data : nothing;
    return (struct vt__reader){at, at + bytes.len, false};
}

bool vt__reader_done(const struct vt__reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

struct vt_slice vt__get_bytes(struct vt__reader *reader, size_t len)
{
    if (reader->failed || len > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return vt_slice(NULL, 0);
    }
    struct vt_slice bytes = vt_slice(reader->at, len);
    reader->at += len;
    return bytes;
}

static uint64_t get_fixed(struct vt__reader *reader, unsigned n_bytes)
{
    struct vt_slice bytes = vt__get_bytes(reader, n_bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.data[i];
    return value;
}

unsigned vt__get_u8(struct vt__reader *reader)
{
    return (unsigned)get_fixed(reader, 1);
}

uint16_t vt__get_u16(struct vt__reader *reader)
{
    return (uint16_t)get_fixed(reader, 2);
}

uint32_t vt__get_u32(struct vt__reader *reader)
{
    return (uint32_t)get_fixed(reader, 4);
}

uint64_t vt__get_u64(struct vt__reader *reader)
{
    return get_fixed(reader, 8);
}

float vt__get_f32(struct vt__reader *reader)
{
    uint32_t bits = vt__get_u32(reader);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double vt__get_f64(struct vt__reader *reader)
{
    uint64_t bits = vt__get_u64(reader);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint64_t vt__get_varint(struct vt__reader *reader)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        unsigned byte = vt__get_u8(reader);
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            break; /* more than 64 bits */
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80)
            return reader->failed ? 0 : value;
    }
    reader->failed = true;
    return 0;
}

int64_t vt__get_zigzag(struct vt__reader *reader)
{
    uint64_t value = vt__get_varint(reader);
    return (int64_t)((value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

struct vt_slice vt__get_text(struct vt__reader *reader)
{
    return vt__get_bytes(reader, (size_t)vt__get_varint(reader));
}
