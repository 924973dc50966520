/*
 * Attribution tokens, both ways in one file. The MAC is checked in constant time before any field
 * is read, so the decoder never looks at bytes that we did not write.
 */
#include "services/ranking/token.h"

#include <sodium.h>
#include <string.h>

enum {
    FORMAT = 1,
    VERSION_BYTES_MAX = 64,
    MAC_BYTES = 16,
    HEAD_BYTES = 1 + 8 + 8 + 8 + VT_TOKEN_NONCE_BYTES + 1,
    RAW_BYTES_MAX = HEAD_BYTES + VERSION_BYTES_MAX + MAC_BYTES,
};
_Static_assert(sodium_base64_ENCODED_LEN(RAW_BYTES_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                   VT_TOKEN_BYTES_MAX,
               "the longest token fits its limit");

static unsigned char *put_u64(unsigned char *at, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (unsigned char)(value >> shift);
    return at;
}

static const unsigned char *take_u64(const unsigned char *at, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | *at++;
    *ret_value = value;
    return at;
}

static void make_mac(const unsigned char *key, const unsigned char *raw, size_t len,
                     unsigned char ret_mac[MAC_BYTES])
{
    /* Fails only for sizes outside libsodium's limits, which these constants are not. */
    VT_ASSERT(crypto_generichash(ret_mac, MAC_BYTES, raw, len, key, VT_TOKEN_KEY_BYTES) == 0);
}

uint64_t vt_token_hash(const unsigned char key[VT_TOKEN_KEY_BYTES], struct vt_slice bytes)
{
    unsigned char hash[MAC_BYTES];
    uint64_t value;
    make_mac(key, (const unsigned char *)bytes.data, bytes.len, hash);
    (void)take_u64(hash, &value);
    return value;
}

struct vt_err vt_token_encode(const unsigned char key[VT_TOKEN_KEY_BYTES],
                              const struct vt_token *token, struct vt_arena *arena,
                              struct vt_slice *ret_text)
{
    unsigned char raw[RAW_BYTES_MAX], *at = raw;
    VT_CHECK(token->model_version.len <= VERSION_BYTES_MAX, VT_INTERNAL, "a version over 64 bytes");
    *at++ = FORMAT;
    at = put_u64(at, (uint64_t)token->time_ms);
    at = put_u64(at, token->customer_hash);
    at = put_u64(at, token->placement_hash);
    memcpy(at, token->nonce, VT_TOKEN_NONCE_BYTES);
    at += VT_TOKEN_NONCE_BYTES;
    *at++ = (unsigned char)token->model_version.len;
    if (token->model_version.len > 0)
        memcpy(at, token->model_version.data, token->model_version.len);
    at += token->model_version.len;
    make_mac(key, raw, (size_t)(at - raw), at);
    char *text = vt_arena_alloc(arena, VT_TOKEN_BYTES_MAX);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "the request's memory is full");
    (void)sodium_bin2base64(text, VT_TOKEN_BYTES_MAX, raw, (size_t)(at - raw) + MAC_BYTES,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    *ret_text = vt_slice_str(text);
    return vt_ok();
}

static bool is_genuine(const unsigned char *key, const unsigned char *raw, size_t len)
{
    unsigned char mac[MAC_BYTES];
    if (len < HEAD_BYTES + MAC_BYTES || raw[0] != FORMAT ||
        len != (size_t)HEAD_BYTES + raw[HEAD_BYTES - 1] + MAC_BYTES)
        return false;
    make_mac(key, raw, len - MAC_BYTES, mac);
    return sodium_memcmp(mac, raw + len - MAC_BYTES, MAC_BYTES) == 0;
}

struct vt_err vt_token_decode(const unsigned char key[VT_TOKEN_KEY_BYTES], struct vt_slice text,
                              struct vt_arena *arena, struct vt_token *ret_token)
{
    unsigned char *raw = vt_arena_alloc(arena, RAW_BYTES_MAX);
    size_t len = 0;
    VT_CHECK(raw != NULL, VT_EXHAUSTED, "the request's memory is full");
    VT_CHECK(text.len <= VT_TOKEN_BYTES_MAX &&
                 sodium_base642bin(raw, RAW_BYTES_MAX, text.data, text.len, NULL, &len, NULL,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0,
             VT_INVALID, "not an attribution token");
    VT_CHECK(is_genuine(key, raw, len), VT_INVALID, "not an attribution token of this cell");
    uint64_t time_ms;
    struct vt_token token;
    const unsigned char *at = take_u64(raw + 1, &time_ms);
    at = take_u64(at, &token.customer_hash);
    at = take_u64(at, &token.placement_hash);
    memcpy(token.nonce, at, VT_TOKEN_NONCE_BYTES);
    token.time_ms = (int64_t)time_ms;
    token.model_version = vt_slice(raw + HEAD_BYTES, raw[HEAD_BYTES - 1]);
    *ret_token = token;
    return vt_ok();
}
