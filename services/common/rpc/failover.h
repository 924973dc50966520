#ifndef VT_RPC_FAILOVER_H
#define VT_RPC_FAILOVER_H

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Several addresses of one service (failover.c). Internal to rpc/. */

enum { VT__TARGET_BYTES = 1024, VT__TARGETS_MAX = 16 };

/* "A,B" as gRPC wants to read it; one address stays as it is. VT_INVALID: several that are not all
 * numeric and of one family, an empty one, or too many. */
VT_MUST_USE struct vt_err vt__target_for_grpc(const char *target, char *ret_target, size_t size,
                                              bool *ret_is_several);
/* The host of the first address: what its certificate must name. */
void vt__target_first_host(const char *target, char *ret_host, size_t size);
/* gRPC's service config of a channel with several addresses. */
const char *vt__failover_config(void);

#endif
