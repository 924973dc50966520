#include "services/profile/records.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Arbitrary bytes as every record: all decoders are tried on each input. */
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
    decode_records(vt_slice(data, size), &arena);
    return 0;
}
