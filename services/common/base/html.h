#ifndef VT_BASE_HTML_H
#define VT_BASE_HTML_H

#include "services/common/base/slice.h"

#include <stdint.h>
#include <stdio.h>

/*
 * Pages that can be mailed around: one file, style inside, light and dark, no script, nothing
 * loaded from anywhere. Errors of `out` are the caller's to look for, once, with ferror.
 */

/* Doctype to <main>, with the one style of our pages; `title` is escaped. */
void vt_html_begin(const char *title, FILE *out);
void vt_html_end(FILE *out);

/* Text from outside: markup is escaped, for content and for attributes in either quote; control
 * characters become blanks. The bytes are taken as UTF-8 and otherwise passed on. */
void vt_html_text(struct vt_slice text, FILE *out);
/* 541909 as 541 909, with thin blanks. */
void vt_html_number(uint64_t number, FILE *out);

#endif
