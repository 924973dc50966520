/*
 * Walks protobuf-c's descriptors, so that every message of the contract prints without code of its
 * own. protobuf-c keeps a repeated field as a count and an array, a singular message as a pointer,
 * everything else in place.
 */
#include "services/client/pb_json.h"

#include <ctype.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES = 128 };

/* update_mask → updateMask */
static void camel_case(const char *name, char ret_name[NAME_BYTES])
{
    size_t out = 0;
    bool raise = false;
    for (const char *at = name; *at != '\0' && out + 1 < NAME_BYTES; at++) {
        if (*at == '_') {
            raise = true;
            continue;
        }
        ret_name[out++] = raise ? (char)toupper((unsigned char)*at) : *at;
        raise = false;
    }
    ret_name[out] = '\0';
}

static json_t *timestamp_json(const Google__Protobuf__Timestamp *stamp)
{
    time_t seconds = (time_t)stamp->seconds;
    struct tm date;
    char text[64];
    if (gmtime_r(&seconds, &date) == NULL)
        return json_null();
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &date);
    if (stamp->nanos % 1000000 == 0 && stamp->nanos != 0)
        len += (size_t)snprintf(text + len, sizeof text - len, ".%03d", stamp->nanos / 1000000);
    else if (stamp->nanos != 0)
        len += (size_t)snprintf(text + len, sizeof text - len, ".%09d", stamp->nanos);
    snprintf(text + len, sizeof text - len, "Z");
    return json_string(text);
}

static json_t *field_mask_json(const Google__Protobuf__FieldMask *mask)
{
    char text[4096] = "";
    for (size_t i = 0; i < mask->n_paths; i++) {
        char name[NAME_BYTES];
        camel_case(mask->paths[i], name);
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", i == 0 ? "" : ",", name);
    }
    return json_string(text);
}

static json_t *real_json(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

static json_t *integer_text(const char *format, uint64_t bits)
{
    char text[32];
    snprintf(text, sizeof text, format, bits);
    return json_string(text);
}

static json_t *enum_json(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    return known != NULL ? json_string(known->name) : json_integer(value);
}

static json_t *message_json(const ProtobufCMessage *message)
{
    if (message->descriptor == &google__protobuf__timestamp__descriptor)
        return timestamp_json((const Google__Protobuf__Timestamp *)message);
    if (message->descriptor == &google__protobuf__field_mask__descriptor)
        return field_mask_json((const Google__Protobuf__FieldMask *)message);
    return vt__pb_to_json(message);
}

/* One value at `at`, which is an element of an array or the field itself. The contract has no
 * `bytes` fields; one would print as null. */
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return integer_text("%" PRId64, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return integer_text("%" PRIu64, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return real_json((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return real_json(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_json(*(ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        break;
    }
    return json_null();
}

static size_t element_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* A map<string, …> is compiled to a repeated message Name.XEntry {key = 1, value = 2}. */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t len = strlen(entry->short_name);
    return len > 5 && strcmp(entry->short_name + len - 5, "Entry") == 0 && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0;
}

static json_t *map_json(const void *elements, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++) {
        const ProtobufCMessage *entry = ((ProtobufCMessage *const *)elements)[i];
        const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
        const char *key = *(char *const *)((const char *)entry + fields[0].offset);
        json_object_set_new(object, key,
                            value_json(&fields[1], (const char *)entry + fields[1].offset));
    }
    return object;
}

static json_t *repeated_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t n = *(const size_t *)((const char *)message + field->quantifier_offset);
    const char *elements = *(char *const *)((const char *)message + field->offset);
    if (is_map(field))
        return map_json(elements, n);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, value_json(field, elements + i * element_bytes(field)));
    return array;
}

/* Absent: a message that is not there, or a member of a oneof that is not the chosen one. */
static bool is_absent(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *at = (const char *)message + field->offset;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)((const char *)message + field->quantifier_offset) != field->id;
    return field->type == PROTOBUF_C_TYPE_MESSAGE && *(void *const *)at == NULL;
}

static void put_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                      json_t *object)
{
    char name[NAME_BYTES];
    camel_case(field->name, name);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        json_object_set_new(object, name, repeated_json(message, field));
    else if (!is_absent(message, field))
        json_object_set_new(object, name, value_json(field, (const char *)message + field->offset));
}

/* Fields in the order of their numbers. protobuf-c sorts its table by number already. */
json_t *vt__pb_to_json(const ProtobufCMessage *message)
{
    json_t *object = json_object();
    for (unsigned i = 0; object != NULL && i < message->descriptor->n_fields; i++)
        put_field(message, &message->descriptor->fields[i], object);
    return object;
}
