#ifndef LOADTEST_REPORT_HTML_H
#define LOADTEST_REPORT_HTML_H

#include "loadtest/generator.h"
#include "loadtest/scrape.h"

/* Writes a run as one page that needs nothing from elsewhere; `scrape` may be NULL. VT_INTERNAL:
 * cannot be written, `diag` says why. */
VT_MUST_USE struct vt_err report_html_run(const char *path, const struct generator_options *options,
                                          const struct load_result *result,
                                          const struct scrape *scrape, struct vt_diag *diag);

#endif
