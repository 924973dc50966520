/*
 * The one rule of who may call what: a caller's roles and a method's roles have one in common. With
 * the metadata vitrine-role a caller chooses one role for the call. It may choose among those it
 * holds; a gateway, which speaks for others, among all outside roles; so the choice can never give
 * anybody else more than the certificate does, and a choice that is not the caller's to make is
 * refused aloud instead of ignored: it is a mistake or an attempt. Two choices are refused, too:
 * the second may be what an outsider slipped past the gateway.
 *
 * Callers without certificate come from the loopback or a Unix socket of a server without TLS: who
 * can open those is on the machine already and holds every role.
 */
#include "services/common/rpc/access.h"

#include <string.h>

static unsigned may_choose(const struct vt__caller *caller)
{
    bool gateway = (caller->roles & VT_CALLER_GATEWAY) != 0;
    return (caller->roles & VT_CALLER_ANY) | (gateway ? (unsigned)VT_CALLER_OUTSIDE : 0);
}

/* The caller's roles for this call: all it holds, or the one it chose. */
static struct vt_err choose(const struct vt__caller *caller, struct vt_diag *diag,
                            unsigned *ret_roles)
{
    char held[VT_RPC_ROLES_TEXT_BYTES];
    if (caller->n_chosen == 0) {
        *ret_roles = caller->roles;
        return vt_ok();
    }
    unsigned role = vt_rpc_role_parse(caller->chosen);
    if (caller->n_chosen == 1 && (role & may_choose(caller)) != 0) {
        *ret_roles = role;
        return vt_ok();
    }
    if (caller->n_chosen > 1)
        vt_diag_set(diag, VT__ROLE_METADATA, "%u values, at most one", caller->n_chosen);
    else if (role == 0)
        vt_diag_set(diag, VT__ROLE_METADATA, "'%.*s' is no role", (int)caller->chosen.len,
                    caller->chosen.data);
    else
        vt_diag_set(diag, VT__ROLE_METADATA, "a caller with the role %s may not act as %.*s",
                    vt_rpc_roles_text(caller->roles, held), (int)caller->chosen.len,
                    caller->chosen.data);
    return VT_ERR(VT_DENIED, "not a role of this caller");
}

struct vt_err vt__access_judge(const struct vt_rpc_method *method, const struct vt__caller *caller,
                               struct vt_diag *diag, unsigned *ret_roles)
{
    unsigned roles = 0;
    char held[VT_RPC_ROLES_TEXT_BYTES], wanted[VT_RPC_ROLES_TEXT_BYTES];
    if (caller->roles == 0) {
        vt_diag_set(diag, "",
                    "the client certificate names no role; it needs a URI like "
                    "vitrine://role/storefront among its alternative names");
        return VT_ERR(VT_UNAUTHENTICATED, "a caller without a role");
    }
    VT_TRY(choose(caller, diag, &roles));
    if ((roles & (method->roles | VT__CALLER_ADMIN)) != 0) {
        *ret_roles = roles;
        return vt_ok();
    }
    if (method->roles == 0)
        vt_diag_set(diag, "", "%s is served on the data folder's admin.sock only", method->path);
    else
        vt_diag_set(diag, "", "%s may not be called as %s; the roles that may: %s", method->path,
                    vt_rpc_roles_text(roles, held), vt_rpc_roles_text(method->roles, wanted));
    return VT_ERR(VT_DENIED, "not with this role");
}

unsigned vt__access_roles_of_uri(struct vt_slice uri)
{
    static const char scheme[] = "vitrine://role/";
    const size_t scheme_len = sizeof scheme - 1;
    if (uri.len <= scheme_len || memcmp(uri.data, scheme, scheme_len) != 0)
        return 0;
    return vt_rpc_role_parse(vt_slice(uri.data + scheme_len, uri.len - scheme_len));
}
