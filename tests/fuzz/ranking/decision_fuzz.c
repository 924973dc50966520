/*
 * Any bytes, as a record of a decision and as a frame of its log: both are taken whole or refused,
 * and what is taken says the same when it is written again and read again.
 */
#include "services/ranking/decision_files.h"
#include "tests/testlib/fuzz.h"

#include <string.h>

enum { ARENA_BYTES = 4 << 20, INPUT_MAX = 16 << 10 };

static struct vt_slice pack_again(const struct vt_decision *decision, unsigned char *memory,
                                  size_t size_bytes)
{
    struct vt_ranked_item items[VT_RANK_ITEMS_MAX];
    struct vt_pack pack;
    for (uint32_t i = 0; i < decision->n_places; i++)
        items[i] = (struct vt_ranked_item){.number = decision->places[i].item,
                                           .score = decision->places[i].score};
    vt_pack_init(&pack, memory, size_bytes);
    vt_decision_pack_given(&pack, decision);
    if (decision->notes.len > 0) {
        memcpy(pack.at, decision->notes.data, decision->notes.len);
        pack.at += decision->notes.len;
    }
    vt_decision_pack_places(&pack, items, decision->n_places);
    vt_fuzz_expect(!pack.full);
    return vt_slice(memory, vt_pack_len(&pack));
}

/* As bytes: a record keeps every bit, those of a NaN too. */
static struct vt_slice scores_of(const struct vt_decision *decision, uint32_t i)
{
    return vt_slice(decision->candidates[i].scores, sizeof decision->candidates[i].scores);
}

static void expect_same(const struct vt_decision *a, const struct vt_decision *b)
{
    vt_fuzz_expect(a->time_ms == b->time_ms && a->customer_number == b->customer_number);
    vt_fuzz_expect(a->mode == b->mode && a->n == b->n && a->with_bundle == b->with_bundle);
    vt_fuzz_expect(vt_slice_equal(a->filter, b->filter) && vt_slice_equal(a->notes, b->notes));
    vt_fuzz_expect(a->n_history == b->n_history && a->n_candidates == b->n_candidates);
    vt_fuzz_expect(a->n_places == b->n_places && a->n_rank_ids == b->n_rank_ids);
    for (uint32_t e = 0; e < a->n_history; e++)
        vt_fuzz_expect(a->history[e].item == b->history[e].item &&
                       a->history[e].time_ms == b->history[e].time_ms);
    vt_fuzz_expect(a->n_shown == b->n_shown);
    for (uint32_t i = 0; i < a->n_shown; i++)
        vt_fuzz_expect(a->shown[i] == b->shown[i]);
    for (uint32_t i = 0; i < a->n_candidates; i++)
        vt_fuzz_expect(vt_slice_equal(scores_of(a, i), scores_of(b, i)));
}

static void as_record(struct vt_slice bytes, struct vt_arena *arena)
{
    static unsigned char memory[2 * INPUT_MAX + 64];
    struct vt_decision decision, again;
    struct vt_err err = vt_decision_unpack(bytes, arena, &decision);
    if (vt_failed(err)) {
        vt_fuzz_expect(err.code == VT_CORRUPT);
        return;
    }
    struct vt_slice packed = pack_again(&decision, memory, sizeof memory);
    vt_fuzz_expect(!vt_failed(vt_decision_unpack(packed, arena, &again)));
    expect_same(&decision, &again);
}

static void as_frame(struct vt_slice bytes)
{
    static const unsigned char key[VT_TOKEN_KEY_BYTES] = {7};
    static unsigned char memory[VT_DECISION_FRAME_BYTES + VT_DECISION_BYTES_MAX];
    struct vt_decision_frame frame, again;
    bool is_frame = vt_decision_frame_read(bytes, &frame);
    vt_fuzz_expect(is_frame || !vt_decision_frame_is_whole(key, bytes));
    if (!is_frame)
        return;
    memcpy(memory + VT_DECISION_FRAME_BYTES, bytes.data + VT_DECISION_FRAME_BYTES, frame.len);
    vt_decision_frame_write(key, &frame, memory);
    struct vt_slice made = vt_slice(memory, VT_DECISION_FRAME_BYTES + (size_t)frame.len);
    vt_fuzz_expect(vt_decision_frame_is_whole(key, made) && vt_decision_frame_read(made, &again));
    vt_fuzz_expect(again.customer == frame.customer && again.time_ms == frame.time_ms);
    memory[VT_DECISION_FRAME_BYTES / 2] ^= 1;
    vt_fuzz_expect(!vt_decision_frame_is_whole(key, made));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) unsigned char memory[ARENA_BYTES];
    struct vt_arena arena;
    if (size > INPUT_MAX)
        return 0;
    vt_arena_init(&arena, memory, sizeof memory);
    as_record(vt_slice(data, size), &arena);
    as_frame(vt_slice(data, size));
    return 0;
}
