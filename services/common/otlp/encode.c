/*
 * The messages of one batch, built in the exporter's arena and packed there. Which attributes a
 * span has and when its status is an error follows OpenTelemetry's semantic conventions for RPC: a
 * server's span fails when the fault is the server's, a client's whenever the call failed. All
 * names are literals of ours: nothing of a request is ever told.
 */
#include "services/common/otlp/encode.h"

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "services/common/pb/pb.h"
#include "services/common/rpc/status.h"

#include <string.h>

#define SPAN_INIT OPENTELEMETRY__PROTO__TRACE__V1__SPAN__INIT
#define EVENT_INIT OPENTELEMETRY__PROTO__TRACE__V1__SPAN__EVENT__INIT
#define STATUS_INIT OPENTELEMETRY__PROTO__TRACE__V1__STATUS__INIT
#define KIND(name_) OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_##name_

enum { TRACE_BYTES = 16, SPAN_BYTES = 8, ATTRIBUTES = 4, RESOURCE_ATTRIBUTES = 3 };

/* One batch under construction. */
struct encoding {
    struct vt_arena *arena;
    int64_t offset_ns;
    Opentelemetry__Proto__Trace__V1__Span **spans;
    size_t n_spans;
};

/* ---- attributes ---- */

static Opentelemetry__Proto__Common__V1__KeyValue *attribute(struct vt_arena *arena,
                                                             const char *key)
{
    struct {
        Opentelemetry__Proto__Common__V1__KeyValue pair;
        Opentelemetry__Proto__Common__V1__AnyValue value;
    } *both = vt_arena_alloc(arena, sizeof *both);
    if (both == NULL)
        return NULL;
    both->value = (Opentelemetry__Proto__Common__V1__AnyValue)
        OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__INIT;
    both->pair = (Opentelemetry__Proto__Common__V1__KeyValue)
        OPENTELEMETRY__PROTO__COMMON__V1__KEY_VALUE__INIT;
    both->pair.key = (char *)(uintptr_t)key;
    both->pair.value = &both->value;
    return &both->pair;
}

