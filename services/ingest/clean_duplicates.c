/*
 * What is told twice. Rows are compared by 128-bit hashes: once of the values as they stand (made
 * by build.c), once of what they mean, with case, white space and number format out of the way. The
 * first of equal rows stays. An event without id gets the hash of its row as id, so that a second
 * import of the file writes nothing new.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* the streaming state on the stack */
#include <xxhash.h>

#include "services/ingest/clean.h"
#include "services/ingest/text_clean.h"

/* Hash to record number, open addressing; at most half full. */
struct seen_slot {
    uint64_t hash[2];
    uint32_t count; /* 0: free */
    uint32_t record;
};
struct seen {
    struct seen_slot *slots;
    size_t mask;
};

static struct vt_err seen_init(struct seen *seen, size_t n)
{
    size_t n_slots = 1024;
    while (n_slots < n * 2)
        n_slots *= 2;
    seen->mask = n_slots - 1;
    seen->slots = calloc(n_slots, sizeof *seen->slots);
    VT_CHECK(seen->slots != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

/* The slot of the hash, counted up; count is 1 for one that is new. */
static struct seen_slot *seen_add(struct seen *seen, const uint64_t hash[2], size_t record)
{
    size_t at = hash[0] & seen->mask;
    while (seen->slots[at].count > 0 && memcmp(seen->slots[at].hash, hash, 16) != 0)
        at = (at + 1) & seen->mask;
    struct seen_slot *slot = &seen->slots[at];
    if (slot->count++ == 0) {
        memcpy(slot->hash, hash, 16);
        slot->record = (uint32_t)record;
    }
    return slot;
}

static void hash_folded(XXH3_state_t *state, struct vt_slice text)
{
    char buffer[VT_CLEAN_TEXT_BYTES];
    struct vt_slice folded = {0};
    if (text.len > 0 && !vt_key_fold(text, buffer, &folded))
        folded = text;
    XXH3_128bits_update(state, &folded.len, sizeof folded.len);
    XXH3_128bits_update(state, folded.data, folded.len);
}

/* Who did what to which item, when and how much; not the event's id. */
static void meaning_of_event(XXH3_state_t *state, const struct vt_event_row *row)
{
    const struct vt_event *event = &row->event;
    const double numbers[] = {event->quantity, event->revenue, event->value, row->price};
    const struct vt_slice texts[] = {event->customer_id, event->visitor_id, event->item_id,
                                     event->channel,     event->query,      row->group};
    XXH3_128bits_update(state, &event->type, sizeof event->type);
    XXH3_128bits_update(state, &event->time_ms, sizeof event->time_ms);
    XXH3_128bits_update(state, numbers, sizeof numbers);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash_folded(state, texts[i]);
}

static void meaning_of_item(XXH3_state_t *state, const struct vt_item *item)
{
    const struct vt_slice texts[] = {item->id, item->title, item->brand};
    XXH3_128bits_update(state, &item->price, sizeof item->price);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash_folded(state, texts[i]);
}

static void meaning_of(const struct vt_record *record, uint64_t ret[2])
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, &record->kind, sizeof record->kind);
    switch ((enum vt_record_kind)record->kind) {
    case VT_RECORD_EVENT:
        meaning_of_event(&state, record->of.event);
        break;
    case VT_RECORD_ITEM:
        meaning_of_item(&state, &record->of.item->item);
        break;
    case VT_RECORD_CUSTOMER:
        hash_folded(&state, record->of.customer->id);
        break;
    case VT_RECORD_CHANNEL:
        hash_folded(&state, record->of.channel->id);
        break;
    case VT_RECORD_KIND_COUNT:
        break;
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    ret[0] = hash.low64;
    ret[1] = hash.high64;
}

/* "x-" and 32 hexadecimal digits, and "-2" for the second of kept equal rows. */
static struct vt_err give_id(struct vt_dataset *dataset, struct vt_record *record, uint32_t count)
{
    char id[64];
    struct vt_event *event = &record->of.event->event;
    if (event->event_id.len > 0)
        return vt_ok();
    int len = snprintf(id, sizeof id, "x-%016llx%016llx", (unsigned long long)record->content[1],
                       (unsigned long long)record->content[0]);
    if (count > 1)
        len += snprintf(id + len, sizeof id - (size_t)len, "-%u", count);
    event->event_id = vt_pool_copy(&dataset->pool, vt_slice(id, (size_t)len));
    VT_CHECK(event->event_id.data != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

struct passes {
    struct seen content, meaning, ids;
    bool keep;
};

static void judge_event_id(struct vt_dataset *dataset, struct passes *passes, size_t i)
{
    struct vt_record *record = &dataset->records[i];
    struct vt_slice id = record->of.event->event.event_id;
    XXH128_hash_t hash = XXH3_128bits(id.data, id.len);
    if (seen_add(&passes->ids, (uint64_t[2]){hash.low64, hash.high64}, i)->count > 1)
        vt_record_flaw(dataset, record, VT_RULE_REUSED_EVENT_ID, "event_id", id);
}

static struct vt_err judge_record(struct vt_dataset *dataset, struct passes *passes, size_t i)
{
    struct vt_record *record = &dataset->records[i];
    uint64_t meaning[2];
    uint32_t count = seen_add(&passes->content, record->content, i)->count;
    if (record->kind == VT_RECORD_EVENT)
        VT_TRY(give_id(dataset, record, passes->keep ? count : 1));
    if (count > 1 && !passes->keep) {
        vt_record_flag(record, VT_RULE_EXACT_DUPLICATE);
        return vt_ok();
    }
    if (!vt_clean_alive(record) || vt_record_has(record, VT_RULE_TIME_FROM_ORDER))
        return vt_ok();
    meaning_of(record, meaning);
    if (seen_add(&passes->meaning, meaning, i)->count > 1 && !passes->keep)
        vt_record_flag(record, VT_RULE_NEAR_DUPLICATE);
    else if (record->kind == VT_RECORD_EVENT)
        judge_event_id(dataset, passes, i);
    return vt_ok();
}

struct vt_err vt_clean_duplicates(struct vt_dataset *dataset, bool keep_duplicates)
{
    struct passes passes = {.keep = keep_duplicates};
    struct vt_err err = seen_init(&passes.content, dataset->n);
    if (!vt_failed(err))
        err = seen_init(&passes.meaning, dataset->n);
    if (!vt_failed(err))
        err = seen_init(&passes.ids, dataset->n);
    for (size_t i = 0; i < dataset->n && !vt_failed(err); i++)
        err = judge_record(dataset, &passes, i);
    free(passes.content.slots);
    free(passes.meaning.slots);
    free(passes.ids.slots);
    return err;
}
