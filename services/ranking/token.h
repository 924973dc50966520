#ifndef VT_RANKING_TOKEN_H
#define VT_RANKING_TOKEN_H

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdint.h>

/*
 * The attribution token: which answer an event came from. Opaque to storefronts, base64url without
 * padding, at most VT_TOKEN_BYTES_MAX. Before encoding, big-endian:
 *   1 format (1) · 8 time, Unix ms · 8 keyed hash of the customer number · 8 keyed hash of the
 *   placement · 16 nonce · 1 length and then the model version · 16 MAC (BLAKE2b, keyed) of all.
 * No customer id is in it, and none can be got out of it without the key.
 */
enum { VT_TOKEN_BYTES_MAX = 200, VT_TOKEN_KEY_BYTES = 32, VT_TOKEN_NONCE_BYTES = 16 };

struct vt_token {
    int64_t time_ms;
    uint64_t customer_hash, placement_hash;
    unsigned char nonce[VT_TOKEN_NONCE_BYTES]; /* makes each answer's token another one */
    struct vt_slice model_version;             /* at most 64 bytes; borrowed */
};

/* Keyed 64-bit hash for the fields above. Any thread. */
uint64_t vt_token_hash(const unsigned char key[VT_TOKEN_KEY_BYTES], struct vt_slice bytes);
/* Into the arena; VT_EXHAUSTED when that is full. Any thread; about a microsecond. */
VT_MUST_USE struct vt_err vt_token_encode(const unsigned char key[VT_TOKEN_KEY_BYTES],
                                          const struct vt_token *token, struct vt_arena *arena,
                                          struct vt_slice *ret_text);
/* VT_INVALID for anything that vt_token_encode with this key did not make. The version points into
 * the arena. */
VT_MUST_USE struct vt_err vt_token_decode(const unsigned char key[VT_TOKEN_KEY_BYTES],
                                          struct vt_slice text, struct vt_arena *arena,
                                          struct vt_token *ret_token);

#endif
