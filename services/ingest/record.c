/*
 * The records of one import: a growing array of small heads, their bodies in the pool. Heads are
 * looked at by every rule, so they stay together; bodies are reached once per rule that needs them.
 */
#include "services/ingest/record.h"

#include <stdlib.h>

enum { RECORDS_MIN = 4096 };

static const struct {
    const char *name;
    size_t body_bytes;
} kinds[VT_RECORD_KIND_COUNT] = {
    [VT_RECORD_EVENT] = {"event", sizeof(struct vt_event_row)},
    [VT_RECORD_ITEM] = {"item", sizeof(struct vt_item_row)},
    [VT_RECORD_CUSTOMER] = {"customer", sizeof(struct vt_customer_row)},
    [VT_RECORD_CHANNEL] = {"channel", sizeof(struct vt_channel_row)},
};

void vt_record_set_init(struct vt_record_set *set)
{
    *set = (struct vt_record_set){0};
    vt_pool_init(&set->pool);
    vt_intern_init(&set->texts, &set->pool);
    vt_intern_init(&set->item_ids, &set->pool);
}

void vt_record_set_fini(struct vt_record_set *set)
{
    vt_intern_fini(&set->texts);
    vt_intern_fini(&set->item_ids);
    free(set->item_spelling);
    free(set->records);
    vt_pool_fini(&set->pool);
    *set = (struct vt_record_set){0};
}

static struct vt_err set_reserve(struct vt_record_set *set)
{
    VT_CHECK(set->n < VT_INGEST_RECORDS_MAX, VT_EXHAUSTED,
             "more than 20,000,000 records in one import: split the file");
    if (set->n < set->capacity)
        return vt_ok();
    size_t capacity = set->capacity == 0 ? RECORDS_MIN : set->capacity * 2;
    struct vt_record *records = realloc(set->records, capacity * sizeof *records);
    VT_CHECK(records != NULL, VT_EXHAUSTED, "out of memory");
    set->records = records;
    set->capacity = capacity;
    return vt_ok();
}

struct vt_err vt_record_set_add(struct vt_record_set *set, enum vt_record_kind kind,
                                struct vt_record **ret_record)
{
    VT_TRY(set_reserve(set));
    void *body = vt_pool_alloc(&set->pool, kinds[kind].body_bytes);
    VT_CHECK(body != NULL, VT_EXHAUSTED, "out of memory");
    struct vt_record *record = &set->records[set->n++];
    *record = (struct vt_record){
        .kind = (uint8_t)kind, .quality = 100, .decided_by = VT_RULE_NONE, .of.any = body};
    *ret_record = record;
    return vt_ok();
}

void vt_record_flaw(struct vt_record_set *set, struct vt_record *record, enum vt_rule rule,
                    const char *field, struct vt_slice text)
{
    vt_record_flag(record, rule);
    struct vt_flaw *flaw = vt_pool_alloc(&set->pool, sizeof *flaw);
    if (flaw == NULL)
        return;
    *flaw = (struct vt_flaw){record->flaws, rule, field, vt_pool_copy(&set->pool, text)};
    record->flaws = flaw;
}

const struct vt_attribute *vt_record_attributes(const struct vt_record *record, uint32_t *ret_n)
{
    switch ((enum vt_record_kind)record->kind) {
    case VT_RECORD_ITEM:
        *ret_n = record->of.item->item.n_attributes;
        return record->of.item->attributes;
    case VT_RECORD_CUSTOMER:
        *ret_n = record->of.customer->n_attributes;
        return record->of.customer->attributes;
    case VT_RECORD_CHANNEL:
        *ret_n = record->of.channel->n_attributes;
        return record->of.channel->attributes;
    case VT_RECORD_EVENT:
    case VT_RECORD_KIND_COUNT:
        break;
    }
    *ret_n = 0;
    return NULL;
}

const char *vt_record_kind_name(enum vt_record_kind kind)
{
    return kinds[kind].name;
}
