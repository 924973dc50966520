#include "services/profile/event_block.h"
#include "services/profile/history.h"
#include "services/profile/records.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>
#include <string.h>

/* What is on disk: keys, records, histories and log blocks, there and back, and cut short. */

enum { KEEP = 8, ROUNDS = 500, EVENTS_MAX = 12 };
static const uint32_t keep = KEEP;

/* xorshift64: a fixed seed gives the same cases everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct vt_slice random_operand(uint64_t *seed, struct vt__buffer *buffer)
{
    struct vt_history_event events[EVENTS_MAX];
    size_t n = next_random(seed) % (EVENTS_MAX + 1);
    for (size_t i = 0; i < n; i++) /* few distinct values, so that equal keys are common */
        events[i] = (struct vt_history_event){.item = (uint32_t)(next_random(seed) % 3 + 1),
                                              .type = (uint16_t)(next_random(seed) % 2 + 1),
                                              .value = (float)(next_random(seed) % 3),
                                              .time_ms = (int64_t)(next_random(seed) % 6)};
    buffer->len = 0;
    vt__history_pack(events, vt__history_normalise(events, n, KEEP), buffer);
    return vt__buffer_slice(buffer);
}

static struct vt_slice fold(struct vt_slice a, struct vt_slice b)
{
    struct vt_slice values[] = {a, b};
    char *result = NULL;
    size_t len = 0;
    assert_true(vt__history_fold(&keep, values, 2, &result, &len));
    return vt_slice(result, len);
}

static void drop(struct vt_slice folded)
{
    free((void *)(uintptr_t)folded.data);
}

static void assert_same(struct vt_slice a, struct vt_slice b)
{
    assert_true(vt_slice_equal(a, b));
    drop(a);
    drop(b);
}

static void history_fold_is_associative_commutative_and_idempotent(void **state)
{
    (void)state;
    uint64_t seed = 42;
    struct vt__buffer buffers[3] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct vt_slice a = random_operand(&seed, &buffers[0]);
        struct vt_slice b = random_operand(&seed, &buffers[1]);
        struct vt_slice c = random_operand(&seed, &buffers[2]);
        struct vt_slice ab = fold(a, b), bc = fold(b, c);
        assert_same(fold(ab, c), fold(a, bc));
        assert_same(fold(a, b), fold(b, a));
        assert_same(fold(ab, ab), fold(ab, b));
        drop(ab);
        drop(bc);
    }
    for (unsigned i = 0; i < 3; i++)
        vt__buffer_fini(&buffers[i]);
}

static void history_keeps_the_newest_in_order(void **state)
{
    (void)state;
    struct vt_history_event events[20], got[KEEP];
    struct vt__buffer buffer = {0};
    for (uint32_t i = 0; i < 20; i++)
        events[i] = (struct vt_history_event){.item = i + 1, .type = 3, .time_ms = i * 7 % 20};
    size_t n = vt__history_normalise(events, 20, KEEP);
    vt__history_pack(events, n, &buffer);
    assert_int_equal(buffer.len, 1 + KEEP * VT__HISTORY_EVENT_BYTES);
    vt__history_unpack(vt__buffer_slice(&buffer), got, KEEP);
    for (int i = 0; i < KEEP; i++)
        assert_int_equal(got[i].time_ms, 19 - i);
    vt__buffer_fini(&buffer);
}

static void malformed_history_does_not_fold(void **state)
{
    (void)state;
    struct vt_slice bad[] = {vt_slice("", 0), vt_slice("\x02", 1), vt_slice("\x01xx", 3)};
    char *result = NULL;
    size_t len = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_false(vt__history_fold(&keep, &bad[i], 1, &result, &len));
}

static void log_block_returns_every_row(void **state)
{
    (void)state;
    static struct vt__log_row rows[300];
    struct vt__buffer buffer = {0};
    for (uint32_t i = 0; i < 300; i++)
        rows[i] = (struct vt__log_row){
            .customer = i * 31 % 17,
            .event = {.item = i + 1, .type = 15, .channel = 2, .value = 1, .time_ms = 1000 - i},
            .revenue = i * 0.5,
            .currency = {'E', 'U', 'R'},
            .noise = (uint8_t)(i % 3),
            .query = vt_slice_str(i % 2 ? "tea" : "")};
    vt__block_encode(rows, 300, &buffer);
    assert_true(buffer.len < 300 * 20);
    struct vt__block block = {0};
    struct vt__log_row row;
    bool more = false;
    assert_ok(vt__block_open(vt__buffer_slice(&buffer), &block));
    for (uint32_t i = 0; i < 300; i++) {
        assert_ok(vt__block_next(&block, &row, &more));
        assert_true(more);
        assert_int_equal(row.customer, rows[i].customer);
        assert_int_equal(row.event.item, rows[i].event.item);
        assert_int_equal(row.event.time_ms, rows[i].event.time_ms);
        assert_memory_equal(&row.revenue, &rows[i].revenue, sizeof row.revenue);
        assert_memory_equal(row.currency, "EUR", 3);
        assert_true(vt_slice_equal(row.query, rows[i].query));
        assert_int_equal(row.noise, rows[i].noise);
    }
    assert_ok(vt__block_next(&block, &row, &more));
    assert_false(more);
    vt__block_fini(&block);
    vt__buffer_fini(&buffer);
}

