#ifndef VT_INGEST_FIELDS_H
#define VT_INGEST_FIELDS_H

#include "services/ingest/record.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The fields of each kind of record: one table from which rows are built, files are mapped,
 * completeness is counted and review lines are written. A field's index in its table is its bit in
 * vt_record.fields.
 */
enum vt_field_form {
    VT_FIELD_ID,         /* struct vt_slice, an id */
    VT_FIELD_ITEM_KEY,   /* struct vt_slice, an item id joined by case-folded key */
    VT_FIELD_TEXT,       /* struct vt_slice, normalised */
    VT_FIELD_NUMBER,     /* double, finite */
    VT_FIELD_PRICE,      /* double, at least 0 */
    VT_FIELD_AMOUNT,     /* double, at least 0 */
    VT_FIELD_TIME,       /* int64_t, Unix ms */
    VT_FIELD_TYPE,       /* enum vt_event_type */
    VT_FIELD_CURRENCY,   /* struct vt_slice, three capitals */
    VT_FIELD_STOCK,      /* int64_t */
    VT_FIELD_CONSENT,    /* int */
    VT_FIELD_CATEGORIES, /* of struct vt_item_row */
    VT_FIELD_ATTRIBUTES, /* key and value */
};

struct vt_field_spec {
    const char *name;
    enum vt_field_form form;
    size_t offset;        /* in the kind's row */
    const char *synonyms; /* between bars, "user|user_id|member" */
    bool expected;        /* its absence lowers completeness */
};

/* The kind's table, `*ret_n` long: constant, any thread. */
const struct vt_field_spec *vt_fields(enum vt_record_kind kind, size_t *ret_n);
/* Index by name or synonym, in any case, blanks and dashes read as underscores, camelCase
 * understood; -1 when unknown. */
int vt_field_find(enum vt_record_kind kind, struct vt_slice name);
/* Index by its exact name; -1 when unknown. */
int vt_field_index(enum vt_record_kind kind, const char *name);

/* A value of a row on its way into a record. */
struct vt_cell {
    int field;            /* index, of the row's kind */
    struct vt_slice key;  /* of an attribute */
    struct vt_slice text; /* valid UTF-8; empty is absent, unless is_number */
    double number;
    bool is_number;
};

enum { VT_ROW_CELLS_MAX = 128 };

struct vt_row {
    enum vt_record_kind kind;
    const struct vt_cell *cells;
    size_t n_cells;
    uint64_t line;
    int64_t order_ms; /* the time of formats that have none, see time_from_order */
};

#endif
