/* Numbers go in by way of little-endian words and come out by shifts, so the bytes are the same
 * everywhere, and each is a single move where the machine is little-endian. */
#include "services/ranking/pack.h"

#include <endian.h>
#include <string.h>

void vt_pack_init(struct vt_pack *pack, void *memory, size_t size_bytes)
{
    *pack = (struct vt_pack){.begin = memory, .at = memory};
    pack->end = pack->begin + size_bytes;
}

static bool has_room(struct vt_pack *pack, size_t n)
{
    if (pack->full || (size_t)(pack->end - pack->at) < n)
        pack->full = true;
    return !pack->full;
}

static void put(struct vt_pack *pack, uint64_t value, unsigned n_bytes)
{
    if (!has_room(pack, n_bytes))
        return;
    const uint64_t little = htole64(value);
    memcpy(pack->at, &little, n_bytes);
    pack->at += n_bytes;
}

void vt_pack_u8(struct vt_pack *pack, unsigned value)
{
    put(pack, value, 1);
}

void vt_pack_u16(struct vt_pack *pack, unsigned value)
{
    put(pack, value, 2);
}

void vt_pack_u32(struct vt_pack *pack, uint32_t value)
{
    put(pack, value, 4);
}

void vt_pack_u64(struct vt_pack *pack, uint64_t value)
{
    put(pack, value, 8);
}

void vt_pack_f32(struct vt_pack *pack, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(pack, bits, 4);
}

void vt_pack_f64(struct vt_pack *pack, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(pack, bits, 8);
}

void vt_pack_varint(struct vt_pack *pack, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put(pack, (value & 0x7f) | 0x80, 1);
    put(pack, value, 1);
}

void vt_pack_text(struct vt_pack *pack, struct vt_slice text)
{
    vt_pack_varint(pack, text.len);
    if (text.len == 0 || !has_room(pack, text.len))
        return;
    memcpy(pack->at, text.data, text.len);
    pack->at += text.len;
}

void vt_unpack_init(struct vt_unpack *unpack, struct vt_slice bytes)
{
    *unpack = (struct vt_unpack){.at = (const unsigned char *)bytes.data};
    unpack->end = unpack->at + bytes.len;
}

static bool has_bytes(struct vt_unpack *unpack, size_t n)
{
    if (unpack->failed || vt_unpack_left(unpack) < n)
        unpack->failed = true;
    return !unpack->failed;
}

static uint64_t take(struct vt_unpack *unpack, unsigned n_bytes)
{
    uint64_t value = 0;
    if (!has_bytes(unpack, n_bytes))
        return 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)unpack->at[i] << (8 * i);
    unpack->at += n_bytes;
    return value;
}

unsigned vt_unpack_u8(struct vt_unpack *unpack)
{
    return (unsigned)take(unpack, 1);
}

unsigned vt_unpack_u16(struct vt_unpack *unpack)
{
    return (unsigned)take(unpack, 2);
}

uint32_t vt_unpack_u32(struct vt_unpack *unpack)
{
    return (uint32_t)take(unpack, 4);
}

uint64_t vt_unpack_u64(struct vt_unpack *unpack)
{
    return take(unpack, 8);
}

float vt_unpack_f32(struct vt_unpack *unpack)
{
    uint32_t bits = (uint32_t)take(unpack, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double vt_unpack_f64(struct vt_unpack *unpack)
{
    uint64_t bits = take(unpack, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint64_t vt_unpack_varint(struct vt_unpack *unpack)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = take(unpack, 1);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    unpack->failed = true;
    return 0;
}

struct vt_slice vt_unpack_text(struct vt_unpack *unpack)
{
    uint64_t len = vt_unpack_varint(unpack);
    if (len > vt_unpack_left(unpack))
        unpack->failed = true;
    if (unpack->failed)
        return vt_slice(NULL, 0);
    const unsigned char *data = unpack->at;
    unpack->at += len;
    return vt_slice(data, (size_t)len);
}

uint32_t vt_unpack_count(struct vt_unpack *unpack, size_t bytes_each, uint32_t max)
{
    uint64_t count = vt_unpack_varint(unpack);
    if (count > max || count > vt_unpack_left(unpack) / bytes_each)
        unpack->failed = true;
    return unpack->failed ? 0 : (uint32_t)count;
}
