#include "loadtest/report_html.h"
struct vt_err report_html_run(const char *path, const struct generator_options *options,
                              const struct load_result *result, const struct scrape *scrape,
                              struct vt_diag *diag)
{
    (void)path;
    (void)options;
    (void)result;
    (void)scrape;
    (void)diag;
    return vt_ok();
}
