/*
 * Any bytes, as an attribution token: nothing but what was encoded with the key is taken. libFuzzer
 * can not guess a MAC, so each input is also the content of a genuine token, which comes back as
 * it was and stops being one when a single character is another.
 */
#include "services/ranking/token.h"
#include "tests/testlib/fuzz.h"

#include <string.h>

enum { VERSION_BYTES_MAX = 64 };
static const unsigned char key[VT_TOKEN_KEY_BYTES] = {7};

static size_t take(void *to, size_t n, const uint8_t **data, size_t *size)
{
    n = n < *size ? n : *size;
    if (n > 0)
        memcpy(to, *data, n);
    *data += n;
    *size -= n;
    return n;
}

static void arbitrary_text(struct vt_slice text, struct vt_arena *arena)
{
    struct vt_token token;
    struct vt_err err = vt_token_decode(key, text, arena, &token);
    vt_fuzz_expect(err.code == VT_INVALID);
}

static void genuine_token(const uint8_t *data, size_t size, struct vt_arena *arena)
{
    struct vt_token token = {0}, got;
    char version[VERSION_BYTES_MAX];
    size_t changed = 0;
    struct vt_slice text;
    (void)take(&token.time_ms, sizeof token.time_ms, &data, &size);
    (void)take(&token.customer_hash, sizeof token.customer_hash, &data, &size);
    (void)take(&token.placement_hash, sizeof token.placement_hash, &data, &size);
    (void)take(token.nonce, sizeof token.nonce, &data, &size);
    (void)take(&changed, 1, &data, &size);
    token.model_version = vt_slice(version, take(version, sizeof version, &data, &size));
    vt_fuzz_expect(!vt_failed(vt_token_encode(key, &token, arena, &text)));
    vt_fuzz_expect(text.len <= VT_TOKEN_BYTES_MAX);
    vt_fuzz_expect(!vt_failed(vt_token_decode(key, text, arena, &got)));
    vt_fuzz_expect(got.time_ms == token.time_ms && got.customer_hash == token.customer_hash);
    vt_fuzz_expect(got.placement_hash == token.placement_hash);
    vt_fuzz_expect(memcmp(got.nonce, token.nonce, sizeof got.nonce) == 0);
    vt_fuzz_expect(vt_slice_equal(got.model_version, token.model_version));

    struct vt_slice forged = vt_arena_copy(arena, text);
    char *at = (char *)forged.data + changed % forged.len;
    *at = *at == 'A' ? 'B' : 'A';
    vt_fuzz_expect(vt_token_decode(key, forged, arena, &got).code == VT_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) unsigned char memory[4096];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    arbitrary_text(vt_slice(data, size), &arena);
    genuine_token(data, size, &arena);
    return 0;
}
