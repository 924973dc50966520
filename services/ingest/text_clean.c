/*
 * Text normalisation. Nearly all text of a shop is ASCII, so each function has a pass over bytes
 * for that, and hands the rest to ICU through one UTF-16 buffer on the stack. Titles keep their
 * case; only what is compared is folded.
 */
#include "services/ingest/text_clean.h"

#include <stdint.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

enum { UNITS_MAX = VT_CLEAN_TEXT_BYTES };

enum keep { KEEP_ALL, KEEP_WORDS };

static bool is_ascii(struct vt_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

static bool is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_ascii_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct vt_slice vt_text_trim(struct vt_slice text)
{
    while (text.len > 0 && is_ascii_space(text.data[0]))
        text.data++, text.len--;
    while (text.len > 0 && is_ascii_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool clean_ascii(struct vt_slice text, bool fold, enum keep keep, char *buffer,
                        struct vt_slice *ret)
{
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool separates = is_ascii_space(c) || (keep == KEEP_WORDS && !is_ascii_word(c));
        if (separates) {
            gap = n > 0;
            continue;
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            continue;
        if (n + 2 > VT_CLEAN_TEXT_BYTES)
            return false;
        if (gap)
            buffer[n++] = ' ';
        gap = false;
        buffer[n++] = fold ? ascii_lower(c) : c;
    }
    *ret = vt_slice(buffer, n);
    return true;
}

static bool separates_words(UChar32 c, enum keep keep)
{
    return u_isUWhiteSpace(c) || (keep == KEEP_WORDS && !u_isalnum(c));
}

/* The code point at *at, which moves behind it; a lone surrogate stands for itself. */
static UChar32 next_point(const UChar *units, int32_t n, int32_t *at)
{
    UChar32 lead = units[(*at)++];
    if (lead < 0xd800 || lead > 0xdbff || *at == n)
        return lead;
    UChar32 trail = units[*at];
    if (trail < 0xdc00 || trail > 0xdfff)
        return lead;
    (*at)++;
    return 0x10000 + (lead - 0xd800) * 0x400 + (trail - 0xdc00);
}

/* Collapses white space in place of a second buffer; returns the length in units. */
static int32_t collapse(const UChar *from, int32_t n_from, enum keep keep, UChar *to)
{
    int32_t n = 0;
    bool gap = false;
    for (int32_t i = 0, begin = 0; i < n_from; begin = i) {
        UChar32 c = next_point(from, n_from, &i);
        if (separates_words(c, keep)) {
            gap = n > 0;
            continue;
        }
        if (u_iscntrl(c))
            continue;
        if (gap)
            to[n++] = ' ';
        gap = false;
        while (begin < i)
            to[n++] = from[begin++];
    }
    return n;
}

static bool clean_unicode(struct vt_slice text, bool fold, enum keep keep, char *buffer,
                          struct vt_slice *ret)
{
    UChar units[UNITS_MAX], normal[UNITS_MAX];
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = 0, bytes = 0;
    if (text.len > VT_CLEAN_TEXT_BYTES)
        return false;
    u_strFromUTF8WithSub(units, UNITS_MAX, &n, text.data, (int32_t)text.len, 0xfffd, NULL, &status);
    const UNormalizer2 *form =
        fold ? unorm2_getNFKCCasefoldInstance(&status) : unorm2_getNFCInstance(&status);
    int32_t n_normal = unorm2_normalize(form, units, n, normal, UNITS_MAX, &status);
    if (U_FAILURE(status))
        return false;
    n = collapse(normal, n_normal, keep, units);
    u_strToUTF8(buffer, VT_CLEAN_TEXT_BYTES, &bytes, units, n, &status);
    if (U_FAILURE(status))
        return false;
    *ret = vt_slice(buffer, (size_t)bytes);
    return true;
}

bool vt_text_clean(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret)
{
    return is_ascii(text) ? clean_ascii(text, false, KEEP_ALL, buffer, ret)
                          : clean_unicode(text, false, KEEP_ALL, buffer, ret);
}

bool vt_text_fold(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret)
{
    return is_ascii(text) ? clean_ascii(text, true, KEEP_WORDS, buffer, ret)
                          : clean_unicode(text, true, KEEP_WORDS, buffer, ret);
}

bool vt_key_fold(struct vt_slice text, char buffer[VT_CLEAN_TEXT_BYTES], struct vt_slice *ret)
{
    return is_ascii(text) ? clean_ascii(text, true, KEEP_ALL, buffer, ret)
                          : clean_unicode(text, true, KEEP_ALL, buffer, ret);
}

/* What Windows-1252 has where ISO 8859-1 has the C1 controls; 0: nothing, U+FFFD. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static uint32_t latin1_point(unsigned char byte)
{
    if (byte < 0x80 || byte >= 0xa0)
        return byte;
    uint32_t point = windows_1252[byte - 0x80];
    return point != 0 ? point : 0xfffd;
}

bool vt_text_from_latin1(struct vt_slice bytes, char *buffer, size_t buffer_bytes,
                         struct vt_slice *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint32_t point = latin1_point((unsigned char)bytes.data[i]);
        if (n + 3 > buffer_bytes)
            return false;
        if (point < 0x80) {
            buffer[n++] = (char)point;
        } else if (point < 0x800) {
            buffer[n++] = (char)(0xc0 | point >> 6);
            buffer[n++] = (char)(0x80 | (point & 0x3f));
        } else {
            buffer[n++] = (char)(0xe0 | point >> 12);
            buffer[n++] = (char)(0x80 | (point >> 6 & 0x3f));
            buffer[n++] = (char)(0x80 | (point & 0x3f));
        }
    }
    *ret = vt_slice(buffer, n);
    return true;
}
