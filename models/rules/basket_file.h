#ifndef VT_RULES_BASKET_FILE_H
#define VT_RULES_BASKET_FILE_H

#include "models/rules/baskets.h"
#include "services/common/base/diag.h"
#include "services/common/base/slice.h"

/*
 * Basket files: a line per basket, items by name with commas between, "…" around a name that holds
 * a comma or a quote (doubled inside), LF or CRLF; the form that arules and many shops export.
 */
enum { VT_BASKET_NAME_BYTES_MAX = 1024 };
#define VT_BASKET_FILE_BYTES_MAX (UINT64_C(1) << 32)

struct vt_basket_file {
    struct vt_baskets baskets; /* item_ids are column numbers */
    struct vt_slice *names;    /* by column: in order of first mention */
    char *text;                /* what the names point into */
};
void vt_basket_file_free(struct vt_basket_file *file); /* NULL or zeroed is allowed */

/* Blanks around a name do not count, nor do empty names; an item counts once in a basket; an empty
 * line is no basket. VT_INVALID with the line in `diag`: an open or stray quote, a name above
 * VT_BASKET_NAME_BYTES_MAX, no basket at all; VT_EXHAUSTED. Owned result. O(n log n). */
VT_MUST_USE struct vt_err vt_basket_file_parse(struct vt_slice bytes, struct vt_diag *diag,
                                               struct vt_basket_file *ret_file);
/* The same from a file. VT_NOT_FOUND, VT_UNAVAILABLE: it cannot be read. */
VT_MUST_USE struct vt_err vt_basket_file_read(const char *path, struct vt_diag *diag,
                                              struct vt_basket_file *ret_file);

#endif
