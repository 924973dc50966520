/*
 * What stands behind each key. Small records are a fixed row of numbers. Entries of customers and
 * items are tagged fields (tag, length, bytes): a later version may add a tag, and this one skips
 * it; an absent tag is the field's zero, so that a catalog of bare SKUs stays small. The encoding
 * of an entry is canonical (fields in order of their tags), which is how "unchanged" is found.
 */
#include "services/profile/records.h"

#include <math.h>
#include <stdlib.h>

static struct vt_err check(const struct vt__reader *reader)
{
    VT_CHECK(vt__reader_done(reader), VT_CORRUPT, "a record of the store is malformed");
    return vt_ok();
}

static struct vt__reader open_record(struct vt_slice bytes)
{
    struct vt__reader reader = vt__reader(bytes);
    if (vt__get_u8(&reader) != VT__RECORD_FORMAT)
        reader.failed = true;
    return reader;
}

/* ---- rows of numbers ---- */

void vt__state_encode(const struct vt__state *state, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_u64(buffer, state->sequence);
    vt__put_u64(buffer, state->next_customer);
    vt__put_u32(buffer, state->next_item);
    vt__put_u16(buffer, state->next_channel);
    vt__put_u32(buffer, state->day);
}

struct vt_err vt__state_decode(struct vt_slice bytes, struct vt__state *ret_state)
{
    struct vt__reader reader = open_record(bytes);
    struct vt__state state = {0};
    state.sequence = vt__get_u64(&reader);
    state.next_customer = vt__get_u64(&reader);
    state.next_item = vt__get_u32(&reader);
    state.next_channel = vt__get_u16(&reader);
    state.day = vt__get_u32(&reader);
    VT_TRY(check(&reader));
    *ret_state = state;
    return vt_ok();
}

void vt__number_encode(uint64_t number, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_varint(buffer, number);
}

struct vt_err vt__number_decode(struct vt_slice bytes, uint64_t *ret_number)
{
    struct vt__reader reader = open_record(bytes);
    uint64_t number = vt__get_varint(&reader);
    VT_TRY(check(&reader));
    *ret_number = number;
    return vt_ok();
}

void vt__seen_encode(const struct vt__seen *seen, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_varint(buffer, seen->sequence);
    vt__put_zigzag(buffer, seen->time_ms);
}

struct vt_err vt__seen_decode(struct vt_slice bytes, struct vt__seen *ret_seen)
{
    struct vt__reader reader = open_record(bytes);
    struct vt__seen seen = {0};
    seen.sequence = vt__get_varint(&reader);
    seen.time_ms = vt__get_zigzag(&reader);
    VT_TRY(check(&reader));
    *ret_seen = seen;
    return vt_ok();
}

void vt__erased_encode(int64_t time_ms, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_zigzag(buffer, time_ms);
}

struct vt_err vt__erased_decode(struct vt_slice bytes, int64_t *ret_time_ms)
{
    struct vt__reader reader = open_record(bytes);
    int64_t time_ms = vt__get_zigzag(&reader);
    VT_TRY(check(&reader));
    *ret_time_ms = time_ms;
    return vt_ok();
}

void vt__change_encode(const struct vt__change_record *change, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_u8(buffer, change->kind);
    vt__put_u32(buffer, change->item);
}

struct vt_err vt__change_decode(struct vt_slice bytes, struct vt__change_record *ret_change)
{
    struct vt__reader reader = open_record(bytes);
    unsigned kind = vt__get_u8(&reader);
    uint32_t item = vt__get_u32(&reader);
    VT_TRY(check(&reader));
    VT_CHECK(kind <= VT_CHANGE_MENTION, VT_CORRUPT, "a change of the store is of no known kind");
    *ret_change = (struct vt__change_record){(enum vt_change_kind)kind, item};
    return vt_ok();
}

/* ---- tagged fields ---- */

static void put_tag(struct vt__buffer *buffer, unsigned tag, size_t len)
{
    vt__put_u8(buffer, tag);
    vt__put_varint(buffer, len);
}

static void put_text_field(struct vt__buffer *buffer, unsigned tag, struct vt_slice text)
{
    if (text.len == 0)
        return;
    put_tag(buffer, tag, text.len);
    vt__put_bytes(buffer, text.data, text.len);
}

