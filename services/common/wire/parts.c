/*
 * Messages are built in the call's arena and serialised from there: two copies of each text, none
 * of them by malloc. A full arena is noticed once, at the end, by vt_wire_encode: in between a text
 * that found no room is "", which protobuf-c can walk; only lists must be checked where they are
 * made.
 */
#include "services/common/wire/parts.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "services/common/pb/pb.h"
#include "vitrine/v1/types.pb-c.h"

enum { NANOS_MAX = 999999999, NANOS_PER_MS = 1000000 };
/* 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, as timestamp.proto says. */
#define SECONDS_MIN INT64_C(-62135596800)
#define SECONDS_MAX INT64_C(253402300799)

struct vt_err vt_wire_full(void)
{
    return VT_ERR(VT_EXHAUSTED, "the answer does not fit a call's memory; ask for less at a time");
}

void *vt_wire_message(struct vt_arena *arena, const ProtobufCMessageDescriptor *type)
{
    void *message = vt_arena_alloc(arena, type->sizeof_message);
    if (message != NULL)
        protobuf_c_message_init(type, message);
    return message;
}

void *vt_wire_messages(struct vt_arena *arena, const ProtobufCMessageDescriptor *type, size_t n)
{
    void **pointers = vt_arena_array(arena, n, sizeof *pointers);
    char *messages = vt_arena_array(arena, n, type->sizeof_message);
    if (pointers == NULL || messages == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        pointers[i] = messages + i * type->sizeof_message;
        protobuf_c_message_init(type, pointers[i]);
    }
    return pointers;
}

char *vt_wire_text(struct vt_arena *arena, struct vt_slice text)
{
    if (text.len == 0)
        return (char *)protobuf_c_empty_string;
    struct vt_slice copy = vt_arena_copy(arena, text);
    return copy.data != NULL ? (char *)copy.data : (char *)protobuf_c_empty_string;
}

char **vt_wire_texts(struct vt_arena *arena, const struct vt_slice *texts, size_t n)
{
    char **copies = vt_arena_array(arena, n, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < n; i++)
        copies[i] = vt_wire_text(arena, texts[i]);
    return copies;
}

struct vt_err vt_wire_slices(struct vt_arena *arena, char *const *texts, size_t n,
                             const struct vt_slice **ret_slices)
{
    struct vt_slice *slices = vt_arena_array(arena, n, sizeof *slices);
    if (slices == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < n; i++)
        slices[i] = vt_slice_str(texts[i]);
    *ret_slices = slices;
    return vt_ok();
}

struct vt_err vt_wire_ids(struct vt_arena *arena, char *const *texts, size_t n, const char *list,
                          struct vt_diag *diag, const struct vt_slice **ret_ids)
{
    const struct vt_slice *ids = NULL;
    VT_TRY(vt_wire_slices(arena, texts, n, &ids));
    for (size_t i = 0; i < n; i++)
        VT_TRY(vt_check_id(ids[i], VT_FIELD_AT(list, i, NULL), diag));
    *ret_ids = ids;
    return vt_ok();
}

struct vt_err vt_wire_encode(const ProtobufCMessage *message, struct vt_arena *arena,
                             struct vt_slice *ret_body)
{
    if (message == NULL || arena->exhausted)
        return vt_wire_full();
    return vt_pb_encode(message, arena, ret_body);
}

struct Google__Protobuf__Timestamp *vt_wire_time_encode(struct vt_arena *arena, int64_t time_ms)
{
    if (time_ms == 0)
        return NULL;
    Google__Protobuf__Timestamp *time =
        vt_wire_message(arena, &google__protobuf__timestamp__descriptor);
    if (time == NULL)
        return NULL;
    int64_t ms = (time_ms % 1000 + 1000) % 1000; /* nanos count forward, before 1970 too */
    time->seconds = (time_ms - ms) / 1000;
    time->nanos = (int32_t)ms * NANOS_PER_MS;
    return time;
}

struct vt_err vt_wire_time_decode(const struct Google__Protobuf__Timestamp *time,
                                  struct vt_field field, struct vt_diag *diag, int64_t *ret_time_ms)
{
    int64_t time_ms = 0;
    if (time != NULL) {
        if (time->nanos < 0 || time->nanos > NANOS_MAX)
            return vt_check_failed(field, diag, "nanos %d, must be 0 to %d", time->nanos,
                                   NANOS_MAX);
        if (time->seconds < SECONDS_MIN || time->seconds > SECONDS_MAX)
            return vt_check_failed(field, diag,
                                   "%lld seconds, must be within years 1 to 9999 (Unix seconds, "
                                   "not milliseconds)",
                                   (long long)time->seconds);
        time_ms = time->seconds * 1000 + time->nanos / NANOS_PER_MS;
    }
    *ret_time_ms = time_ms;
    return vt_ok();
}

