#ifndef VT_TESTS_UNIT_PROFILE_TABLE_TESTLIB_H
#define VT_TESTS_UNIT_PROFILE_TABLE_TESTLIB_H

/* A reader of Watch that can be cut off anywhere and goes on as the contract says, and what it
 * means that two tables are equal. */
#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

enum { READER_CHANGES_MAX = 64, READER_ARENA_BYTES = 4 << 20 };

struct reader {
    struct vt_item_table *table;
    struct vt_watch *watch;
    struct vt_arena arena;
    uint64_t sequence; /* of the last change applied */
    bool in_snapshot;
    unsigned n_snapshots;
};

static inline void reader_init(struct reader *reader)
{
    *reader = (struct reader){0};
    assert_ok(vt_item_table_new(&reader->table));
    assert_true(vt_arena_init_owned(&reader->arena, READER_ARENA_BYTES));
}

static inline void reader_cut(struct reader *reader)
{
    vt_watch_close(reader->watch);
    reader->watch = NULL;
}

static inline void reader_fini(struct reader *reader)
{
    reader_cut(reader);
    vt_item_table_free(reader->table);
    vt_arena_fini(&reader->arena);
}

static inline void reader_resume(struct reader *reader, struct vt_profile *profile)
{
    uint64_t since = reader->in_snapshot ? 0 : reader->sequence;
    assert_ok(vt_watch_open(profile, since, NULL, NULL, &reader->watch));
}

static inline void reader_apply(struct reader *reader, const struct vt_change *change)
{
    assert_true(change->sequence >= reader->sequence || reader->in_snapshot ||
                change->kind == VT_CHANGE_SNAPSHOT_BEGIN);
    assert_ok(vt_change_apply(change, reader->table));
    if (change->kind == VT_CHANGE_SNAPSHOT_BEGIN) {
        reader->in_snapshot = true;
        reader->n_snapshots++;
    }
    if (change->kind == VT_CHANGE_SNAPSHOT_DONE)
        reader->in_snapshot = false;
    reader->sequence = change->sequence;
}

/* Asks once for up to `max` and applies the first `n_wanted` of them; how many came. */
static inline uint32_t reader_take(struct reader *reader, uint32_t max, uint32_t n_wanted)
{
    struct vt_change changes[READER_CHANGES_MAX];
    uint32_t n = 0;
    vt_arena_reset(&reader->arena);
    assert_ok(vt_watch_next(reader->watch, &reader->arena, max, changes, &n));
    for (uint32_t i = 0; i < n && i < n_wanted; i++)
        reader_apply(reader, &changes[i]);
    return n;
}

static inline void reader_drain(struct reader *reader)
{
    while (reader_take(reader, READER_CHANGES_MAX, READER_CHANGES_MAX) != 0)
        ;
}

static inline void assert_slices_equal(struct vt_slice a, struct vt_slice b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.len != 0 ? a.data : "", b.len != 0 ? b.data : "", a.len);
}

static inline void assert_items_equal(const struct vt_item *a, const struct vt_item *b)
{
    assert_slices_equal(a->id, b->id);
    assert_slices_equal(a->title, b->title);
    assert_slices_equal(a->brand, b->brand);
    assert_slices_equal(a->currency_code, b->currency_code);
    assert_slices_equal(a->uri, b->uri);
    assert_slices_equal(a->image_uri, b->image_uri);
    assert_int_equal(a->n_categories, b->n_categories);
    for (uint32_t i = 0; i < a->n_categories; i++)
        assert_slices_equal(a->categories[i], b->categories[i]);
    assert_int_equal(a->n_attributes, b->n_attributes);
    for (uint32_t i = 0; i < a->n_attributes; i++) {
        assert_slices_equal(a->attributes[i].key, b->attributes[i].key);
        assert_slices_equal(a->attributes[i].value, b->attributes[i].value);
    }
    assert_memory_equal(&a->price, &b->price, sizeof a->price);
    assert_memory_equal(&a->cost, &b->cost, sizeof a->cost);
    assert_int_equal(a->stock, b->stock);
    assert_int_equal(a->available_from_ms, b->available_from_ms);
    assert_int_equal(a->available_until_ms, b->available_until_ms);
    assert_int_equal(a->create_time_ms, b->create_time_ms);
}

/* Every number, SKU, entry and count. */
static inline void assert_tables_equal(struct vt_item_table *a, struct vt_item_table *b)
{
    assert_int_equal(vt_item_table_max_number(a), vt_item_table_max_number(b));
    assert_int_equal(vt_item_table_n_described(a), vt_item_table_n_described(b));
    for (uint32_t number = 1; number <= vt_item_table_max_number(a); number++) {
        struct vt_item item_a, item_b;
        bool described = vt_item_table_get(a, number, &item_a);
        float count_a = vt_item_table_count(a, number), count_b = vt_item_table_count(b, number);
        assert_slices_equal(vt_item_table_id(a, number), vt_item_table_id(b, number));
        assert_int_equal(vt_item_table_number(a, vt_item_table_id(b, number)), number);
        assert_memory_equal(&count_a, &count_b, sizeof count_a);
        assert_int_equal(described, vt_item_table_get(b, number, &item_b));
        if (described)
            assert_items_equal(&item_a, &item_b);
    }
}

#endif