/* Blocks of before the marks of noise read as they did, and without noise they are still made. */
static void log_block_without_noise_is_what_it_was(void **state)
{
    (void)state;
    static const unsigned char before[] = {1, 0, 1, 0x15, 1, 1,    2, 2, 1,    2,    3, 1, 3,
                                           4, 1, 1, 5,    1, 0x10, 6, 4, 0x3f, 0x80, 0, 0};
    struct vt__log_row row = {
        .customer = 1, .event = {.item = 2, .type = 3, .channel = 1, .value = 1, .time_ms = 8}};
    struct vt__buffer buffer = {0};
    vt__block_encode(&row, 1, &buffer);
    assert_int_equal(buffer.len, sizeof before);
    assert_memory_equal(buffer.data, before, sizeof before);
    vt__buffer_fini(&buffer);
    struct vt__block block = {0};
    bool more = false;
    assert_ok(vt__block_open(vt_slice(before, sizeof before), &block));
    assert_ok(vt__block_next(&block, &row, &more));
    assert_int_equal(row.noise, VT__NOISE_NONE);
    vt__block_fini(&block);
}

static void cut_log_block_is_corrupt_at_every_length(void **state)
{
    (void)state;
    struct vt__log_row row = {.customer = 1, .event = {.item = 2, .type = 3}};
    struct vt__buffer buffer = {0};
    vt__block_encode(&row, 1, &buffer);
    for (size_t len = 0; len < buffer.len; len++) {
        struct vt__block block = {0};
        assert_code(vt__block_open(vt_slice(buffer.data, len), &block), VT_CORRUPT);
        vt__block_fini(&block);
    }
    vt__buffer_fini(&buffer);
}

static void keys_parse_back_and_sort_by_number(void **state)
{
    (void)state;
    struct vt__key key = vt__key_customer(300);
    uint64_t customer = 0, sequence = 0;
    uint32_t day = 0;
    assert_true(vt__parse_customer(vt__key_slice(&key), &customer));
    assert_int_equal(customer, 300);
    assert_false(vt__parse_customer(vt_slice(key.bytes, key.len - 1u), &customer));
    struct vt__key low = vt__key_block(1, 256), high = vt__key_block(256, 1);
    assert_true(memcmp(low.bytes, high.bytes, low.len) < 0);
    assert_true(vt__parse_block(vt__key_slice(&low), &day, &sequence));
    assert_int_equal(day, 1);
    assert_int_equal(sequence, 256);
    assert_false(vt__parse_block(vt_slice(low.bytes, low.len - 1u), &day, &sequence));
}

static void longest_id_fits_every_key(void **state)
{
    (void)state;
    char id[VT_ID_BYTES_MAX];
    memset(id, 'x', sizeof id);
    struct vt__identity identity = {VT_IDENTITY_MEMBER, 0, vt_slice(id, sizeof id)};
    assert_int_equal(vt__key_customer_id(1, &identity).len, VT__KEY_BYTES_MAX);
}

static void cut_item_record_is_never_accepted_as_whole(void **state)
{
    (void)state;
    static unsigned char memory[65536];
    struct vt_attribute attribute = {vt_slice_str("k"), vt_slice_str("v")};
    struct vt_item item = {.id = vt_slice_str("mug"),
                           .title = vt_slice_str("Mug"),
                           .price = 3,
                           .attributes = &attribute,
                           .n_attributes = 1},
                   got;
    struct vt__buffer buffer = {0};
    enum vt__item_state kind;
    vt__item_encode(VT__ITEM_DESCRIBED, &item, &buffer);
    for (size_t len = 0; len <= buffer.len; len++) {
        struct vt_arena arena;
        vt_arena_init(&arena, memory, sizeof memory);
        struct vt_err err = vt__item_decode(vt_slice(buffer.data, len), &arena, &kind, &got);
        if (len == buffer.len)
            assert_true(!vt_failed(err) && got.n_attributes == 1);
        else if (!vt_failed(err)) /* cut between two fields */
            assert_int_equal(got.n_attributes, 0);
    }
    vt__buffer_fini(&buffer);
}

static void counters_add_and_block_lists_append(void **state)
{
    (void)state;
    struct vt__buffer a = {0}, b = {0};
    char *result = NULL;
    size_t len = 0;
    int64_t sum = 0;
    vt__counter_encode(5, &a);
    vt__counter_encode(-7, &b);
    struct vt_slice values[] = {vt__buffer_slice(&a), vt__buffer_slice(&b)};
    assert_true(vt__counter_fold(NULL, values, 2, &result, &len));
    assert_ok(vt__counter_decode(vt_slice(result, len), &sum));
    assert_int_equal(sum, -2);
    free(result);
    assert_true(vt__block_list_fold(NULL, values, 2, &result, &len));
    assert_int_equal(len, a.len + b.len - 1);
    free(result);
    vt__buffer_fini(&a);
    vt__buffer_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_fold_is_associative_commutative_and_idempotent),
        cmocka_unit_test(history_keeps_the_newest_in_order),
        cmocka_unit_test(malformed_history_does_not_fold),
        cmocka_unit_test(log_block_returns_every_row),
        cmocka_unit_test(log_block_without_noise_is_what_it_was),
        cmocka_unit_test(cut_log_block_is_corrupt_at_every_length),
        cmocka_unit_test(keys_parse_back_and_sort_by_number),
        cmocka_unit_test(longest_id_fits_every_key),
        cmocka_unit_test(cut_item_record_is_never_accepted_as_whole),
        cmocka_unit_test(counters_add_and_block_lists_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
