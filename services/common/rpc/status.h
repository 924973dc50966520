#ifndef VT_RPC_STATUS_H
#define VT_RPC_STATUS_H

#include "services/common/base/err.h"

/* The one mapping between our codes and gRPC's (numbers of google.rpc.Code). Total both ways: a
 * status that we never send reads as the code a caller would act on alike. Any thread. */
int vt_rpc_status_from_code(enum vt_code code);
enum vt_code vt_rpc_status_to_code(int status);
/* As dashboards know them: "OK", "InvalidArgument", "ResourceExhausted" …; "Unknown" otherwise. */
const char *vt_rpc_status_name(int status);

#endif
