#ifndef VT_NODE_SERVE_TRACE_H
#define VT_NODE_SERVE_TRACE_H

#include "services/node/serve_options.h"

struct vt_metrics;
struct vt_otlp; /* services/common/otlp/otlp.h */

/* What sends this process's spans away, as the options say; *ret_otlp is NULL where they name no
 * collector. The caller frees it with vt_otlp_stop, after the server. */
VT_MUST_USE struct vt_err vt_serve_trace_open(const struct vt_serve_options *options,
                                              struct vt_metrics *metrics,
                                              struct vt_otlp **ret_otlp);

#endif
