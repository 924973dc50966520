#ifndef LOADTEST_REPORT_HTML_H
#define LOADTEST_REPORT_HTML_H

#include "loadtest/generator.h"
#include "loadtest/scrape.h"
#include "loadtest/sweep.h"

/* Reports as one page each that needs nothing from elsewhere. VT_INTERNAL: cannot be written,
 * `diag` says why. */

/* Of one load; `scrape` may be NULL. */
VT_MUST_USE struct vt_err report_html_run(const char *path, const struct generator_options *options,
                                          const struct load_result *result,
                                          const struct scrape *scrape, struct vt_diag *diag);
/* Of a sweep. */
VT_MUST_USE struct vt_err report_html_sweep(const char *path,
                                            const struct generator_options *options,
                                            const struct sweep *sweep, struct vt_diag *diag);
/* Only the picture of a sweep, as an SVG file with colours of its own, for documents. */
VT_MUST_USE struct vt_err report_svg_sweep(const char *path, const struct sweep *sweep,
                                           struct vt_diag *diag);

#endif
