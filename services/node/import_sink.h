#ifndef VT_NODE_IMPORT_SINK_H
#define VT_NODE_IMPORT_SINK_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/ingest.h"

/*
 * Where `vitrine import` writes: the live store of a data folder, opened here when nobody serves
 * it, or through DIR/admin.sock when a server holds it. Several batches are under way at a time.
 * One thread uses it.
 */
struct vt_import_sink;

/* `refused` hears of each event that the store would not take (borrowed, during the call). */
struct vt_import_sink_options {
    const char *data_dir;
    int64_t now_ms;
    void (*refused)(void *ctx, const struct vt_event *event, const char *field,
                    struct vt_slice reason);
    void *refused_ctx;
};

/* VT_UNAVAILABLE when another process holds the folder and does not answer. */
VT_MUST_USE struct vt_err vt_import_sink_open(const struct vt_import_sink_options *options,
                                              struct vt_diag *diag,
                                              struct vt_import_sink **ret_sink);
struct vt_ingest_sink vt_import_sink_port(struct vt_import_sink *sink);
void vt_import_sink_close(struct vt_import_sink *sink); /* NULL is allowed */

#endif
