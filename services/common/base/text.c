/*
 * Well-formed UTF-8 by table 3-7 of the Unicode standard: the second byte of a sequence has a range
 * that depends on the first, and that range is what rules out overlong forms, surrogates and
 * everything above U+10FFFF. All further bytes are 80..BF. The wire walk runs it on every string of
 * a request, so ASCII, nearly all of it, goes by in the first branch.
 */
#include "services/common/base/text.h"

struct lead {
    unsigned char first, last; /* of the first byte */
    unsigned char low, high;   /* of the second byte */
    unsigned char n_bytes;
};

static const struct lead leads[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct lead *find_lead(unsigned char first)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (first >= leads[i].first && first <= leads[i].last)
            return &leads[i];
    return NULL;
}

size_t vt_text_sequence_bytes(struct vt_slice bytes, size_t offset)
{
    if (offset >= bytes.len)
        return 0;
    const unsigned char *at = (const unsigned char *)bytes.data + offset;
    size_t room = bytes.len - offset;
    if (at[0] < 0x80)
        return 1;
    const struct lead *lead = find_lead(at[0]);
    if (lead == NULL || room < lead->n_bytes || at[1] < lead->low || at[1] > lead->high)
        return 0;
    for (size_t i = 2; i < lead->n_bytes; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return lead->n_bytes;
}

bool vt_text_valid(struct vt_slice bytes, size_t *ret_offset)
{
    size_t offset = 0;
    while (offset < bytes.len) {
        size_t n = vt_text_sequence_bytes(bytes, offset);
        if (n == 0 || bytes.data[offset] == '\0') {
            if (ret_offset != NULL)
                *ret_offset = offset;
            return false;
        }
        offset += n;
    }
    return true;
}
