"""The contract as an OpenAPI 3 document: paths from the http annotations, schemas from the messages.

Made from the same descriptors that the gateway transcodes by, so both always say the same. JSON
names, 64-bit integers as strings, enums by name: protobuf's JSON mapping.
"""

import json
import re

from examples import BODIES, PARAMETERS

SCALARS = {
    1: {"type": "number", "format": "double"}, 2: {"type": "number", "format": "float"},
    3: {"type": "string", "format": "int64"}, 4: {"type": "string", "format": "uint64"},
    5: {"type": "integer", "format": "int32"}, 6: {"type": "string", "format": "uint64"},
    7: {"type": "integer", "format": "int64"}, 8: {"type": "boolean"}, 9: {"type": "string"},
    12: {"type": "string", "format": "byte"}, 13: {"type": "integer", "format": "int64"},
    15: {"type": "integer", "format": "int32"}, 16: {"type": "string", "format": "int64"},
    17: {"type": "integer", "format": "int32"}, 18: {"type": "string", "format": "int64"},
}
WELL_KNOWN = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "example": "1.5s"},
    "google.protobuf.FieldMask": {"type": "string", "example": "price,stock"},
}
MESSAGE, ENUM, REPEATED = 11, 14, 3
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "example": "INVALID_ARGUMENT"},
        "message": {"type": "string", "example": "n: must be 1 to 200, is 0"},
        "field": {"type": "string", "example": "n"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}
MEANINGS = {"400": "the request is wrong: `field` says where", "401": "no key, or one nobody has",
            "403": "the key's role may not do this", "404": "unknown path or thing",
            "413": "the body is too large",
            "429": "too many calls: come back after `retry-after`",
            "503": "a service is away or full", "504": "the deadline passed"}


class Schemas:
    """Messages and enums by full name; those that are asked for become components."""

    def __init__(self, files):
        self.known, self.made = {}, {}
        for file in files.file:
            comments = {tuple(place.path): (place.leading_comments or place.trailing_comments)
                        for place in file.source_code_info.location}
            for i, message in enumerate(file.message_type):
                self.collect(message, f"{file.package}.{message.name}", (4, i), comments)
            for i, enum in enumerate(file.enum_type):
                self.known[f"{file.package}.{enum.name}"] = (enum, (5, i), comments)

    def collect(self, message, name, path, comments):
        self.known[name] = (message, path, comments)
        for i, nested in enumerate(message.nested_type):
            self.collect(nested, f"{name}.{nested.name}", path + (3, i), comments)
        for i, enum in enumerate(message.enum_type):
            self.known[f"{name}.{enum.name}"] = (enum, path + (4, i), comments)

    def reference(self, name):
        if name in WELL_KNOWN:
            return dict(WELL_KNOWN[name])
        short = name.rsplit(".", 1)[1]
        if short not in self.made:
            self.made[short] = {}  # it may ask for itself
            self.made[short] = self.make(name)
        return {"$ref": f"#/components/schemas/{short}"}

    def make(self, name):
        thing, path, comments = self.known[name]
        said = {"description": tidy(comments.get(path, ""))} if comments.get(path) else {}
        if hasattr(thing, "value"):
            return {**said, "type": "string", "enum": [value.name for value in thing.value]}
        return {**said, "type": "object", "properties": {
            field.json_name: self.field(field, comments.get(path + (2, i), ""))
            for i, field in enumerate(thing.field)}}

    def field(self, field, comment):
        schema = self.single(field)
        if field.label == REPEATED:
            entry = self.map_entry(field)
            schema = {"type": "object", "additionalProperties": self.single(entry)} if entry \
                else {"type": "array", "items": schema}
        if not comment:
            return schema
        described = {"allOf": [schema]} if "$ref" in schema else schema
        return {**described, "description": tidy(comment)}

    def map_entry(self, field):
        if field.type != MESSAGE:
            return None
        message = self.known.get(field.type_name[1:], (None,))[0]
        is_map = message is not None and message.options.map_entry
        return message.field[1] if is_map else None

    def single(self, field):
        return self.reference(field.type_name[1:]) if field.type in (MESSAGE, ENUM) \
            else dict(SCALARS[field.type])

    def fields(self, name):
        thing, path, comments = self.known[name]
        return [(field, comments.get(path + (2, i), "")) for i, field in enumerate(thing.field)]


def tidy(comment):
    return re.sub(r"\s+", " ", comment).strip()


def operation(method, schemas):
    said = tidy(method.comment)
    service = method.service.rsplit(".", 1)[1]
    made = {"operationId": f"{service}_{method.name}", "tags": [service],
            "summary": said.split(". ")[0].rstrip("."), "description": said,
            "responses": responses(method, schemas)}
    if method.body:
        made["requestBody"] = {"required": True, "content": {
            "application/json": {"schema": schemas.reference(method.request),
                                 "example": BODIES.get(method.name, {})}}}
    else:
        made["parameters"] = parameters(method, schemas)
    return made


def parameters(method, schemas):
    """Fields of a request without body: those of the path, and the plain ones as the query."""
    made = []
    for field, comment in schemas.fields(method.request):
        in_path = f"{{{field.name}}}" in method.path
        if not in_path and field.type == MESSAGE:
            continue
        made.append({"name": field.name if in_path else field.json_name,
                     "in": "path" if in_path else "query", "required": in_path,
                     "schema": schemas.field(field, ""),
                     **({"example": PARAMETERS[field.name]} if field.name in PARAMETERS else {}),
                     **({"description": tidy(comment)} if comment else {})})
    return made


def responses(method, schemas):
    described = "one message a line, as they come" if method.is_stream else "the answer"
    made = {"200": {"description": described, "content": {
        "application/json": {"schema": schemas.reference(method.response)}}}}
    for status, meaning in MEANINGS.items():
        made[status] = {"description": meaning, "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return made


def document(contract):
    """The document as JSON text; equal contracts, equal bytes."""
    schemas = Schemas(contract.files)
    paths = {}
    for method in contract.methods:
        if method.path:
            paths.setdefault(method.path, {})[method.verb] = operation(method, schemas)
    return json.dumps({
        "openapi": "3.0.3",
        "info": {"title": "Vitrine", "version": "v1",
                 "description": "Ranked, explained products for storefronts. Every call is gRPC "
                                "too, with the same fields."},
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Error": ERROR, **dict(sorted(schemas.made.items()))},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }, indent=1) + "\n"
