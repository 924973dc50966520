/*
 * Both ways of a record in one file. Counts come before what they count and are held against the
 * bytes that are left before memory is taken, so that a damaged record cannot ask for more than its
 * own size a few times over. The notes are written by others in between: their length stands behind
 * them, at the very end.
 */
#include "services/ranking/decision.h"

enum {
    FORMAT = 1,       /* nothing was shown too often */
    FORMAT_SHOWN = 2, /* the list of what was stands behind the campaign's */
    EVENT_BYTES_MIN = 8,
    CANDIDATE_BYTES_MIN = 3,
    PLACE_BYTES = 12,
    TAIL_BYTES = 8, /* where the notes begin, and where they end */
};

enum flag {
    FLAG_ASKED_PROFILE = 1 << 0,
    FLAG_FOUND = 1 << 1,
    FLAG_CONSENT = 1 << 2,
    FLAG_INCLUDE_VIEWED = 1 << 3,
    FLAG_INCLUDE_BOUGHT = 1 << 4,
    FLAG_WITH_BUNDLE = 1 << 5,
    FLAGS_ALL = (1 << 6) - 1,
};

/* ---- to bytes ---- */

static unsigned flags_of(const struct vt_decision *decision)
{
    return (decision->asked_profile ? FLAG_ASKED_PROFILE : 0U) |
           (decision->found ? FLAG_FOUND : 0U) | (decision->consent ? FLAG_CONSENT : 0U) |
           (decision->include_viewed ? FLAG_INCLUDE_VIEWED : 0U) |
           (decision->include_bought ? FLAG_INCLUDE_BOUGHT : 0U) |
           (decision->with_bundle ? FLAG_WITH_BUNDLE : 0U);
}

static void pack_request(struct vt_pack *pack, const struct vt_decision *decision)
{
    vt_pack_u8(pack, (unsigned)decision->mode);
    vt_pack_u8(pack, flags_of(decision));
    vt_pack_u64(pack, (uint64_t)decision->time_ms);
    vt_pack_u64(pack, decision->customer_number);
    vt_pack_u64(pack, decision->configuration);
    vt_pack_varint(pack, decision->n);
    vt_pack_u8(pack, decision->diversity);
    vt_pack_text(pack, decision->version);
    vt_pack_text(pack, decision->placement);
    vt_pack_text(pack, decision->filter);
    vt_pack_text(pack, decision->degraded_reason);
    vt_pack_text(pack, decision->language);
}

/* Times are told by their distance to the one before: most events are minutes apart. */
static void pack_history(struct vt_pack *pack, const struct vt_decision *decision)
{
    int64_t before_ms = decision->time_ms;
    vt_pack_varint(pack, decision->n_history);
    for (uint32_t e = 0; e < decision->n_history; e++) {
        const struct vt_history_event *event = &decision->history[e];
        /* Unsigned, since a time may be anything; back it is the same way. */
        int64_t past_ms = (int64_t)((uint64_t)before_ms - (uint64_t)event->time_ms);
        vt_pack_varint(pack, event->item);
        vt_pack_u8(pack, event->type);
        vt_pack_varint(pack, event->channel);
        vt_pack_f32(pack, event->value);
        vt_pack_varint(pack, (uint64_t)past_ms << 1 ^ (uint64_t)(past_ms >> 63));
        before_ms = event->time_ms;
    }
}

static void pack_numbers(struct vt_pack *pack, const uint32_t *numbers, uint32_t n)
{
    vt_pack_varint(pack, n);
    for (uint32_t i = 0; i < n; i++)
        vt_pack_varint(pack, numbers[i]);
}

static void pack_texts(struct vt_pack *pack, const struct vt_slice *texts, uint32_t n)
{
    vt_pack_varint(pack, n);
    for (uint32_t i = 0; i < n; i++)
        vt_pack_text(pack, texts[i]);
}

static void pack_candidates(struct vt_pack *pack, const struct vt_decision *decision)
{
    vt_pack_varint(pack, decision->n_candidates);
    for (uint32_t i = 0; i < decision->n_candidates; i++) {
        const struct vt_candidate *candidate = &decision->candidates[i];
        vt_pack_varint(pack, candidate->item);
        vt_pack_varint(pack, candidate->because);
        vt_pack_varint(pack, candidate->sources);
        for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
            if ((candidate->sources >> source & 1) != 0)
                vt_pack_f64(pack, candidate->scores[source]);
    }
}

void vt_decision_pack_given(struct vt_pack *pack, const struct vt_decision *decision)
{
    vt_pack_u8(pack, decision->n_shown != 0 ? FORMAT_SHOWN : FORMAT);
    pack_request(pack, decision);
    pack_history(pack, decision);
    pack_numbers(pack, decision->context, decision->n_context);
    pack_numbers(pack, decision->exclude, decision->n_exclude);
    pack_numbers(pack, decision->campaign, decision->n_campaign);
    if (decision->n_shown != 0)
        pack_numbers(pack, decision->shown, decision->n_shown);
    pack_texts(pack, decision->rank_ids, decision->n_rank_ids);
    pack_texts(pack, decision->segments,
               decision->n_segments < VT_DECISION_SEGMENTS_MAX ? decision->n_segments
                                                               : VT_DECISION_SEGMENTS_MAX);
    pack_candidates(pack, decision);
    pack->mark = vt_pack_len(pack);
}