static void put_i64_field(struct vt__buffer *buffer, unsigned tag, int64_t value)
{
    if (value == 0)
        return;
    put_tag(buffer, tag, 8);
    vt__put_u64(buffer, (uint64_t)value);
}

static void put_f64_field(struct vt__buffer *buffer, unsigned tag, double value)
{
    if (fpclassify(value) == FP_ZERO)
        return;
    put_tag(buffer, tag, 8);
    vt__put_f64(buffer, value);
}

static void put_attributes(struct vt__buffer *buffer, unsigned tag,
                           const struct vt_attribute *attributes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t key_len = attributes[i].key.len;
        put_tag(buffer, tag, (key_len < 0x80 ? 1u : 2u) + key_len + attributes[i].value.len);
        vt__put_text(buffer, attributes[i].key);
        vt__put_bytes(buffer, attributes[i].value.data, attributes[i].value.len);
    }
}

/* One field of an entry. */
struct field {
    unsigned tag;
    struct vt_slice bytes;
};

static bool next_field(struct vt__reader *reader, struct field *ret_field)
{
    if (reader->failed || reader->at == reader->end)
        return false;
    ret_field->tag = vt__get_u8(reader);
    ret_field->bytes = vt__get_text(reader);
    return !reader->failed;
}

static int64_t field_i64(const struct field *field, struct vt__reader *record)
{
    struct vt__reader reader = vt__reader(field->bytes);
    int64_t value = (int64_t)vt__get_u64(&reader);
    record->failed = record->failed || !vt__reader_done(&reader);
    return value;
}

static double field_f64(const struct field *field, struct vt__reader *record)
{
    struct vt__reader reader = vt__reader(field->bytes);
    double value = vt__get_f64(&reader);
    record->failed = record->failed || !vt__reader_done(&reader);
    return value;
}

/* Attributes gathered while an entry is read. */
struct attribute_list {
    struct vt_attribute *items; /* VT_ITEM_ATTRIBUTES_MAX in the arena; made at the first one */
    uint32_t n;
};

static void add_attribute(struct attribute_list *list, const struct field *field,
                          struct vt_arena *arena, struct vt__reader *record)
{
    struct vt__reader reader = vt__reader(field->bytes);
    struct vt_slice key = vt__get_text(&reader);
    struct vt_slice value = vt__get_bytes(&reader, (size_t)(reader.end - reader.at));
    if (list->items == NULL)
        list->items = vt_arena_array(arena, VT_ITEM_ATTRIBUTES_MAX, sizeof list->items[0]);
    if (list->items == NULL || reader.failed || list->n == VT_ITEM_ATTRIBUTES_MAX) {
        record->failed = true;
        return;
    }
    list->items[list->n++] = (struct vt_attribute){key, value};
}

/* ---- customers ---- */

enum {
    CUSTOMER_ID = 1,
    CUSTOMER_CONSENT,
    CUSTOMER_FIRST_SEEN,
    CUSTOMER_LAST_SEEN,
    CUSTOMER_ATTRIBUTE,
    CUSTOMER_WITHDRAWN
};

void vt__customer_encode(const struct vt__customer_record *record, struct vt__buffer *buffer)
{
    const struct vt_customer *customer = &record->customer;
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_u8(buffer, record->type);
    put_text_field(buffer, CUSTOMER_ID, customer->id);
    put_i64_field(buffer, CUSTOMER_CONSENT, customer->consent);
    put_i64_field(buffer, CUSTOMER_FIRST_SEEN, customer->first_seen_ms);
    put_i64_field(buffer, CUSTOMER_LAST_SEEN, customer->last_seen_ms);
    put_attributes(buffer, CUSTOMER_ATTRIBUTE, customer->attributes, customer->n_attributes);
    put_i64_field(buffer, CUSTOMER_WITHDRAWN, (int64_t)record->withdrawn_sequence);
}

static struct vt_err copy_record(struct vt_slice bytes, struct vt_arena *arena,
                                 struct vt_slice *ret_copy)
{
    struct vt_slice copy = vt_arena_copy(arena, bytes);
    VT_CHECK(copy.data != NULL, VT_EXHAUSTED, "the answer does not fit the call's memory");
    *ret_copy = copy;
    return vt_ok();
}

