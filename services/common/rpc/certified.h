#ifndef VT_RPC_CERTIFIED_H
#define VT_RPC_CERTIFIED_H

/* Which certificates of the right authority may connect at all (certified.c). Internal to rpc/. */

#include <openssl/types.h>

/* In the text of the handshake's error: handshake.c counts by it. */
#define VT__NO_ROLE_TEXT "certificate names no role"

/* The roles that the URIs among the certificate's alternative names give; 0: none. Allocates. */
unsigned vt__certified_roles(const X509 *certificate);
/* Once before the first server's credentials: makes the refusal's text known. Any thread. */
void vt__certified_init(void);

#endif
