#ifndef VT_INGEST_RECORD_H
#define VT_INGEST_RECORD_H

#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/slice.h"
#include "services/common/catalog/item_table.h"
#include "services/ingest/pool.h"
#include "services/ingest/rules.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the readers make of the files and the cleaning rules judge: one record per row, all of one
 * import in memory (about 350 bytes each). Texts live in the set's pool. One thread.
 */
enum vt_record_kind {
    VT_RECORD_EVENT,
    VT_RECORD_ITEM,
    VT_RECORD_CUSTOMER,
    VT_RECORD_CHANNEL,
    VT_RECORD_KIND_COUNT
};

enum vt_record_fate {
    VT_FATE_ACCEPTED,
    VT_FATE_DUPLICATE,
    VT_FATE_REVIEW,
    VT_FATE_DROPPED,
    VT_FATE_REFUSED, /* by the store, after all rules had let it pass */
    VT_FATE_COUNT
};

/* Files of one import hold at most so many records: a larger file is split by its owner. */
enum {
    VT_INGEST_RECORDS_MAX = 20 * 1000 * 1000,
    VT_INGEST_ATTRIBUTES_MAX = VT_ITEM_ATTRIBUTES_MAX
};

struct vt_event_row {
    struct vt_event event;
    double price;          /* per piece, as told */
    struct vt_slice group; /* invoice or order */
    struct vt_slice title; /* of the item, where the row tells it */
    struct vt_slice country;
    uint32_t item_key; /* number of item_id in the set's `items`, 0 none */
};

struct vt_customer_row {
    struct vt_slice id;
    int consent; /* 0 unspecified, 1 granted, 2 denied */
    struct vt_attribute *attributes;
    uint32_t n_attributes;
};

struct vt_channel_row {
    struct vt_slice id, name, currency_code;
    double cost_per_day, cost_per_click, cost_per_order, commission;
    struct vt_attribute *attributes;
    uint32_t n_attributes;
};

struct vt_item_row {
    struct vt_item item;
    struct vt_attribute *attributes; /* item.attributes, while they are still gathered */
};

/* A value that could not be used as it stood, kept for the review file. */
struct vt_flaw {
    struct vt_flaw *next;
    enum vt_rule rule;
    const char *field;    /* literal */
    struct vt_slice text; /* what the file says; may be empty */
};

_Static_assert(VT_RULE_COUNT <= 64, "a record's rules are the bits of 64");
struct vt_record {
    uint64_t rules;      /* bit per enum vt_rule */
    uint64_t line;       /* 1-based, of its file */
    uint64_t content[2]; /* hash of the row as it stood */
    uint32_t file;       /* index of the import's files */
    uint32_t fields;     /* bit per field of the kind that the row fills */
    uint8_t kind;        /* enum vt_record_kind */
    uint8_t fate;        /* enum vt_record_fate */
    uint8_t quality;     /* 0 to 100 */
    uint8_t decided_by;  /* the rule that counts most, VT_RULE_NONE */
    bool derived;        /* made from other rows: not a row of its own */
    struct vt_flaw *flaws;
    union {
        struct vt_event_row *event;
        struct vt_item_row *item;
        struct vt_customer_row *customer;
        struct vt_channel_row *channel;
        void *any;
    } of;
};

struct vt_record_set {
    struct vt_pool pool;
    struct vt_intern texts;         /* one copy of each text */
    struct vt_intern item_ids;      /* by case-folded id; joins titles and returns to items */
    struct vt_slice *item_spelling; /* owned, by item key - 1: the id as first written */
    struct vt_record *records;      /* owned */
    size_t n, capacity;
};

/* An empty set; free it with vt_record_set_fini, which takes all texts with it. */
void vt_record_set_init(struct vt_record_set *set);
/* Zeroed is allowed. */
void vt_record_set_fini(struct vt_record_set *set);
/* A cleared record with its row; VT_EXHAUSTED past the limit. Pointers to records are valid until
 * the next one is added. */
VT_MUST_USE struct vt_err vt_record_set_add(struct vt_record_set *set, enum vt_record_kind kind,
                                            struct vt_record **ret_record);

/* Notes that the rule caught the record. */
static inline void vt_record_flag(struct vt_record *record, enum vt_rule rule)
{
    record->rules |= UINT64_C(1) << rule;
}

/* Whether it did. */
static inline bool vt_record_has(const struct vt_record *record, enum vt_rule rule)
{
    return (record->rules >> rule & 1) != 0;
}

/* Walks a record's rules, lowest first: while (vt_rules_next(&rest, &rule)) … Most have one or two.
 */
static inline bool vt_rules_next(uint64_t *rest, enum vt_rule *ret_rule)
{
    if (*rest == 0)
        return false;
    *ret_rule = (enum vt_rule)__builtin_ctzll(*rest);
    *rest &= *rest - 1;
    return true;
}

/* Flags the record and keeps what was wrong. Without memory only the flag is kept. */
void vt_record_flaw(struct vt_record_set *set, struct vt_record *record, enum vt_rule rule,
                    const char *field, struct vt_slice text);
/* What the record's row tells beyond its fields; *ret_n is 0 for kinds without. Borrowed. */
const struct vt_attribute *vt_record_attributes(const struct vt_record *record, uint32_t *ret_n);
/* "event" … */
const char *vt_record_kind_name(enum vt_record_kind kind);

#endif