static void read_customer_field(const struct field *field, struct vt_customer *customer,
                                struct vt__reader *reader)
{
    switch (field->tag) {
    case CUSTOMER_ID:
        customer->id = field->bytes;
        break;
    case CUSTOMER_CONSENT:
        customer->consent = (int)field_i64(field, reader);
        break;
    case CUSTOMER_FIRST_SEEN:
        customer->first_seen_ms = field_i64(field, reader);
        break;
    case CUSTOMER_LAST_SEEN:
        customer->last_seen_ms = field_i64(field, reader);
        break;
    default: /* of a later version */
        break;
    }
}

struct vt_err vt__customer_decode(struct vt_slice bytes, struct vt_arena *arena,
                                  struct vt__customer_record *ret_record)
{
    VT_TRY(copy_record(bytes, arena, &bytes));
    struct vt__reader reader = open_record(bytes);
    struct vt__customer_record record = {.type = (enum vt_identity_type)vt__get_u8(&reader)};
    struct attribute_list attributes = {0};
    struct field field;
    while (next_field(&reader, &field)) {
        if (field.tag == CUSTOMER_ATTRIBUTE)
            add_attribute(&attributes, &field, arena, &reader);
        else if (field.tag == CUSTOMER_WITHDRAWN)
            record.withdrawn_sequence = (uint64_t)field_i64(&field, &reader);
        else
            read_customer_field(&field, &record.customer, &reader);
    }
    VT_CHECK(!arena->exhausted, VT_EXHAUSTED, "the answer does not fit the call's memory");
    VT_TRY(check(&reader));
    record.customer.attributes = attributes.items;
    record.customer.n_attributes = attributes.n;
    *ret_record = record;
    return vt_ok();
}

/* ---- items ---- */

enum {
    ITEM_ID = 1,
    ITEM_TITLE,
    ITEM_BRAND,
    ITEM_CURRENCY,
    ITEM_IMAGE_URI,
    ITEM_URI,
    ITEM_CATEGORY,
    ITEM_PRICE,
    ITEM_COST,
    ITEM_STOCK,
    ITEM_FROM,
    ITEM_UNTIL,
    ITEM_CREATED,
    ITEM_ATTRIBUTE
};

void vt__item_encode(enum vt__item_state state, const struct vt_item *item,
                     struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_u8(buffer, state);
    put_text_field(buffer, ITEM_ID, item->id);
    if (state != VT__ITEM_DESCRIBED)
        return;
    put_text_field(buffer, ITEM_TITLE, item->title);
    put_text_field(buffer, ITEM_BRAND, item->brand);
    put_text_field(buffer, ITEM_CURRENCY, item->currency_code);
    put_text_field(buffer, ITEM_IMAGE_URI, item->image_uri);
    put_text_field(buffer, ITEM_URI, item->uri);
    for (uint32_t i = 0; i < item->n_categories; i++)
        put_text_field(buffer, ITEM_CATEGORY, item->categories[i]);
    put_f64_field(buffer, ITEM_PRICE, item->price);
    put_f64_field(buffer, ITEM_COST, item->cost);
    put_i64_field(buffer, ITEM_STOCK, item->stock);
    put_i64_field(buffer, ITEM_FROM, item->available_from_ms);
    put_i64_field(buffer, ITEM_UNTIL, item->available_until_ms);
    put_i64_field(buffer, ITEM_CREATED, item->create_time_ms);
    put_attributes(buffer, ITEM_ATTRIBUTE, item->attributes, item->n_attributes);
}

static struct vt_slice *item_text_field(struct vt_item *item, unsigned tag)
{
    switch (tag) {
    case ITEM_ID:
        return &item->id;
    case ITEM_TITLE:
        return &item->title;
    case ITEM_BRAND:
        return &item->brand;
    case ITEM_CURRENCY:
        return &item->currency_code;
    case ITEM_IMAGE_URI:
        return &item->image_uri;
    case ITEM_URI:
        return &item->uri;
    case ITEM_CATEGORY:
        return item->n_categories < VT_ITEM_CATEGORIES_MAX ? &item->categories[item->n_categories++]
                                                           : NULL;
    default:
        return NULL;
    }
}

static int64_t *item_i64_field(struct vt_item *item, unsigned tag)
{
    switch (tag) {
    case ITEM_STOCK:
        return &item->stock;
    case ITEM_FROM:
        return &item->available_from_ms;
    case ITEM_UNTIL:
        return &item->available_until_ms;
    case ITEM_CREATED:
        return &item->create_time_ms;
    default:
        return NULL;
    }
}

