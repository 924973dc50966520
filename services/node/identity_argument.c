/* Ids of people as flags and arguments. */
#include "services/node/identity_argument.h"

struct vt_err vt_identity_argument(const char *text, struct vt_diag *diag,
                                   struct vt_identity *ret_identity)
{
    struct vt_identity identity = {.type = VT_IDENTITY_UNSPECIFIED};
    struct vt_diag fault = {0};
    if (text != NULL && !vt_identity_parse(vt_slice_str(text), &identity)) {
        vt_diag_set(diag, "identity",
                    "'%.64s' is not TYPE:ID or TYPE:ID@CHANNEL; TYPE is member, visitor, device, "
                    "email_hash, loyalty_card or social",
                    text);
        return VT_ERR(VT_INVALID, "not an identity");
    }
    if (text != NULL && !vt_identity_valid(&identity, &fault)) {
        vt_diag_set(diag, "identity", "%s of '%.64s': %s", fault.field, text, fault.text);
        return VT_ERR(VT_INVALID, "not a valid identity");
    }
    *ret_identity = identity;
    return vt_ok();
}
