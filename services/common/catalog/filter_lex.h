#ifndef VT_CATALOG_FILTER_LEX_H
#define VT_CATALOG_FILTER_LEX_H

#include "services/common/base/slice.h"

#include <stdint.h>

/* The words of a filter. */
enum vt__filter_word {
    VT__FILTER_END,
    VT__FILTER_NAME, /* a field, or part of one */
    VT__FILTER_TEXT, /* in quotes */
    VT__FILTER_NUMBER,
    VT__FILTER_AND,
    VT__FILTER_OR,
    VT__FILTER_NOT,
    VT__FILTER_IN,
    VT__FILTER_COMPARISON, /* = != < <= > >= */
    VT__FILTER_OPEN,
    VT__FILTER_CLOSE,
    VT__FILTER_COMMA,
    VT__FILTER_DOT,
    VT__FILTER_UNCLOSED, /* a text without its end */
    VT__FILTER_UNKNOWN
};

struct vt__filter_token {
    enum vt__filter_word word;
    struct vt_slice text; /* of the filter; a text with its quotes and escapes */
};

/* The word that begins at or behind byte `at` of well-formed UTF-8; END is empty and at the end.
 * O(its bytes). */
struct vt__filter_token vt__filter_next(struct vt_slice filter, size_t at);

#endif
