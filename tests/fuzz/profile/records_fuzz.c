#include "services/profile/records.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Arbitrary bytes as every key and every record: all parsers are tried on each input. */
static void parse_keys(struct vt_slice bytes)
{
    enum vt__name_kind kind;
    enum vt__metric metric;
    enum vt__erased_kind erased;
    struct vt__identity identity;
    struct vt_slice text;
    uint64_t number, other;
    uint32_t small;
    (void)vt__parse_name(bytes, &kind, &text);
    (void)vt__parse_identity(bytes, &identity);
    (void)vt__parse_customer(bytes, &number);
    (void)vt__parse_customer_id(bytes, &number, &identity);
    (void)vt__parse_customer_day(bytes, &number, &small);
    (void)vt__parse_merged(bytes, &number, &other);
    (void)vt__parse_erased(bytes, &erased, &number);
    (void)vt__parse_block(bytes, &small, &number);
    (void)vt__parse_item(bytes, &small);
    (void)vt__parse_change(bytes, &number);
    (void)vt__parse_counter(bytes, &metric, &number, &small);
}

static void decode_records(struct vt_slice bytes, struct vt_arena *arena)
{
    const char *why = "any answer will do, as long as nothing is read out of bounds";
    struct vt__state state;
    struct vt__seen seen;
    struct vt__change_record change;
    struct vt__customer_record customer;
    enum vt__item_state item_state;
    struct vt_item item;
    uint64_t number;
    int64_t sum;
    vt_err_ignore(vt__state_decode(bytes, &state), why);
    vt_err_ignore(vt__number_decode(bytes, &number), why);
    vt_err_ignore(vt__seen_decode(bytes, &seen), why);
    vt_err_ignore(vt__change_decode(bytes, &change), why);
    vt_err_ignore(vt__counter_decode(bytes, &sum), why);
    vt_err_ignore(vt__customer_decode(bytes, arena, &customer), why);
    vt_err_ignore(vt__item_decode(bytes, arena, &item_state, &item), why);
    vt_err_ignore(vt__erased_decode(bytes, &sum), why);
    for (size_t offset = 0; vt__block_list_next(bytes, &offset, &number);)
        assert(offset <= bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char memory[1 << 16];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    parse_keys(vt_slice(data, size));
    decode_records(vt_slice(data, size), &arena);
    return 0;
}
