#ifndef LOADTEST_REPORT_PAGE_H
#define LOADTEST_REPORT_PAGE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/plot.h"

#include <stdbool.h>
#include <stdio.h>

/* What our pages are made of. Names and labels are ours, text from outside goes through
 * vt_html_text. */

/* A number in large letters; `format` prints `value`. `tone`: "", "good" or "poor". */
void page_card(const char *label, const char *tone, FILE *out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void page_card_us(const char *label, double us, FILE *out);
/* A section with a plot, an explaining line below its title. */
void page_plot(const char *title, const char *note, const struct vt_plot *plot, FILE *out);
/* "412 µs", "3.1 ms". */
void page_us(double us, FILE *out);

/* Opens for writing; _close tells whether all of it was written. VT_INTERNAL, `diag` says why. */
VT_MUST_USE struct vt_err page_open(const char *path, struct vt_diag *diag, FILE **ret_out);
VT_MUST_USE struct vt_err page_close(const char *path, FILE *out, struct vt_diag *diag);

#endif
