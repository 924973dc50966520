#ifndef VT_REPORT_REPORT_INTERNAL_H
#define VT_REPORT_REPORT_INTERNAL_H

#include "models/report/report.h"

#include <stdio.h>

/* The sections of the page, each writing one or more <section> or nothing. `data` is never NULL. */

/* report_quality.c: the figures at the top, curves, intervals by segment, what is favoured. */
void vt__report_cards(const struct vt_bundle_view *view, const struct vt_report_data *data,
                      FILE *out);
void vt__report_curves(const struct vt_bundle_view *view, FILE *out);
void vt__report_segments(const struct vt_report_data *data, FILE *out);
void vt__report_favoured(const struct vt_report_data *data, FILE *out);

/* report_data.c: what it was trained on. */
void vt__report_data_section(const struct vt_bundle_view *view, const struct vt_report_data *data,
                             FILE *out);

/* report_examples.c: what some customers would see. */
void vt__report_examples(const struct vt_report_data *data, FILE *out);

/* report_parent.c: metrics and parameters beside those of the version before. */
void vt__report_parent(const struct vt_bundle_view *view, const struct vt_report_data *data,
                       FILE *out);

/* False when there is no metric of that name. */
bool vt__report_metric(const struct vt_bundle_metric *metrics, uint32_t n, const char *name,
                       double *ret_value);

#endif
