/*
 * Spans of a process are those of the service that it is: "vitrine-ranking", or "vitrine" where one
 * process is all of them.
 */
#include "services/node/serve_trace.h"

#include "services/common/otlp/otlp.h"

#include <stdio.h>

enum { NAME_BYTES = 64 };

struct vt_err vt_serve_trace_open(const struct vt_serve_options *options,
                                  struct vt_metrics *metrics, struct vt_otlp **ret_otlp)
{
    char name[NAME_BYTES] = "vitrine";
    *ret_otlp = NULL;
    if (options->otlp == NULL || options->otlp[0] == '\0')
        return vt_ok();
    if (vt_serve_roles(options) != VT_ROLE_ALL)
        snprintf(name, sizeof name, "vitrine-%s", options->role);
    const struct vt_otlp_options otlp = {
        .target = options->otlp,
        .service_name = name,
        .share = options->trace_sample,
        .metrics = metrics,
    };
    return vt_otlp_start(&otlp, ret_otlp);
}
