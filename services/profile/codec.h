#ifndef VT_PROFILE_CODEC_H
#define VT_PROFILE_CODEC_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of keys and values, one number or text at a time. One thread per object. */

/* A buffer that grows; when memory is out `failed` stays set and puts do nothing. Zero it first. */
struct vt__buffer {
    unsigned char *data; /* owned */
    size_t len, capacity;
    bool failed;
};
/* Frees the memory; the buffer is zero again. */
void vt__buffer_fini(struct vt__buffer *buffer);
/* Borrowed until the next put. */
struct vt_slice vt__buffer_slice(const struct vt__buffer *buffer);
/* Appenders: amortised O(bytes). */
void vt__put_bytes(struct vt__buffer *buffer, const void *bytes, size_t len);
void vt__put_u8(struct vt__buffer *buffer, unsigned value);
void vt__put_u16(struct vt__buffer *buffer, uint16_t value); /* big-endian, as all fixed ones */
void vt__put_u32(struct vt__buffer *buffer, uint32_t value);
void vt__put_u64(struct vt__buffer *buffer, uint64_t value);
void vt__put_f32(struct vt__buffer *buffer, float value);
void vt__put_f64(struct vt__buffer *buffer, double value);
void vt__put_varint(struct vt__buffer *buffer, uint64_t value); /* LEB128, at most 10 bytes */
void vt__put_zigzag(struct vt__buffer *buffer, int64_t value);
void vt__put_text(struct vt__buffer *buffer, struct vt_slice text); /* varint length, bytes */

/* Reads never pass `end`; after the first that would, `failed` stays set and all reads give 0. */
struct vt__reader {
    const unsigned char *at, *end; /* borrowed */
    bool failed;
};
struct vt__reader vt__reader(struct vt_slice bytes);
bool vt__reader_done(const struct vt__reader *reader); /* at the end, nothing failed */
unsigned vt__get_u8(struct vt__reader *reader);
uint16_t vt__get_u16(struct vt__reader *reader);
uint32_t vt__get_u32(struct vt__reader *reader);
uint64_t vt__get_u64(struct vt__reader *reader);
float vt__get_f32(struct vt__reader *reader);
double vt__get_f64(struct vt__reader *reader);
uint64_t vt__get_varint(struct vt__reader *reader);
int64_t vt__get_zigzag(struct vt__reader *reader);
struct vt_slice vt__get_text(struct vt__reader *reader);
struct vt_slice vt__get_bytes(struct vt__reader *reader, size_t len);

#endif