static struct vt_err add_text(struct vt_arena *arena, const char *key, const char *text,
                              Opentelemetry__Proto__Common__V1__KeyValue ***next)
{
    Opentelemetry__Proto__Common__V1__KeyValue *pair = attribute(arena, key);
    VT_CHECK(pair != NULL && text != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    pair->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
    pair->value->string_value = (char *)(uintptr_t)text;
    *(*next)++ = pair;
    return vt_ok();
}

static struct vt_err add_number(struct vt_arena *arena, const char *key, int64_t number,
                                Opentelemetry__Proto__Common__V1__KeyValue ***next)
{
    Opentelemetry__Proto__Common__V1__KeyValue *pair = attribute(arena, key);
    VT_CHECK(pair != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    pair->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
    pair->value->int_value = number;
    *(*next)++ = pair;
    return vt_ok();
}

/* "/package.Service/Method" is service and method. */
static struct vt_err add_attributes(struct vt_arena *arena, const struct vt_span *record,
                                    Opentelemetry__Proto__Trace__V1__Span *span)
{
    const char *method = strrchr(record->path, '/') + 1;
    struct vt_slice service =
        vt_arena_copy(arena, vt_slice(record->path + 1, (size_t)(method - record->path) - 2));
    span->attributes = vt_arena_array(arena, ATTRIBUTES, sizeof *span->attributes);
    VT_CHECK(span->attributes != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    Opentelemetry__Proto__Common__V1__KeyValue **next = span->attributes;
    VT_TRY(add_text(arena, "rpc.system", "grpc", &next));
    VT_TRY(add_text(arena, "rpc.service", service.data, &next));
    VT_TRY(add_text(arena, "rpc.method", method, &next));
    VT_TRY(add_number(arena, "rpc.grpc.status_code", vt_rpc_status_from_code(record->code), &next));
    span->n_attributes = ATTRIBUTES;
    return vt_ok();
}

/* ---- spans ---- */

static struct vt_err set_id(struct vt_arena *arena, const uint64_t *words, size_t n_bytes,
                            ProtobufCBinaryData *ret_id)
{
    unsigned char *bytes = vt_arena_alloc(arena, n_bytes);
    VT_CHECK(bytes != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(words[i / 8] >> (56 - i % 8 * 8));
    *ret_id = (ProtobufCBinaryData){.len = n_bytes, .data = bytes};
    return vt_ok();
}

static struct vt_err begin_span(struct encoding *encoding, const struct vt_span *of, uint64_t id,
                                uint64_t parent, Opentelemetry__Proto__Trace__V1__Span **ret_span)
{
    const uint64_t trace[2] = {of->trace_high, of->trace_low};
    Opentelemetry__Proto__Trace__V1__Span *span = vt_arena_alloc(encoding->arena, sizeof *span);
    VT_CHECK(span != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    *span = (Opentelemetry__Proto__Trace__V1__Span)SPAN_INIT;
    VT_TRY(set_id(encoding->arena, trace, TRACE_BYTES, &span->trace_id));
    VT_TRY(set_id(encoding->arena, &id, SPAN_BYTES, &span->span_id));
    if (parent != 0)
        VT_TRY(set_id(encoding->arena, &parent, SPAN_BYTES, &span->parent_span_id));
    encoding->spans[encoding->n_spans++] = span;
    *ret_span = span;
    return vt_ok();
}

static void set_times(const struct encoding *encoding, int64_t begin_ns, int64_t end_ns,
                      Opentelemetry__Proto__Trace__V1__Span *span)
{
    span->start_time_unix_nano = (uint64_t)(begin_ns + encoding->offset_ns);
    span->end_time_unix_nano = (uint64_t)(end_ns + encoding->offset_ns);
}

static bool is_error(const struct vt_span *record)
{
    switch (record->code) {
    case VT_OK:
        return false;
    case VT_DEADLINE:
    case VT_UNAVAILABLE:
    case VT_CORRUPT:
    case VT_INTERNAL:
    case VT_UNIMPLEMENTED:
        return true;
    default:
        return record->kind == VT_SPAN_CLIENT;
    }
}

static struct vt_err add_status(struct vt_arena *arena, Opentelemetry__Proto__Trace__V1__Span *span)
{
    Opentelemetry__Proto__Trace__V1__Status *status = vt_arena_alloc(arena, sizeof *status);
    VT_CHECK(status != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    *status = (Opentelemetry__Proto__Trace__V1__Status)STATUS_INIT;
    status->code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
    span->status = status;
    return vt_ok();
}

static struct vt_err add_event(struct encoding *encoding, const struct vt_span_step *step,
                               Opentelemetry__Proto__Trace__V1__Span *span)
{
    Opentelemetry__Proto__Trace__V1__Span__Event *event =
        vt_arena_alloc(encoding->arena, sizeof *event);
    VT_CHECK(event != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    *event = (Opentelemetry__Proto__Trace__V1__Span__Event)EVENT_INIT;
    event->name = (char *)(uintptr_t)step->name;
    event->time_unix_nano = (uint64_t)(step->begin_ns + encoding->offset_ns);
    span->events[span->n_events++] = event;
    return vt_ok();
}

static struct vt_err add_step(struct encoding *encoding, struct vt_span *record,
                              const struct vt_span_step *step,
                              Opentelemetry__Proto__Trace__V1__Span *parent)
{
    Opentelemetry__Proto__Trace__V1__Span *span;
    if (step->end_ns == 0)
        return add_event(encoding, step, parent);
    VT_TRY(begin_span(encoding, record, vt_span_child_id(record), record->id, &span));
    span->name = (char *)(uintptr_t)step->name;
    span->kind = KIND(INTERNAL);
    set_times(encoding, step->begin_ns, step->end_ns, span);
    return vt_ok();
}

static struct vt_err add_record(struct encoding *encoding, struct vt_span *record)
{
    Opentelemetry__Proto__Trace__V1__Span *span;
    VT_TRY(begin_span(encoding, record, record->id, record->parent, &span));
    span->name = (char *)(uintptr_t)(record->path + 1);
    span->kind = record->kind == VT_SPAN_SERVER ? KIND(SERVER) : KIND(CLIENT);
    set_times(encoding, record->begin_ns, record->end_ns, span);
    VT_TRY(add_attributes(encoding->arena, record, span));
    if (is_error(record))
        VT_TRY(add_status(encoding->arena, span));
    span->events = vt_arena_array(encoding->arena, record->n_steps + 1, sizeof *span->events);
    VT_CHECK(span->events != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    for (uint32_t s = 0; s < record->n_steps; s++)
        VT_TRY(add_step(encoding, record, &record->steps[s], span));
    return vt_ok();
}

/* ---- the batch ---- */

static struct vt_err add_resource(const struct vt_otlp_resource *from, struct vt_arena *arena,
                                  Opentelemetry__Proto__Resource__V1__Resource *resource)
{
    resource->attributes = vt_arena_array(arena, RESOURCE_ATTRIBUTES, sizeof *resource->attributes);
    VT_CHECK(resource->attributes != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    Opentelemetry__Proto__Common__V1__KeyValue **next = resource->attributes;
    VT_TRY(add_text(arena, "service.name", from->service_name, &next));
    VT_TRY(add_text(arena, "service.instance.id", from->instance_id, &next));
    VT_TRY(add_text(arena, "service.version", from->version, &next));
    resource->n_attributes = RESOURCE_ATTRIBUTES;
    return vt_ok();
}

static struct vt_err pack(const struct vt_otlp_resource *from, const struct encoding *encoding,
                          struct vt_slice *ret_bytes)
{
    Opentelemetry__Proto__Resource__V1__Resource resource =
        OPENTELEMETRY__PROTO__RESOURCE__V1__RESOURCE__INIT;
    Opentelemetry__Proto__Common__V1__InstrumentationScope scope =
        OPENTELEMETRY__PROTO__COMMON__V1__INSTRUMENTATION_SCOPE__INIT;
    Opentelemetry__Proto__Trace__V1__ScopeSpans in_scope =
        OPENTELEMETRY__PROTO__TRACE__V1__SCOPE_SPANS__INIT;
    Opentelemetry__Proto__Trace__V1__ResourceSpans of_resource =
        OPENTELEMETRY__PROTO__TRACE__V1__RESOURCE_SPANS__INIT;
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_REQUEST__INIT;
    VT_TRY(add_resource(from, encoding->arena, &resource));
    scope.name = (char *)(uintptr_t) "vitrine";
    scope.version = (char *)(uintptr_t)from->version;
    in_scope.scope = &scope;
    in_scope.spans = encoding->spans;
    in_scope.n_spans = encoding->n_spans;
    of_resource.resource = &resource;
    of_resource.scope_spans = (Opentelemetry__Proto__Trace__V1__ScopeSpans *[]){&in_scope};
    of_resource.n_scope_spans = 1;
    request.resource_spans = (Opentelemetry__Proto__Trace__V1__ResourceSpans *[]){&of_resource};
    request.n_resource_spans = 1;
    return vt_pb_encode(&request.base, encoding->arena, ret_bytes);
}

struct vt_err vt_otlp_encode(const struct vt_otlp_resource *resource, struct vt_span *records,
                             size_t n_records, int64_t offset_ns, struct vt_arena *arena,
                             struct vt_otlp_batch *ret_batch)
{
    struct encoding encoding = {
        .arena = arena,
        .offset_ns = offset_ns,
        .spans = vt_arena_array(arena, n_records * (1 + VT_SPAN_STEPS_MAX),
                                sizeof(Opentelemetry__Proto__Trace__V1__Span *)),
    };
    VT_CHECK(encoding.spans != NULL, VT_EXHAUSTED, "a batch of spans is too large");
    for (size_t i = 0; i < n_records; i++)
        VT_TRY(add_record(&encoding, &records[i]));
    struct vt_slice bytes;
    VT_TRY(pack(resource, &encoding, &bytes));
    *ret_batch = (struct vt_otlp_batch){.bytes = bytes, .n_spans = encoding.n_spans};
    return vt_ok();
}

uint64_t vt_otlp_refused(struct vt_slice response, struct vt_arena *arena)
{
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse *message;
    struct vt_err err = vt_pb_decode(
        &opentelemetry__proto__collector__trace__v1__export_trace_service_response__descriptor,
        response, arena, NULL, &message);
    if (vt_failed(err) || message->partial_success == NULL)
        return 0;
    int64_t rejected = message->partial_success->rejected_spans;
    return rejected > 0 ? (uint64_t)rejected : 0;
}
