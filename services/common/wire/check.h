#ifndef VT_WIRE_CHECK_H
#define VT_WIRE_CHECK_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Limits of the contract, one function per kind of field. Each returns VT_INVALID and puts the
 * field's path and the limit into `diag`: `events[3].item_id: 131 bytes, must be 1 to 128`. UTF-8
 * and NUL are judged earlier, by vt_pb_decode. Any thread; `diag` may be NULL.
 */

/* A field's place in a request; the text is made only when something is wrong with it. */
struct vt_field {
    const char *list; /* NULL: the field stands in the request itself */
    size_t index;     /* in the list */
    const char *name; /* NULL: the list's element itself */
};
#define VT_FIELD(name_) ((struct vt_field){.name = (name_)})
#define VT_FIELD_AT(list_, index_, name_)                                                          \
    ((struct vt_field){.list = (list_), .index = (index_), .name = (name_)})

enum { VT_PAGE_MAX = 1000, VT_PAGE_DEFAULT = 100, VT_CURRENCY_BYTES = 3 };

/* Refuses the field with a printf text; always VT_INVALID. */
VT_MUST_USE struct vt_err vt_check_failed(struct vt_field field, struct vt_diag *diag,
                                          const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 1 to VT_ID_BYTES_MAX bytes. */
VT_MUST_USE struct vt_err vt_check_id(struct vt_slice id, struct vt_field field,
                                      struct vt_diag *diag);
/* At most VT_ID_BYTES_MAX bytes; may be empty. */
VT_MUST_USE struct vt_err vt_check_optional_id(struct vt_slice id, struct vt_field field,
                                               struct vt_diag *diag);
/* At most VT_TEXT_BYTES_MAX bytes. */
VT_MUST_USE struct vt_err vt_check_text(struct vt_slice text, struct vt_field field,
                                        struct vt_diag *diag);
/* min <= value <= max. */
VT_MUST_USE struct vt_err vt_check_range(int64_t value, int64_t min, int64_t max,
                                         struct vt_field field, struct vt_diag *diag);
/* How many elements a list has. */
VT_MUST_USE struct vt_err vt_check_count(size_t n, size_t min, size_t max, struct vt_field field,
                                         struct vt_diag *diag);
/* Neither NaN nor infinite. */
VT_MUST_USE struct vt_err vt_check_finite(double value, struct vt_field field,
                                          struct vt_diag *diag);
/* Finite, at least 0, at most VT_AMOUNT_MAX. */
VT_MUST_USE struct vt_err vt_check_amount(double value, struct vt_field field,
                                          struct vt_diag *diag);
/* Empty, or three capital letters as ISO 4217 has them. */
VT_MUST_USE struct vt_err vt_check_currency(struct vt_slice code, struct vt_field field,
                                            struct vt_diag *diag);

#endif
