/*
 * The kinds of ids by which one person is known: names for files and flags, and which of several
 * counts. One order for events, profiles and recommendations, so that all three mean the same
 * customer.
 */
#include "services/common/base/identity.h"

#include "services/common/base/event.h"
#include "services/common/base/text.h"

#include <string.h>

static const char *const names[VT_IDENTITY_TYPE_COUNT] = {
    [VT_IDENTITY_UNSPECIFIED] = "unspecified", [VT_IDENTITY_MEMBER] = "member",
    [VT_IDENTITY_VISITOR] = "visitor",         [VT_IDENTITY_DEVICE] = "device",
    [VT_IDENTITY_EMAIL_HASH] = "email_hash",   [VT_IDENTITY_LOYALTY_CARD] = "loyalty_card",
    [VT_IDENTITY_SOCIAL] = "social",
};

const char *vt_identity_type_name(unsigned type)
{
    return type < VT_IDENTITY_TYPE_COUNT ? names[type] : NULL;
}

enum vt_identity_type vt_identity_type_parse(struct vt_slice name)
{
    for (unsigned type = 1; type < VT_IDENTITY_TYPE_COUNT; type++)
        if (vt_slice_equal(name, vt_slice_str(names[type])))
            return (enum vt_identity_type)type;
    return VT_IDENTITY_UNSPECIFIED;
}

bool vt_identity_parse(struct vt_slice text, struct vt_identity *ret_identity)
{
    const char *colon = text.len != 0 ? memchr(text.data, ':', text.len) : NULL;
    if (colon == NULL)
        return false;
    size_t type_len = (size_t)(colon - text.data), id_len = text.len - type_len - 1;
    struct vt_identity identity = {.type = vt_identity_type_parse(vt_slice(text.data, type_len))};
    const char *at = id_len != 0 ? memrchr(colon + 1, '@', id_len) : NULL;
    if (at != NULL) {
        identity.channel = vt_slice(at + 1, (size_t)(text.data + text.len - at) - 1);
        id_len = (size_t)(at - colon) - 1;
    }
    identity.id = vt_slice(colon + 1, id_len);
    if (identity.type == VT_IDENTITY_UNSPECIFIED || id_len == 0)
        return false;
    *ret_identity = identity;
    return true;
}

static bool text_valid(struct vt_slice text, const char *field, struct vt_diag *diag)
{
    size_t offset = 0;
    if (text.len > VT_ID_BYTES_MAX) {
        vt_diag_set(diag, field, "%zu bytes, at most %d", text.len, VT_ID_BYTES_MAX);
        return false;
    }
    if (!vt_text_valid(text, &offset)) {
        vt_diag_set(diag, field, "byte %zu is not UTF-8 or is NUL: send UTF-8 text", offset);
        return false;
    }
    return true;
}

bool vt_identity_valid(const struct vt_identity *identity, struct vt_diag *diag)
{
    if (identity->type <= VT_IDENTITY_UNSPECIFIED || identity->type >= VT_IDENTITY_TYPE_COUNT) {
        vt_diag_set(diag, "type", "%d is no type of id: 1 (%s) to %d (%s)", (int)identity->type,
                    names[1], VT_IDENTITY_TYPE_COUNT - 1, names[VT_IDENTITY_TYPE_COUNT - 1]);
        return false;
    }
    if (identity->id.len == 0) {
        vt_diag_set(diag, "id", "empty, must be 1 to %d bytes", VT_ID_BYTES_MAX);
        return false;
    }
    if (identity->type == VT_IDENTITY_EMAIL_HASH &&
        memchr(identity->id.data, '@', identity->id.len) != NULL) {
        vt_diag_set(diag, "id",
                    "an e-mail address in clear: send a hash of it, such as the SHA-256 of the "
                    "trimmed address in small letters");
        return false;
    }
    return text_valid(identity->id, "id", diag) && text_valid(identity->channel, "channel", diag);
}

struct vt_identity vt_identity_choose(struct vt_slice customer_id, struct vt_slice visitor_id,
                                      struct vt_identity other)
{
    if (customer_id.len != 0)
        return (struct vt_identity){.type = VT_IDENTITY_MEMBER, .id = customer_id};
    if (visitor_id.len != 0)
        return (struct vt_identity){.type = VT_IDENTITY_VISITOR, .id = visitor_id};
    return other;
}
