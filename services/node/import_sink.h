#ifndef VT_NODE_IMPORT_SINK_H
#define VT_NODE_IMPORT_SINK_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/ingest.h"

/*
 * Where `vitrine import` writes: the live store of a data folder, opened here when nobody serves
 * it, or through DIR/admin.sock when a server holds it. One thread uses it.
 */
struct vt_import_sink;

/* `data_dir` is borrowed. VT_UNAVAILABLE when another process holds the folder (`diag` names it)
 * and no server answers. */
VT_MUST_USE struct vt_err vt_import_sink_open(const char *data_dir, struct vt_diag *diag,
                                              struct vt_import_sink **ret_sink);
/* True: a server writes. */
bool vt_import_sink_is_remote(const struct vt_import_sink *sink);
struct vt_ingest_sink vt_import_sink_port(struct vt_import_sink *sink);
void vt_import_sink_close(struct vt_import_sink *sink); /* NULL is allowed */

#endif
