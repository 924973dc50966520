#ifndef VT_RPC_ROLE_H
#define VT_RPC_ROLE_H

#include "services/common/base/slice.h"

#include <stddef.h>

/*
 * Who calls. A caller holds a set of roles; a method's row names the set that may call it; one role
 * in common is enough. 0 is nobody, so a row that forgets its roles is closed. docs/api.md has the
 * table as users know it.
 */
enum vt_rpc_role {
    VT_CALLER_STOREFRONT = 1 << 0, /* a shop: recommendations, events, customers, items */
    VT_CALLER_TRAINER = 1 << 1,    /* a training job: items, models */
    VT_CALLER_OPERATOR = 1 << 2,   /* whoever runs it: every call that the network has */
    VT_CALLER_MARKETER = 1 << 3,   /* the console: recommendations, items, models; no persons */
    VT_CALLER_READ_ONLY = 1 << 4,  /* support and monitoring: sees, changes nothing */
    VT_CALLER_SERVICE = 1 << 5,    /* another part of the cell */
    VT_CALLER_GATEWAY = 1 << 6,    /* acts as the outside role that its metadata names */

    VT_CALLER_OUTSIDE = VT_CALLER_STOREFRONT | VT_CALLER_TRAINER | VT_CALLER_OPERATOR |
                        VT_CALLER_MARKETER | VT_CALLER_READ_ONLY,
    VT_CALLER_ANY = VT_CALLER_OUTSIDE | VT_CALLER_SERVICE | VT_CALLER_GATEWAY,
};

enum { VT_RPC_N_ROLES = 7, VT_RPC_ROLES_TEXT_BYTES = 96 };

/* The role's bit, "storefront" … "gateway" in exactly this spelling; 0 for anything else. */
unsigned vt_rpc_role_parse(struct vt_slice name);
/* The name of the role with this number, 0 to VT_RPC_N_ROLES - 1: bit 1 << number. */
const char *vt_rpc_role_name(unsigned number);
/* "storefront, operator"; "nobody" for the empty set. Returns `text`. */
const char *vt_rpc_roles_text(unsigned roles, char text[VT_RPC_ROLES_TEXT_BYTES]);

#endif
