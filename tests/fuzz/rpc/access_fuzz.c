/* Any bytes as a certificate's URI and as the metadata vitrine-role: a URI gives at most one role,
 * and no choice gives a caller more than it may choose. */
#include "services/common/rpc/access.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct vt_slice chosen, unsigned held)
{
    static const struct vt_rpc_method open_to_all = {.path = "/t.T/Any", .roles = VT_CALLER_ANY};
    struct vt_diag diag = {0};
    unsigned roles = 0;
    const struct vt__caller caller = {
        .roles = held, .certified = true, .chosen = chosen, .n_chosen = 1};
    struct vt_err err = vt__access_judge(&open_to_all, &caller, &diag, &roles);
    unsigned most = held == VT_CALLER_GATEWAY ? held | (unsigned)VT_CALLER_OUTSIDE : held;
    if (vt_failed(err) ? roles != 0 || diag.text[0] == '\0' : roles == 0 || (roles & ~most) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_slice bytes = vt_slice(data, size);
    unsigned roles = vt__access_roles_of_uri(bytes);
    if ((roles & (roles - 1)) != 0 || (roles & ~(unsigned)VT_CALLER_ANY) != 0)
        abort();
    judge(bytes, VT_CALLER_STOREFRONT);
    judge(bytes, VT_CALLER_GATEWAY);
    judge(bytes, VT_CALLER_ANY);
    return 0;
}
