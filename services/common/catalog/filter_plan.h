#ifndef VT_CATALOG_FILTER_PLAN_H
#define VT_CATALOG_FILTER_PLAN_H

#include "services/common/catalog/filter.h"

/*
 * What a text is compiled to. A term is one comparison and says which term comes next, by its
 * outcome; `and`, `or`, `not` and parentheses are nowhere else. Next is always a term that stands
 * later in the text, so a walk ends. Without pointers: a plan is copied by its bytes.
 */
enum vt__filter_field {
    VT__FILTER_ID,
    VT__FILTER_TITLE,
    VT__FILTER_BRAND,
    VT__FILTER_CATEGORY,
    VT__FILTER_CURRENCY,
    VT__FILTER_PRICE,
    VT__FILTER_STOCK,
    VT__FILTER_AGE,
    VT__FILTER_ATTRIBUTE,
    VT__FILTER_FIELDS
};

/* `!=` and `not in` are EQUAL with the ways exchanged; `in` is EQUAL with several values. */
enum vt__filter_operator {
    VT__FILTER_EQUAL,
    VT__FILTER_LESS,
    VT__FILTER_LESS_EQUAL,
    VT__FILTER_GREATER,
    VT__FILTER_GREATER_EQUAL
};

enum { VT__FILTER_YES = 254, VT__FILTER_NO = 255 }; /* instead of a next term: the answer */

struct vt__filter_term {
    uint8_t field, operator, numeric; /* numeric: the values are numbers */
    uint8_t then, otherwise;
    uint16_t first_value, n_values;   /* texts: ordered by hash */
    uint16_t name_offset, name_bytes; /* attributes: whose, within `texts` */
};

struct vt__filter_value {
    union {
        double number;
        struct {
            uint32_t hash; /* vt_item_text_hash */
            uint16_t offset, bytes;
        };
    };
};

struct vt_filter {
    uint32_t n_terms, n_values, n_text_bytes;
    uint8_t first; /* term */
    bool needs_time;
    struct vt__filter_term terms[VT_FILTER_TERMS_MAX];
    struct vt__filter_value values[VT_FILTER_VALUES_MAX];
    char texts[VT_FILTER_TEXT_BYTES_MAX]; /* names and values, without quotes and escapes */
};
_Static_assert(sizeof(struct vt_filter) <= VT_FILTER_PLAN_BYTES, "as the header promises");
_Static_assert((int)VT_FILTER_TERMS_MAX <= (int)VT__FILTER_YES, "terms and answers are told apart");

static inline struct vt_slice vt__filter_text(const struct vt_filter *filter, uint16_t offset,
                                              uint16_t n_bytes)
{
    return vt_slice(filter->texts + offset, n_bytes);
}

/* A decimal number such as -1.5e3, all of the text, finite; false: it is none. Any thread. */
bool vt__filter_number(struct vt_slice text, double *ret_number);

#endif
