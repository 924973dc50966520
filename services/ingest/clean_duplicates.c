/*
 * What is told twice. Rows are compared by 128-bit hashes: once of the values as they stand (made
 * by build.c), once of what they mean, with case, white space and number format out of the way. The
 * first of equal events stays; a description (item, customer, channel) is a duplicate only of the
 * one before it of the same id, since later ones replace earlier ones. An event without id gets the
 * hash of its row as id, so that a second import of the file writes nothing new.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* the streaming state on the stack */
#include "services/ingest/clean.h"
#include "services/ingest/fields.h"
#include "services/ingest/text_clean.h"

#include <xxhash.h>

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

static size_t plain_bytes(enum vt_field_form form)
{
    static const size_t bytes[] = {
        [VT_FIELD_NUMBER] = sizeof(double), [VT_FIELD_PRICE] = sizeof(double),
        [VT_FIELD_AMOUNT] = sizeof(double), [VT_FIELD_TIME] = sizeof(int64_t),
        [VT_FIELD_STOCK] = sizeof(int64_t), [VT_FIELD_CONSENT] = sizeof(int),
    };
    return form < sizeof bytes / sizeof bytes[0] ? bytes[form] : 0;
}

static void hash_lists(XXH3_state_t *state, const struct vt_record *record)
{
    uint32_t n;
    const struct vt_attribute *attributes = vt_record_attributes(record, &n);
    for (uint32_t i = 0; i < n; i++) {
        hash_folded(state, attributes[i].key);
        hash_folded(state, attributes[i].value);
    }
    for (uint32_t i = 0; record->kind == VT_RECORD_ITEM && i < record->of.item->item.n_categories;
         i++)
        hash_folded(state, record->of.item->item.categories[i]);
}

/* Every field of an item, a customer or a channel: what is told anew is no duplicate. */
static void meaning_of_description(XXH3_state_t *state, const struct vt_record *record)
{
    size_t n_fields;
    const struct vt_field_spec *fields = vt_fields((enum vt_record_kind)record->kind, &n_fields);
    for (size_t i = 0; i < n_fields; i++) {
        const char *value = (const char *)record->of.any + fields[i].offset;
        size_t bytes = plain_bytes(fields[i].form);
        if (bytes > 0)
            XXH3_128bits_update(state, value, bytes);
        else if (fields[i].form != VT_FIELD_CATEGORIES && fields[i].form != VT_FIELD_ATTRIBUTES)
            hash_folded(state, *(const struct vt_slice *)(const void *)value);
    }
    hash_lists(state, record);
}

static void meaning_of(const struct vt_record *record, uint64_t ret[2])
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    if (record->kind == VT_RECORD_EVENT)
        meaning_of_event(&state, record->of.event);
    else
        meaning_of_description(&state, record);
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    ret[0] = hash.low64;
    ret[1] = hash.high64;
}

/* "x-" and 32 hexadecimal digits, and "-2" for the second of kept equal rows. */
static struct vt_err give_id(struct vt_record_set *set, struct vt_record *record, uint32_t count)
{
    char id[64];
    struct vt_event *event = &record->of.event->event;
    if (event->event_id.len > 0)
        return vt_ok();
    int len = snprintf(id, sizeof id, "x-%016llx%016llx", (unsigned long long)record->content[1],
                       (unsigned long long)record->content[0]);
    if (count > 1)
        len += snprintf(id + len, sizeof id - (size_t)len, "-%u", count);
    event->event_id = vt_pool_copy(&set->pool, vt_slice(id, (size_t)len));
    VT_CHECK(event->event_id.data != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

struct passes {
    struct seen content, meaning; /* of events */
    struct seen ids;              /* of every kind, the kind being the hash's seed */
    bool keep;
};

static struct seen_slot *seen_id(struct passes *passes, enum vt_record_kind kind,
                                 struct vt_slice id, size_t i)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(id.data, id.len, kind);
    return seen_add(&passes->ids, (uint64_t[2]){hash.low64, hash.high64}, i);
}

static struct vt_err judge_event(struct vt_record_set *set, struct passes *passes, size_t i)
{
    struct vt_record *record = &set->records[i];
    uint64_t meaning[2];
    uint32_t count = seen_add(&passes->content, record->content, i)->count;
    VT_TRY(give_id(set, record, passes->keep ? count : 1));
    if (count > 1 && !passes->keep) {
        vt_record_flag(record, VT_RULE_EXACT_DUPLICATE);
        return vt_ok();
    }
    if (!vt_clean_alive(record) || vt_record_has(record, VT_RULE_TIME_FROM_ORDER))
        return vt_ok();
    meaning_of(record, meaning);
    struct vt_slice id = record->of.event->event.event_id;
    if (seen_add(&passes->meaning, meaning, i)->count > 1 && !passes->keep)
        vt_record_flag(record, VT_RULE_NEAR_DUPLICATE);
    else if (seen_id(passes, VT_RECORD_EVENT, id, i)->count > 1)
        vt_record_flaw(set, record, VT_RULE_REUSED_EVENT_ID, "event_id", id);
    return vt_ok();
}

static struct vt_slice described_id(const struct vt_record *record)
{
    if (record->kind == VT_RECORD_ITEM)
        return record->of.item->item.id;
    return record->kind == VT_RECORD_CUSTOMER ? record->of.customer->id : record->of.channel->id;
}

static bool is_same_content(const struct vt_record *a, const struct vt_record *b)
{
    return memcmp(a->content, b->content, sizeof a->content) == 0;
}

static bool is_same_meaning(const struct vt_record *a, const struct vt_record *b)
{
    uint64_t meaning_a[2], meaning_b[2];
    if (!vt_clean_alive(a) || !vt_clean_alive(b))
        return false;
    meaning_of(a, meaning_a);
    meaning_of(b, meaning_b);
    return memcmp(meaning_a, meaning_b, sizeof meaning_a) == 0;
}

/* A description replaces the one before, so it is compared with that one alone: a consent that is
 * granted, denied and granted again is three rows of news. */
static void judge_description(struct vt_record_set *set, struct passes *passes, size_t i)
{
    struct vt_record *record = &set->records[i];
    struct seen_slot *slot =
        seen_id(passes, (enum vt_record_kind)record->kind, described_id(record), i);
    const struct vt_record *before = &set->records[slot->record];
    if (slot->count > 1 && !passes->keep && is_same_content(record, before))
        vt_record_flag(record, VT_RULE_EXACT_DUPLICATE);
    else if (slot->count > 1 && !passes->keep && is_same_meaning(record, before))
        vt_record_flag(record, VT_RULE_NEAR_DUPLICATE);
    else
        slot->record = (uint32_t)i;
}

static struct vt_err judge_record(struct vt_record_set *set, struct passes *passes, size_t i)
{
    if (set->records[i].kind == VT_RECORD_EVENT)
        return judge_event(set, passes, i);
    judge_description(set, passes, i);
    return vt_ok();
}

struct vt_err vt_clean_duplicates(struct vt_record_set *set, bool keep_duplicates)
{
    struct passes passes = {.keep = keep_duplicates};
    struct vt_err err = seen_init(&passes.content, set->n);
    if (!vt_failed(err))
        err = seen_init(&passes.meaning, set->n);
    if (!vt_failed(err))
        err = seen_init(&passes.ids, set->n);
    for (size_t i = 0; i < set->n && !vt_failed(err); i++)
        err = judge_record(set, &passes, i);
    free(passes.content.slots);
    free(passes.meaning.slots);
    free(passes.ids.slots);
    return err;
}
