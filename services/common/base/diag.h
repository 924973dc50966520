#ifndef VT_BASE_DIAG_H
#define VT_BASE_DIAG_H

#include <stdint.h>

enum { VT_DIAG_TEXT_BYTES = 320, VT_DIAG_FIELD_BYTES = 96 };

/* Where and why outside input was refused, in the caller's memory. One thread. */
struct vt_diag {
    char field[VT_DIAG_FIELD_BYTES]; /* "events[3].item_id", a column, a configuration key; may be
                                        empty */
    char text[VT_DIAG_TEXT_BYTES];   /* for people: what is wrong and what would be right */
    uint64_t line;                   /* 1-based line of a file, or 0 */
    uint64_t offset;                 /* byte offset, or 0 */
};

/* Empties it. NULL is allowed here and below: nobody wants to know. */
void vt_diag_clear(struct vt_diag *diag);
/* Sets field and text, both cut to fit on a UTF-8 boundary; keeps line and offset. */
void vt_diag_set(struct vt_diag *diag, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
