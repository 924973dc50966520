/*
 * Page tokens are not secret and not signed: the place is a number or a name that the caller may
 * see anyway, and a forged one only begins the list elsewhere. What is checked is the form, so that
 * a cut or mixed-up token is told apart from a page that happens to be empty.
 */
#include "services/common/wire/page.h"

#include "services/common/wire/check.h"

#include <string.h>

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum {
    RAW_BYTES_MAX = 1 + VT_PAGE_PLACE_BYTES_MAX,
    TEXT_BYTES_MAX = (RAW_BYTES_MAX * 8 + 5) / 6,
};

static size_t encode(const unsigned char *raw, size_t n_raw, char *ret_text)
{
    size_t n_text = 0;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < n_raw; i++) {
        bits = bits << 8 | raw[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            ret_text[n_text++] = alphabet[bits >> (n_bits - 6) & 63];
    }
    if (n_bits > 0)
        ret_text[n_text++] = alphabet[bits << (6 - n_bits) & 63];
    return n_text;
}

/* The bytes, or 0 when the text is not what encode() makes. */
static size_t decode(struct vt_slice text, unsigned char *ret_raw)
{
    size_t n_raw = 0;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    if (text.len > TEXT_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(alphabet, text.data[i], 64);
        if (digit == NULL)
            return 0;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            ret_raw[n_raw++] = (unsigned char)(bits >> n_bits);
        }
    }
    return n_bits < 6 && (bits & ((1U << n_bits) - 1)) == 0 ? n_raw : 0;
}

struct vt_slice vt_page_token(struct vt_arena *arena, char list, struct vt_slice place)
{
    unsigned char raw[RAW_BYTES_MAX];
    char text[TEXT_BYTES_MAX];
    VT_ASSERT(place.len <= VT_PAGE_PLACE_BYTES_MAX);
    raw[0] = (unsigned char)list;
    if (place.len != 0)
        memcpy(raw + 1, place.data, place.len);
    return vt_arena_copy(arena, vt_slice(text, encode(raw, 1 + place.len, text)));
}

struct vt_slice vt_page_token_u64(struct vt_arena *arena, char list, uint64_t place)
{
    unsigned char big_endian[8];
    for (int i = 0; i < 8; i++)
        big_endian[i] = (unsigned char)(place >> (56 - 8 * i));
    return vt_page_token(arena, list, vt_slice(big_endian, sizeof big_endian));
}

static struct vt_err bad_token(struct vt_diag *diag)
{
    return vt_check_failed(VT_FIELD("page_token"), diag,
                           "not a token of this list; send back next_page_token unchanged, or "
                           "leave it empty for the first page");
}

struct vt_err vt_page_place(struct vt_arena *arena, char list, struct vt_slice token,
                            struct vt_diag *diag, struct vt_slice *ret_place)
{
    unsigned char raw[RAW_BYTES_MAX];
    size_t n_raw = decode(token, raw);
    if (token.len != 0 && (n_raw < 2 || raw[0] != (unsigned char)list))
        return bad_token(diag);
    struct vt_slice place = {0};
    if (token.len != 0) {
        place = vt_arena_copy(arena, vt_slice(raw + 1, n_raw - 1));
        VT_CHECK(place.data != NULL, VT_EXHAUSTED, "the request does not fit a call's memory");
    }
    *ret_place = place;
    return vt_ok();
}

struct vt_err vt_page_place_u64(char list, struct vt_slice token, uint64_t max,
                                struct vt_diag *diag, uint64_t *ret_place)
{
    unsigned char raw[RAW_BYTES_MAX];
    uint64_t place = 0;
    if (token.len != 0) {
        if (decode(token, raw) != 9 || raw[0] != (unsigned char)list)
            return bad_token(diag);
        for (int i = 1; i <= 8; i++)
            place = place << 8 | raw[i];
    }
    if (place > max)
        return bad_token(diag);
    *ret_place = place;
    return vt_ok();
}

struct vt_err vt_page_size(uint32_t asked, struct vt_diag *diag, uint32_t *ret_size)
{
    VT_TRY(vt_check_range(asked, 0, VT_PAGE_MAX, VT_FIELD("page_size"), diag));
    *ret_size = asked == 0 ? VT_PAGE_DEFAULT : asked;
    return vt_ok();
}
