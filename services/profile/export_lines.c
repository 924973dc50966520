/*
 * What an export says of each thing. jansson quotes the texts, which are the storefront's own; what
 * it could not write as JSON was damaged, for everything is checked on its way in.
 */
#include "services/profile/export_lines.h"

#include "services/common/base/time_text.h"

#include <float.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPORT_VERSION = 1, AMOUNT_DIGITS = 15 }; /* 19.99 stays 19.99 */

static void put(json_t *line, const char *name, json_t *value)
{
    if (json_object_set_new(line, name, value) != 0) /* NULL: no memory, or not UTF-8 */
        json_object_clear(line);
}

static void put_text(json_t *line, const char *name, struct vt_slice text)
{
    if (text.len != 0)
        put(line, name, json_stringn(text.data, text.len));
}

static void put_time(json_t *line, const char *name, int64_t time_ms)
{
    char text[VT_TIME_TEXT_BYTES];
    vt_time_print_ms(time_ms, text);
    if (time_ms != 0)
        put(line, name, json_string(text));
}

static void put_amount(json_t *line, const char *name, double amount)
{
    if (amount != 0)
        put(line, name, json_real(amount));
}

/* As many digits as a float has: 4.3 and not 4.30000019. */
static void put_value(json_t *line, const char *name, float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.*g", FLT_DIG, (double)value);
    put_amount(line, name, strtod(text, NULL));
}

static void put_number(json_t *line, const char *name, uint64_t number)
{
    put(line, name, json_integer((json_int_t)number));
}

/* Names of enums; a value of a later version is told as its number. */
static void put_name(json_t *line, const char *field, const char *name, unsigned value)
{
    put(line, field, name != NULL ? json_string(name) : json_integer(value));
}

static json_t *begin(const char *record)
{
    json_t *line = json_object();
    if (line != NULL)
        put(line, "record", json_string(record));
    return line;
}

static int append(const char *bytes, size_t len, void *ctx)
{
    vt__put_bytes(ctx, bytes, len);
    return 0;
}

/* Writes and frees the line. One that lost its first field could not be made. */
static struct vt_err finish(json_t *line, struct vt__buffer *lines)
{
    bool whole = line != NULL && json_object_get(line, "record") != NULL;
    if (whole)
        json_dump_callback(line, append, lines, JSON_COMPACT | JSON_REAL_PRECISION(AMOUNT_DIGITS));
    json_decref(line);
    VT_CHECK(whole, VT_CORRUPT, "a text of the store is not UTF-8, or memory is short");
    vt__put_u8(lines, '\n');
    VT_CHECK(!lines->failed, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

struct vt_err vt__line_of_head(const struct vt__line_head *head, struct vt__buffer *lines)
{
    json_t *line = begin("export");
    put_number(line, "version", EXPORT_VERSION);
    put_time(line, "time", head->time_ms);
    put_number(line, "customer_number", head->customer);
    put_text(line, "store_id", vt_slice_str(head->store_id));
    put_text(line, "receipt", vt_slice_str(head->receipt));
    return finish(line, lines);
}

/* A list, for a storefront may send a key twice. NULL when one could not be made. */
static json_t *attributes_of(const struct vt_customer *customer)
{
    json_t *list = json_array();
    bool whole = list != NULL;
    for (uint32_t i = 0; i < customer->n_attributes && whole; i++) {
        const struct vt_attribute *attribute = &customer->attributes[i];
        json_t *entry = json_object();
        put(entry, "key", json_stringn(attribute->key.data, attribute->key.len));
        put(entry, "value", json_stringn(attribute->value.data, attribute->value.len));
        whole = json_object_size(entry) == 2;
        whole = json_array_append_new(list, entry) == 0 && whole;
    }
    if (whole)
        return list;
    json_decref(list);
    return NULL;
}

struct vt_err vt__line_of_customer(uint64_t number, const struct vt__customer_record *record,
                                   struct vt__buffer *lines)
{
    static const char *const consents[] = {"unspecified", "granted", "denied"};
    const struct vt_customer *customer = &record->customer;
    unsigned consent = (unsigned)customer->consent;
    json_t *line = begin("customer");
    put_number(line, "customer_number", number);
    put_name(line, "type", vt_identity_type_name(record->type), record->type);
    put_text(line, "id", customer->id);
    put_name(line, "consent", consent < 3 ? consents[consent] : NULL, consent);
    put_time(line, "first_seen", customer->first_seen_ms);
    put_time(line, "last_seen", customer->last_seen_ms);
    if (customer->n_attributes != 0)
        put(line, "attributes", attributes_of(customer));
    return finish(line, lines);
}

struct vt_err vt__line_of_identity(const struct vt_identity *identity, int64_t linked_ms,
                                   struct vt__buffer *lines)
{
    json_t *line = begin("identity");
    put_name(line, "type", vt_identity_type_name(identity->type), identity->type);
    put_text(line, "id", identity->id);
    put_text(line, "channel", identity->channel);
    put_time(line, "linked", linked_ms);
    return finish(line, lines);
}

struct vt_err vt__line_of_merged(uint64_t number, int64_t merged_ms, struct vt__buffer *lines)
{
    json_t *line = begin("merged_customer");
    put_number(line, "customer_number", number);
    put_time(line, "merged", merged_ms);
    return finish(line, lines);
}

static void put_event(json_t *line, const struct vt_history_event *event,
                      const struct vt__line_names *names)
{
    put_time(line, "time", event->time_ms);
    put_name(line, "type", vt_event_type_name(event->type), event->type);
    put_text(line, "item_id", names->item_id);
    put_text(line, "channel", names->channel);
    put_value(line, "value", event->value);
}

struct vt_err vt__line_of_history(const char *record, const struct vt_history_event *event,
                                  const struct vt__line_names *names, struct vt__buffer *lines)
{
    json_t *line = begin(record);
    put_event(line, event, names);
    return finish(line, lines);
}

static const char *noise_name(unsigned noise)
{
    return noise == VT__NOISE_BOT ? "bot" : noise == VT__NOISE_CAP ? "cap" : NULL;
}

struct vt_err vt__line_of_event(uint64_t sequence, const struct vt__log_row *row,
                                const struct vt__line_names *names, struct vt__buffer *lines)
{
    json_t *line = begin("event");
    put_number(line, "sequence", sequence);
    put_number(line, "customer_number", row->customer);
    put_event(line, &row->event, names);
    put_amount(line, "quantity", row->quantity);
    put_amount(line, "revenue", row->revenue);
    put_amount(line, "cost", row->cost);
    if (row->currency[0] != '\0')
        put_text(line, "currency", vt_slice(row->currency, sizeof row->currency));
    put_text(line, "query", row->query);
    put_text(line, "attribution_token", row->token);
    if (row->noise != VT__NOISE_NONE)
        put_name(line, "noise", noise_name(row->noise), row->noise);
    return finish(line, lines);
}

struct vt_err vt__line_of_audit(const struct vt_audit_entry *entry, struct vt__buffer *lines)
{
    json_t *line = begin("audit");
    put_number(line, "number", entry->number);
    put_time(line, "time", entry->time_ms);
    put_text(line, "action", vt_slice_str(entry->action));
    put_text(line, "actor", vt_slice_str(entry->actor));
    put_number(line, "customer_number", entry->customer);
    put_text(line, "detail", vt_slice_str(entry->detail));
    return finish(line, lines);
}

struct vt_err vt__line_of_end(uint64_t n_lines, struct vt__buffer *lines)
{
    json_t *line = begin("end");
    put_number(line, "lines", n_lines);
    return finish(line, lines);
}
