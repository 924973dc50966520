#ifndef VT_NODE_IMPORT_REMOTE_H
#define VT_NODE_IMPORT_REMOTE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/rpc/client.h"
#include "services/ingest/ingest.h"

/* Writes an import through the server that holds the folder: UpsertItems, UpsertCustomers and
 * StreamEvents. One thread uses it. */
struct vt_import_remote;

/* The channel is borrowed. */
VT_MUST_USE struct vt_err vt_import_remote_new(struct vt_rpc_channel *channel,
                                               struct vt_import_remote **ret_remote);
/* Everything but `channels`. VT_UNAVAILABLE: the server went away; what it has taken stays, and a
 * second import finds it known. */
struct vt_ingest_sink vt_import_remote_port(struct vt_import_remote *remote);
void vt_import_remote_free(struct vt_import_remote *remote); /* NULL is allowed */

#endif