struct vt_err vt_wire_history_encode(struct vt_arena *arena, const struct vt_history_event *events,
                                     uint32_t n, Vitrine__V1__HistoryEvent ***ret_messages)
{
    Vitrine__V1__HistoryEvent **messages =
        vt_wire_messages(arena, &vitrine__v1__history_event__descriptor, n);
    if (messages == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < n; i++) {
        messages[i]->item_number = events[i].item;
        messages[i]->type = (Vitrine__V1__EventType)events[i].type;
        messages[i]->time_ms = events[i].time_ms;
        messages[i]->value = events[i].value;
        messages[i]->channel_number = events[i].channel;
    }
    *ret_messages = messages;
    return vt_ok();
}

static struct vt_err check_history_event(const Vitrine__V1__HistoryEvent *message, const char *list,
                                         size_t i, struct vt_diag *diag)
{
    VT_TRY(vt_check_range(message->type, VT_EVENT_UNSPECIFIED + 1, VT_EVENT_TYPE_COUNT - 1,
                          VT_FIELD_AT(list, i, "type"), diag));
    VT_TRY(vt_check_range(message->channel_number, 0, UINT16_MAX,
                          VT_FIELD_AT(list, i, "channel_number"), diag));
    return vt_check_finite((double)message->value, VT_FIELD_AT(list, i, "value"), diag);
}

struct vt_err vt_wire_history_decode(struct vt_arena *arena,
                                     Vitrine__V1__HistoryEvent *const *messages, size_t n,
                                     const char *list, struct vt_diag *diag,
                                     const struct vt_history_event **ret_events)
{
    struct vt_history_event *events = vt_arena_array(arena, n, sizeof *events);
    if (events == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < n; i++) {
        VT_TRY(check_history_event(messages[i], list, i, diag));
        events[i] = (struct vt_history_event){
            .item = messages[i]->item_number,
            .type = (uint16_t)messages[i]->type,
            .channel = (uint16_t)messages[i]->channel_number,
            .value = messages[i]->value,
            .time_ms = messages[i]->time_ms,
        };
    }
    *ret_events = events;
    return vt_ok();
}

void vt_wire_outcome_fill(struct vt_arena *arena, const struct vt_outcome *outcome,
                          Vitrine__V1__Outcome *message)
{
    message->type = (Vitrine__V1__EventType)outcome->event.type;
    message->item_number = outcome->event.item;
    message->time = vt_wire_time_encode(arena, outcome->event.time_ms);
    message->quantity = outcome->quantity;
    message->revenue = outcome->revenue;
    message->currency_code = vt_wire_text(arena, vt_slice_str(outcome->currency));
}

struct vt_err vt_wire_scores_encode(struct vt_arena *arena, uint32_t sources, const double *scores,
                                    size_t *ret_n, Vitrine__V1__SourceScore ***ret_messages)
{
    size_t n = (size_t)__builtin_popcount(sources);
    Vitrine__V1__SourceScore **messages =
        vt_wire_messages(arena, &vitrine__v1__source_score__descriptor, n);
    if (messages == NULL)
        return vt_wire_full();
    size_t i = 0;
    for (unsigned source = 0; sources >> source != 0; source++) {
        if ((sources >> source & 1) == 0)
            continue;
        messages[i]->source = (Vitrine__V1__CandidateSource)source;
        messages[i++]->score = scores[source];
    }
    *ret_n = n;
    *ret_messages = messages;
    return vt_ok();
}

struct vt_err vt_wire_scores_decode(Vitrine__V1__SourceScore *const *messages, size_t n,
                                    unsigned n_sources, struct vt_field place, struct vt_diag *diag,
                                    uint32_t *ret_sources, double *ret_scores)
{
    uint32_t sources = 0;
    for (size_t i = 0; i < n; i++) {
        VT_TRY(vt_check_range(messages[i]->source, 1, (int64_t)n_sources - 1, place, diag));
        VT_TRY(vt_check_finite(messages[i]->score, place, diag));
        sources |= 1U << messages[i]->source;
        ret_scores[messages[i]->source] = messages[i]->score;
    }
    *ret_sources = sources;
    return vt_ok();
}
