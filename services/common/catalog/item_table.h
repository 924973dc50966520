#ifndef VT_CATALOG_ITEM_TABLE_H
#define VT_CATALOG_ITEM_TABLE_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The catalog in memory, as columns by item number: what the request path reads instead of the
 * store. One writer thread (whoever follows the profile service's changes), any number of reading
 * threads without locks: numeric columns are relaxed atomics, texts are immutable blocks behind an
 * acquire/release pointer, freed only when no reader that could have seen them is still inside a
 * _enter/_leave pair. Item numbers start at 1; 0 is no item.
 */
struct vt_item_table;

/* A catalog entry as the domain sees it, everywhere in services/. */
enum { VT_ITEM_CATEGORIES_MAX = 8, VT_ITEM_ATTRIBUTES_MAX = 64 };
struct vt_attribute {
    struct vt_slice key, value;
};
struct vt_item {
    uint32_t number;
    struct vt_slice id; /* SKU */
    struct vt_slice title, brand, currency_code, image_uri, uri;
    struct vt_slice categories[VT_ITEM_CATEGORIES_MAX]; /* widest first */
    uint32_t n_categories;
    double price, cost;
    int64_t stock;                                 /* -1: always available */
    int64_t available_from_ms, available_until_ms; /* 0: open */
    int64_t create_time_ms;
    const struct vt_attribute *attributes;
    uint32_t n_attributes;
};

/* Empty, and not ready until its first snapshot is complete. */
VT_MUST_USE struct vt_err vt_item_table_new(struct vt_item_table **ret_table);
void vt_item_table_free(struct vt_item_table *table); /* NULL is allowed */

/* Writer thread only, down to _snapshot_done. Texts are copied. VT_EXHAUSTED: no memory, or a
 * number above what the table can hold; VT_INVALID: number 0, or too many categories. */
VT_MUST_USE struct vt_err vt_item_table_upsert(struct vt_item_table *table,
                                               const struct vt_item *item);
VT_MUST_USE struct vt_err vt_item_table_mention(struct vt_item_table *table, uint32_t number,
                                                struct vt_slice id); /* numbered, not described */
void vt_item_table_delete(struct vt_item_table *table, uint32_t number);
/* `count` is the item's event weight of all time: what popularity goes by. */
void vt_item_table_set_count(struct vt_item_table *table, uint32_t number, float count);
/* After a burst of changes: recomputes the popular list (the 1,000 recommendable items with the
 * highest counts, ties by number). */
void vt_item_table_refresh_popular(struct vt_item_table *table);
/* A snapshot begins / is complete: what it did not mention is deleted. */
void vt_item_table_snapshot_begin(struct vt_item_table *table);
void vt_item_table_snapshot_done(struct vt_item_table *table);

/* Readers: texts and lists got inside the pair stay valid until _leave. Wait-free. */
unsigned vt_item_table_enter(struct vt_item_table *table);
void vt_item_table_leave(struct vt_item_table *table, unsigned ticket);

/* True once a snapshot is complete: readiness waits for it. */
bool vt_item_table_ready(const struct vt_item_table *table);
/* The highest number mentioned so far; 0: none. */
uint32_t vt_item_table_max_number(const struct vt_item_table *table);
/* Grows with every change of an item's texts: whether something made of them is still up to date.
 */
uint64_t vt_item_table_text_changes(const struct vt_item_table *table);
/* Items that could be recommended if in stock. */
uint32_t vt_item_table_n_described(const struct vt_item_table *table);
/* 0 when the SKU is unknown. */
uint32_t vt_item_table_number(const struct vt_item_table *table, struct vt_slice id);
/* Described, in stock, inside its availability window. O(1), no texts touched. */
bool vt_item_table_recommendable(const struct vt_item_table *table, uint32_t number,
                                 int64_t now_ms);
/* SKU of a numbered item; empty when unknown. */
struct vt_slice vt_item_table_id(const struct vt_item_table *table, uint32_t number);
/* Of n items at once: as _id, with the waits for memory beside each other instead of in a row. */
void vt_item_table_ids(const struct vt_item_table *table, const uint32_t *numbers, uint32_t n,
                       struct vt_slice *ret_ids);
/* Borrowed view (attributes included); false when the number is not described. */
bool vt_item_table_get(const struct vt_item_table *table, uint32_t number,
                       struct vt_item *ret_item);
/* As the item was described last; 0 when it is not known. O(1), no texts touched. */
double vt_item_table_price(const struct vt_item_table *table, uint32_t number);
int64_t vt_item_table_create_time_ms(const struct vt_item_table *table, uint32_t number);
/* What _set_count told last; 0 for an unknown number. */
float vt_item_table_count(const struct vt_item_table *table, uint32_t number);
/* The popular list of the last refresh, best first; borrowed inside _enter/_leave. */
const uint32_t *vt_item_table_popular(const struct vt_item_table *table, uint32_t *ret_n);

/* ---- what filters read ---- */

/* Texts that have a column of hashes, so that most items are told apart without touching texts. */
enum vt_item_hash_column {
    VT_ITEM_HASH_BRAND,
    VT_ITEM_HASH_CURRENCY,
    VT_ITEM_HASH_CATEGORY, /* the widest; the narrower ones follow, then the first that is 0 */
    VT_ITEM_HASHES = VT_ITEM_HASH_CATEGORY + VT_ITEM_CATEGORIES_MAX
};
/* 0 for the empty text and for no other. */
uint32_t vt_item_text_hash(struct vt_slice text);
/* vt_item_text_hash of the item's text; 0 where it has none. Equal hashes are not equal texts. */
uint32_t vt_item_table_text_hash(const struct vt_item_table *table, uint32_t number,
                                 enum vt_item_hash_column column);
/* Borrowed, without a copy: texts, attributes and create_time_ms hold, the numbers beside them may
 * be old. NULL when the number is not described. */
const struct vt_item *vt_item_table_texts(const struct vt_item_table *table, uint32_t number);
/* As in struct vt_item; 0 for an unknown number. */
int64_t vt_item_table_stock(const struct vt_item_table *table, uint32_t number);

/* How many changes of items there have been: of texts, numbers and being described, not of counts.
 * Who reads an item after it sees what the changes up to then made of it. Any thread. */
uint64_t vt_item_table_changes(const struct vt_item_table *table);
enum { VT_ITEM_CHANGES_KEPT = 4096 };
/* Which items the changes [since, until) were about, at most VT_ITEM_CHANGES_KEPT of them into
 * `ret_numbers`; false: some are forgotten. Any thread, wait-free. */
bool vt_item_table_changed(const struct vt_item_table *table, uint64_t since, uint64_t until,
                           uint32_t *ret_numbers);

#endif
