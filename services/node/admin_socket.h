#ifndef VT_NODE_ADMIN_SOCKET_H
#define VT_NODE_ADMIN_SOCKET_H

#include "services/common/base/err.h"
#include "services/common/rpc/client.h"

/* A channel to the server that holds the data folder, through DIR/admin.sock; a first call has been
 * answered. VT_UNAVAILABLE: nobody listens there, or who does is silent. Blocking; free with
 * vt_rpc_channel_free. */
VT_MUST_USE struct vt_err vt_admin_connect(const char *data_dir,
                                           struct vt_rpc_channel **ret_channel);

#endif
