#ifndef VT_RPC_ACCESS_H
#define VT_RPC_ACCESS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"
#include "services/common/rpc/call.h"

#include <stdbool.h>

/* In a caller's set beside the roles: came over the admin socket, may call every method there is.
 * No certificate can give it. */
#define VT__CALLER_ADMIN (1U << 31)

/* The metadata by which a caller chooses one of the roles it may act as. */
#define VT__ROLE_METADATA "vitrine-role"

/* What a connection says about who calls. */
struct vt__caller {
    unsigned roles; /* VT_CALLER_… | … that it holds, perhaps VT__CALLER_ADMIN */
    bool certified; /* by a client certificate; else it is trusted for where it comes from */
    struct vt_slice chosen; /* value of VT__ROLE_METADATA, borrowed */
    unsigned n_chosen;      /* entries of that metadata */
};

/* Whether the caller may call the method, and with which roles it does. VT_UNAUTHENTICATED: its
 * certificate names no role. VT_DENIED: none of its roles may, or it chose one that is not its to
 * choose; `diag` says which. Pure; any thread. */
VT_MUST_USE struct vt_err vt__access_judge(const struct vt_rpc_method *method,
                                           const struct vt__caller *caller, struct vt_diag *diag,
                                           unsigned *ret_roles);

/* The roles that the URI of a certificate gives: "vitrine://role/storefront". 0: it is none of
 * ours, or names no role. */
unsigned vt__access_roles_of_uri(struct vt_slice uri);

#endif
