#ifndef VT_RANKING_PACK_H
#define VT_RANKING_PACK_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Numbers and texts as bytes, little-endian, into memory that the caller bounds, and back. Both
 * sides go on after a failure and only remember it, so that who packs or unpacks checks once, at
 * the end. One thread.
 */
struct vt_pack {
    unsigned char *begin, *at, *end; /* borrowed */
    size_t mark;                     /* the caller's: how far some part reached */
    bool full;                       /* something did not fit; the rest is left out */
};
void vt_pack_init(struct vt_pack *pack, void *memory, size_t size_bytes);
static inline size_t vt_pack_len(const struct vt_pack *pack)
{
    return (size_t)(pack->at - pack->begin);
}
void vt_pack_u8(struct vt_pack *pack, unsigned value);
void vt_pack_u16(struct vt_pack *pack, unsigned value);
void vt_pack_u32(struct vt_pack *pack, uint32_t value);
void vt_pack_u64(struct vt_pack *pack, uint64_t value);
void vt_pack_f32(struct vt_pack *pack, float value);
void vt_pack_f64(struct vt_pack *pack, double value); /* its bits */
/* Seven bits a byte, the low ones first. */
void vt_pack_varint(struct vt_pack *pack, uint64_t value);
/* Length, then bytes. */
void vt_pack_text(struct vt_pack *pack, struct vt_slice text);

struct vt_unpack {
    const unsigned char *at, *end; /* borrowed */
    bool failed; /* more was wanted than is there; what was taken since is 0 and empty */
};
void vt_unpack_init(struct vt_unpack *unpack, struct vt_slice bytes);
static inline size_t vt_unpack_left(const struct vt_unpack *unpack)
{
    return (size_t)(unpack->end - unpack->at);
}
unsigned vt_unpack_u8(struct vt_unpack *unpack);
unsigned vt_unpack_u16(struct vt_unpack *unpack);
uint32_t vt_unpack_u32(struct vt_unpack *unpack);
uint64_t vt_unpack_u64(struct vt_unpack *unpack);
float vt_unpack_f32(struct vt_unpack *unpack);
double vt_unpack_f64(struct vt_unpack *unpack);
uint64_t vt_unpack_varint(struct vt_unpack *unpack);
/* Borrows from the bytes. */
struct vt_slice vt_unpack_text(struct vt_unpack *unpack);
/* A count of things that take at least `bytes_each`: fails when they cannot all be there. */
uint32_t vt_unpack_count(struct vt_unpack *unpack, size_t bytes_each, uint32_t max);

#endif