void vt_decision_pack_places(struct vt_pack *pack, const struct vt_ranked_item *items, uint32_t n)
{
    size_t notes_end = vt_pack_len(pack);
    for (uint32_t i = 0; i < n; i++) {
        vt_pack_u32(pack, items[i].number);
        vt_pack_f64(pack, items[i].score);
    }
    vt_pack_u32(pack, (uint32_t)pack->mark);
    vt_pack_u32(pack, (uint32_t)notes_end);
}

/* ---- from bytes ---- */

/* A reader of a record; memory that runs out is told apart from bytes that are wrong. */
struct reading {
    struct vt_unpack unpack;
    struct vt_arena *arena;
    bool exhausted;
};

static void *new_array(struct reading *reading, uint32_t n, size_t size_bytes)
{
    void *array = vt_arena_array(reading->arena, (size_t)n + 1, size_bytes);
    if (array == NULL)
        reading->exhausted = reading->unpack.failed = true;
    return array;
}

/* A value that must not be above `max`. */
static uint32_t read_varint(struct reading *reading, uint32_t max)
{
    uint64_t value = vt_unpack_varint(&reading->unpack);
    if (value > max)
        reading->unpack.failed = true;
    return reading->unpack.failed ? 0 : (uint32_t)value;
}

static unsigned read_u8(struct reading *reading, unsigned max)
{
    unsigned value = vt_unpack_u8(&reading->unpack);
    if (value > max)
        reading->unpack.failed = true;
    return value;
}

static void read_request(struct reading *reading, struct vt_decision *decision)
{
    struct vt_unpack *unpack = &reading->unpack;
    decision->mode = (enum vt_ranking_mode)read_u8(reading, VT_RANKING_SIMILAR);
    unsigned flags = read_u8(reading, FLAGS_ALL);
    decision->asked_profile = (flags & FLAG_ASKED_PROFILE) != 0;
    decision->found = (flags & FLAG_FOUND) != 0;
    decision->consent = (flags & FLAG_CONSENT) != 0;
    decision->include_viewed = (flags & FLAG_INCLUDE_VIEWED) != 0;
    decision->include_bought = (flags & FLAG_INCLUDE_BOUGHT) != 0;
    decision->with_bundle = (flags & FLAG_WITH_BUNDLE) != 0;
    decision->time_ms = (int64_t)vt_unpack_u64(unpack);
    decision->customer_number = vt_unpack_u64(unpack);
    decision->configuration = vt_unpack_u64(unpack);
    decision->n = read_varint(reading, VT_RANK_ITEMS_MAX);
    decision->diversity = read_u8(reading, 4);
    decision->version = vt_unpack_text(unpack);
    decision->placement = vt_unpack_text(unpack);
    decision->filter = vt_unpack_text(unpack);
    decision->degraded_reason = vt_unpack_text(unpack);
    decision->language = vt_unpack_text(unpack);
}

static void read_history(struct reading *reading, struct vt_decision *decision)
{
    struct vt_unpack *unpack = &reading->unpack;
    int64_t before_ms = decision->time_ms;
    uint32_t n = vt_unpack_count(unpack, EVENT_BYTES_MIN, VT_DECISION_HISTORY_MAX);
    struct vt_history_event *events = new_array(reading, n, sizeof *events);
    for (uint32_t e = 0; events != NULL && e < n; e++) {
        events[e].item = read_varint(reading, UINT32_MAX);
        events[e].type = (uint16_t)read_u8(reading, VT_EVENT_TYPE_COUNT - 1);
        events[e].channel = (uint16_t)read_varint(reading, UINT16_MAX);
        events[e].value = vt_unpack_f32(unpack);
        uint64_t zigzag = vt_unpack_varint(unpack);
        before_ms = (int64_t)((uint64_t)before_ms - (zigzag >> 1 ^ (0 - (zigzag & 1))));
        events[e].time_ms = before_ms;
    }
    decision->history = events;
    decision->n_history = n;
}

static const uint32_t *read_numbers(struct reading *reading, uint32_t max, uint32_t *ret_n)
{
    uint32_t n = vt_unpack_count(&reading->unpack, 1, max);
    uint32_t *numbers = new_array(reading, n, sizeof *numbers);
    for (uint32_t i = 0; numbers != NULL && i < n; i++)
        numbers[i] = read_varint(reading, UINT32_MAX);
    *ret_n = n;
    return numbers;
}

