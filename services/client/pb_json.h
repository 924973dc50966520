#ifndef VT_CLIENT_PB_JSON_H
#define VT_CLIENT_PB_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/*
 * A message in protobuf's JSON mapping (proto3): lowerCamelCase names, enums by name, 64-bit
 * integers as texts, Timestamp as RFC 3339, maps as objects. Fields with default values are
 * printed too, except absent messages and members of a oneof. New reference; NULL when out of
 * memory. Knows the message kinds of vitrine/v1, not Any, Duration or wrappers.
 */
json_t *vt__pb_to_json(const ProtobufCMessage *message);

#endif
