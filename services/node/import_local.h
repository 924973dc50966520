#ifndef VT_NODE_IMPORT_LOCAL_H
#define VT_NODE_IMPORT_LOCAL_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/ingest.h"

/* Writes an import into the live store, opened in this process. Several batches are under way at a
 * time. One thread uses it. */
struct vt_import_local;

/* Makes the folder when it is missing. VT_UNAVAILABLE when another process holds it (`diag` names
 * its pid). */
VT_MUST_USE struct vt_err vt_import_local_open(const char *data_dir, struct vt_diag *diag,
                                               struct vt_import_local **ret_local);
/* Everything but `channels`. */
struct vt_ingest_sink vt_import_local_port(struct vt_import_local *local);
void vt_import_local_close(struct vt_import_local *local); /* NULL is allowed */

#endif