static const struct vt_slice *read_texts(struct reading *reading, uint32_t max, uint32_t *ret_n)
{
    uint32_t n = vt_unpack_count(&reading->unpack, 1, max);
    struct vt_slice *texts = new_array(reading, n, sizeof *texts);
    for (uint32_t i = 0; texts != NULL && i < n; i++)
        texts[i] = vt_unpack_text(&reading->unpack);
    *ret_n = n;
    return texts;
}

static void read_candidates(struct reading *reading, struct vt_decision *decision)
{
    struct vt_unpack *unpack = &reading->unpack;
    uint32_t n = vt_unpack_count(unpack, CANDIDATE_BYTES_MIN, VT_CANDIDATES_MAX);
    struct vt_candidate *candidates = new_array(reading, n, sizeof *candidates);
    for (uint32_t i = 0; candidates != NULL && i < n; i++) {
        candidates[i].item = read_varint(reading, UINT32_MAX);
        candidates[i].because = read_varint(reading, UINT32_MAX);
        candidates[i].sources = read_varint(reading, (1U << VT_SOURCE_COUNT) - 1);
        for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
            if ((candidates[i].sources >> source & 1) != 0)
                candidates[i].scores[source] = vt_unpack_f64(unpack);
    }
    decision->candidates = candidates;
    decision->n_candidates = n;
}

static void read_places(struct reading *reading, struct vt_slice bytes,
                        struct vt_decision *decision)
{
    struct vt_unpack unpack;
    uint32_t n = (uint32_t)(bytes.len / PLACE_BYTES);
    struct vt_decision_place *places = new_array(reading, n, sizeof *places);
    if (bytes.len % PLACE_BYTES != 0 || n > VT_RANK_ITEMS_MAX)
        reading->unpack.failed = true;
    if (reading->unpack.failed)
        return;
    vt_unpack_init(&unpack, bytes);
    for (uint32_t i = 0; i < n; i++) {
        places[i].item = vt_unpack_u32(&unpack);
        places[i].score = vt_unpack_f64(&unpack);
    }
    decision->places = places;
    decision->n_places = n;
}

/* The notes and the places behind what was given, which ends `given` bytes from the beginning. */
static void read_rest(struct reading *reading, struct vt_slice bytes, size_t given,
                      struct vt_decision *decision)
{
    struct vt_unpack tail;
    vt_unpack_init(&tail, vt_slice(bytes.data + bytes.len - TAIL_BYTES, TAIL_BYTES));
    size_t begin = vt_unpack_u32(&tail), end = vt_unpack_u32(&tail);
    if (reading->unpack.failed || begin != given || end < begin || end > bytes.len - TAIL_BYTES) {
        reading->unpack.failed = true;
        return;
    }
    decision->notes = vt_slice(bytes.data + begin, end - begin);
    read_places(reading, vt_slice(bytes.data + end, bytes.len - TAIL_BYTES - end), decision);
}

/* A request is one that could be asked. */
static bool is_possible(const struct vt_decision *decision)
{
    bool rank = decision->mode == VT_RANKING_RANK;
    return rank
               ? decision->n_rank_ids >= 1
               : decision->n >= 1 && decision->n <= VT_RECOMMEND_N_MAX && decision->n_rank_ids == 0;
}

struct vt_err vt_decision_unpack(struct vt_slice bytes, struct vt_arena *arena,
                                 struct vt_decision *ret_decision)
{
    struct reading reading = {.arena = arena};
    struct vt_decision decision = {0};
    VT_CHECK(bytes.len > TAIL_BYTES, VT_CORRUPT, "a decision is too short");
    vt_unpack_init(&reading.unpack, vt_slice(bytes.data, bytes.len - TAIL_BYTES));
    const unsigned format = vt_unpack_u8(&reading.unpack);
    VT_CHECK(format == FORMAT || format == FORMAT_SHOWN, VT_CORRUPT,
             "a decision of another format");
    read_request(&reading, &decision);
    read_history(&reading, &decision);
    decision.context = read_numbers(&reading, VT_CONTEXT_MAX, &decision.n_context);
    decision.exclude = read_numbers(&reading, VT_EXCLUDE_MAX, &decision.n_exclude);
    decision.campaign = read_numbers(&reading, VT_CAMPAIGN_MAX, &decision.n_campaign);
    if (format == FORMAT_SHOWN)
        decision.shown = read_numbers(&reading, VT_SHOWN_ITEMS_MAX, &decision.n_shown);
    decision.rank_ids = read_texts(&reading, VT_RANK_ITEMS_MAX, &decision.n_rank_ids);
    decision.segments = read_texts(&reading, VT_DECISION_SEGMENTS_MAX, &decision.n_segments);
    read_candidates(&reading, &decision);
    read_rest(&reading, bytes, (size_t)((const char *)reading.unpack.at - bytes.data), &decision);
    VT_CHECK(!reading.exhausted, VT_EXHAUSTED, "the request's memory is full");
    VT_CHECK(!reading.unpack.failed && is_possible(&decision), VT_CORRUPT,
             "a decision is malformed");
    *ret_decision = decision;
    return vt_ok();
}
