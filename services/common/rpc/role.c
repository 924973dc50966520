/* The names of the roles, in the order of their bits. They stand in certificates and in metadata:
 * a contract. */
#include "services/common/rpc/role.h"

#include <stdio.h>

static const char *const names[VT_RPC_N_ROLES] = {
    "storefront", "trainer", "operator", "marketer", "read-only", "service", "gateway",
};

unsigned vt_rpc_role_parse(struct vt_slice name)
{
    for (unsigned i = 0; i < VT_RPC_N_ROLES; i++)
        if (vt_slice_equal(vt_slice_str(names[i]), name))
            return 1U << i;
    return 0;
}

const char *vt_rpc_role_name(unsigned number)
{
    return names[number];
}

const char *vt_rpc_roles_text(unsigned roles, char text[VT_RPC_ROLES_TEXT_BYTES])
{
    size_t used = 0;
    snprintf(text, VT_RPC_ROLES_TEXT_BYTES, "nobody");
    for (unsigned i = 0; i < VT_RPC_N_ROLES; i++)
        if ((roles >> i & 1) != 0)
            used += (size_t)snprintf(text + used, VT_RPC_ROLES_TEXT_BYTES - used, "%s%s",
                                     used > 0 ? ", " : "", names[i]);
    return text;
}