static void read_item_field(const struct field *field, struct vt_item *item,
                            struct vt__reader *reader)
{
    struct vt_slice *text = item_text_field(item, field->tag);
    int64_t *number = item_i64_field(item, field->tag);
    if (text != NULL)
        *text = field->bytes;
    else if (number != NULL)
        *number = field_i64(field, reader);
    else if (field->tag == ITEM_PRICE)
        item->price = field_f64(field, reader);
    else if (field->tag == ITEM_COST)
        item->cost = field_f64(field, reader);
}

struct vt_err vt__item_decode(struct vt_slice bytes, struct vt_arena *arena,
                              enum vt__item_state *ret_state, struct vt_item *ret_item)
{
    VT_TRY(copy_record(bytes, arena, &bytes));
    struct vt__reader reader = open_record(bytes);
    unsigned state = vt__get_u8(&reader);
    struct vt_item item = {0};
    struct attribute_list attributes = {0};
    struct field field;
    while (next_field(&reader, &field)) {
        if (field.tag == ITEM_ATTRIBUTE)
            add_attribute(&attributes, &field, arena, &reader);
        else
            read_item_field(&field, &item, &reader);
    }
    VT_CHECK(!arena->exhausted, VT_EXHAUSTED, "the answer does not fit the call's memory");
    VT_TRY(check(&reader));
    VT_CHECK(state >= VT__ITEM_MENTIONED && state <= VT__ITEM_DELETED, VT_CORRUPT,
             "an item of the store is in no known state");
    item.attributes = attributes.items;
    item.n_attributes = attributes.n;
    *ret_state = (enum vt__item_state)state;
    *ret_item = item;
    return vt_ok();
}

/* ---- values that merge ---- */

static bool give(struct vt__buffer *buffer, char **ret_value, size_t *ret_len)
{
    if (buffer->failed) {
        vt__buffer_fini(buffer);
        return false;
    }
    *ret_value = (char *)buffer->data;
    *ret_len = buffer->len;
    return true;
}

void vt__counter_encode(int64_t sum, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_zigzag(buffer, sum);
}

struct vt_err vt__counter_decode(struct vt_slice bytes, int64_t *ret_sum)
{
    struct vt__reader reader = open_record(bytes);
    int64_t sum = vt__get_zigzag(&reader);
    VT_TRY(check(&reader));
    *ret_sum = sum;
    return vt_ok();
}

bool vt__counter_fold(const void *state, const struct vt_slice *values, size_t n_values,
                      char **ret_value, size_t *ret_len)
{
    (void)state;
    uint64_t total = 0; /* unsigned: wrapping is associative, saturation is not */
    for (size_t i = 0; i < n_values; i++) {
        int64_t sum = 0;
        if (vt_failed(vt__counter_decode(values[i], &sum)))
            return false;
        total += (uint64_t)sum;
    }
    struct vt__buffer buffer = {0};
    vt__counter_encode((int64_t)total, &buffer);
    return give(&buffer, ret_value, ret_len);
}

void vt__block_list_encode(uint64_t first_sequence, struct vt__buffer *buffer)
{
    vt__number_encode(first_sequence, buffer);
}

bool vt__block_list_next(struct vt_slice list, size_t *offset, uint64_t *ret_first_sequence)
{
    struct vt__reader reader = vt__reader(list);
    if (*offset == 0 && vt__get_u8(&reader) != VT__RECORD_FORMAT)
        return false;
    if (*offset != 0)
        (void)vt__get_bytes(&reader, *offset);
    bool more = !reader.failed && reader.at != reader.end;
    uint64_t first = more ? vt__get_varint(&reader) : 0;
    if (!reader.failed)
        *offset = list.len - (size_t)(reader.end - reader.at);
    *ret_first_sequence = first;
    return more && !reader.failed;
}

bool vt__block_list_fold(const void *state, const struct vt_slice *values, size_t n_values,
                         char **ret_value, size_t *ret_len)
{
    (void)state;
    struct vt__buffer buffer = {0};
    vt__put_u8(&buffer, VT__RECORD_FORMAT);
    for (size_t i = 0; i < n_values; i++) {
        if (values[i].len == 0 || values[i].data[0] != VT__RECORD_FORMAT) {
            vt__buffer_fini(&buffer);
            return false;
        }
        vt__put_bytes(&buffer, values[i].data + 1, values[i].len - 1);
    }
    return give(&buffer, ret_value, ret_len);
}
