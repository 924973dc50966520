/*
 * Events as protobuf. One bad event must not cost a batch of a thousand, so what concerns one event
 * becomes its result; only what concerns the batch fails the call. What an event must hold is
 * judged by the domain, for the importer too; here only what the domain's types cannot express.
 */
#include "services/profile/wire_event.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/identity.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/event.pb-c.h"

#include <inttypes.h>

static struct vt_err reject(struct vt_event_result *result, const char *field,
                            struct vt_arena *arena, const char *reason)
{
    result->outcome = VT_EVENT_REJECTED;
    result->field = field;
    result->reason = vt_arena_copy(arena, vt_slice_str(reason));
    return result->reason.data != NULL ? vt_ok() : vt_wire_full();
}

static struct vt_err judge(const Vitrine__V1__Event *message, struct vt_arena *arena,
                           struct vt_event_result *result, int64_t *ret_time_ms)
{
    if (message->time == NULL)
        return reject(result, "time", arena, "missing, must be 2000-01-01 or later");
    struct vt_diag diag = {0};
    if (vt_failed(vt_wire_time_decode(message->time, VT_FIELD("time"), &diag, ret_time_ms)))
        return reject(result, "time", arena, diag.text);
    if ((unsigned)message->type >= VT_EVENT_TYPE_COUNT)
        return reject(result, "type", arena, "unknown, see EventType for the known ones");
    return vt_ok();
}

static struct vt_event event_of(const Vitrine__V1__Event *message, int64_t time_ms)
{
    return (struct vt_event){
        .event_id = vt_slice_str(message->event_id),
        .type = (enum vt_event_type)message->type,
        .customer_id = vt_slice_str(message->customer_id),
        .visitor_id = vt_slice_str(message->visitor_id),
        .item_id = vt_slice_str(message->item_id),
        .channel = vt_slice_str(message->channel),
        .currency_code = vt_slice_str(message->currency_code),
        .query = vt_slice_str(message->query),
        .attribution_token = vt_slice_str(message->attribution_token),
        .time_ms = time_ms,
        .quantity = message->quantity,
        .revenue = message->revenue,
        .cost = message->cost,
        .value = message->value,
        .bot = message->bot,
        .identity = vt_wire_identity(message->identity),
    };
}

static struct vt_err sort_out(Vitrine__V1__Event *const *events, struct vt_arena *arena,
                              struct vt_wire_write_events *request)
{
    for (uint32_t i = 0; i < request->n_total; i++) {
        int64_t time_ms = 0;
        VT_TRY(judge(events[i], arena, &request->results[i], &time_ms));
        if (request->results[i].outcome == VT_EVENT_REJECTED)
            continue;
        request->places[request->n_events] = i;
        request->events[request->n_events++] = event_of(events[i], time_ms);
    }
    return vt_ok();
}

/* What both calls hand to the domain. */
static struct vt_err take_events(Vitrine__V1__Event *const *events, size_t n_events,
                                 struct vt_arena *arena, struct vt_diag *diag,
                                 struct vt_wire_write_events *ret_request)
{
    VT_TRY(vt_check_count(n_events, 1, VT_EVENT_BATCH_MAX, VT_FIELD("events"), diag));
    uint32_t n = (uint32_t)n_events;
    struct vt_wire_write_events request = {
        .n_total = n,
        .results = vt_arena_array(arena, n, sizeof *request.results),
        .events = vt_arena_array(arena, n, sizeof *request.events),
        .places = vt_arena_array(arena, n, sizeof *request.places),
        .domain_results = vt_arena_array(arena, n, sizeof *request.domain_results),
    };
    if (arena->exhausted)
        return vt_wire_full();
    VT_TRY(sort_out(events, arena, &request));
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_write_events_decode(struct vt_slice body, struct vt_arena *arena,
                                          struct vt_diag *diag,
                                          struct vt_wire_write_events *ret_request)
{
    Vitrine__V1__WriteEventsRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__write_events_request__descriptor, body, arena, diag, &message));
    VT_TRY(take_events(message->events, message->n_events, arena, diag, ret_request));
    ret_request->validate_only = message->validate_only;
    return vt_ok();
}

struct vt_err vt_wire_stream_events_decode(struct vt_slice body, uint64_t after,
                                           struct vt_arena *arena, struct vt_diag *diag,
                                           struct vt_wire_stream_events *ret_message)
{
    Vitrine__V1__StreamEventsRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__stream_events_request__descriptor, body, arena, diag, &message));
    if (message->sequence <= after) {
        vt_diag_set(diag, "sequence", "%" PRIu64 ", must be above %" PRIu64, message->sequence,
                    after);
        return VT_ERR(VT_INVALID, "a message's sequence is out of order");
    }
    VT_TRY(take_events(message->events, message->n_events, arena, diag, &ret_message->batch));
    ret_message->sequence = message->sequence;
    return vt_ok();
}

static void fill_result(Vitrine__V1__EventResult *message, const struct vt_event_result *result,
                        struct vt_arena *arena)
{
    message->outcome = (Vitrine__V1__EventOutcome)result->outcome;
    message->sequence = result->sequence;
    if (result->outcome != VT_EVENT_REJECTED)
        return;
    message->field = vt_wire_text(arena, vt_slice_str(result->field));
    message->reason = vt_wire_text(arena, result->reason);
}

/* The results of all events, those rejected here among those that the domain judged; counts them
 * by outcome. NULL when the arena is full. */
static Vitrine__V1__EventResult **results_of(const struct vt_wire_write_events *request,
                                             struct vt_arena *arena,
                                             uint32_t counts[VT_EVENT_REJECTED + 1])
{
    for (uint32_t i = 0; i < request->n_events; i++)
        request->results[request->places[i]] = request->domain_results[i];
    Vitrine__V1__EventResult **results =
        vt_wire_messages(arena, &vitrine__v1__event_result__descriptor, request->n_total);
    for (uint32_t i = 0; results != NULL && i < request->n_total; i++) {
        fill_result(results[i], &request->results[i], arena);
        counts[request->results[i].outcome]++;
    }
    return results;
}

struct vt_err vt_wire_write_events_encode(const struct vt_wire_write_events *request,
                                          struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__WriteEventsResponse response = VITRINE__V1__WRITE_EVENTS_RESPONSE__INIT;
    uint32_t counts[VT_EVENT_REJECTED + 1] = {0};
    response.n_results = request->n_total;
    response.results = results_of(request, arena, counts);
    if (response.results == NULL)
        return vt_wire_full();
    response.accepted = counts[VT_EVENT_ACCEPTED];
    response.duplicates = counts[VT_EVENT_DUPLICATE];
    response.rejected = counts[VT_EVENT_REJECTED];
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_stream_events_encode(const struct vt_wire_stream_events *message,
                                           struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__StreamEventsResponse response = VITRINE__V1__STREAM_EVENTS_RESPONSE__INIT;
    Vitrine__V1__StreamEventsResult result = VITRINE__V1__STREAM_EVENTS_RESULT__INIT;
    Vitrine__V1__StreamEventsResult *results[] = {&result};
    uint32_t counts[VT_EVENT_REJECTED + 1] = {0};
    result.sequence = response.acknowledged_sequence = message->sequence;
    result.n_results = message->batch.n_total;
    result.results = results_of(&message->batch, arena, counts);
    if (result.results == NULL)
        return vt_wire_full();
    result.accepted = counts[VT_EVENT_ACCEPTED];
    result.duplicates = counts[VT_EVENT_DUPLICATE];
    result.rejected = counts[VT_EVENT_REJECTED];
    response.messages = results;
    response.n_messages = 1;
    return vt_wire_encode(&response.base, arena, ret_body);
}

/* ---- the caller's side ---- */

static void fill_event(const struct vt_event *event, struct vt_arena *arena,
                       Vitrine__V1__Event *message)
{
    message->event_id = vt_wire_text(arena, event->event_id);
    message->type = (Vitrine__V1__EventType)event->type;
    message->customer_id = vt_wire_text(arena, event->customer_id);
    message->visitor_id = vt_wire_text(arena, event->visitor_id);
    message->item_id = vt_wire_text(arena, event->item_id);
    message->time = vt_wire_time_encode(arena, event->time_ms);
    message->channel = vt_wire_text(arena, event->channel);
    message->currency_code = vt_wire_text(arena, event->currency_code);
    message->query = vt_wire_text(arena, event->query);
    message->attribution_token = vt_wire_text(arena, event->attribution_token);
    message->quantity = event->quantity;
    message->revenue = event->revenue;
    message->cost = event->cost;
    message->value = event->value;
    message->bot = event->bot;
    message->identity = vt_wire_identity_encode(arena, &event->identity);
}

static Vitrine__V1__Event **events_of(const struct vt_event *events, uint32_t n,
                                      struct vt_arena *arena)
{
    Vitrine__V1__Event **messages = vt_wire_messages(arena, &vitrine__v1__event__descriptor, n);
    for (uint32_t i = 0; messages != NULL && i < n; i++)
        fill_event(&events[i], arena, messages[i]);
    return messages;
}

struct vt_err vt_wire_write_events_request_encode(const struct vt_event *events, uint32_t n,
                                                  struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__WriteEventsRequest request = VITRINE__V1__WRITE_EVENTS_REQUEST__INIT;
    request.events = events_of(events, n, arena);
    request.n_events = n;
    return request.events == NULL ? vt_wire_full() : vt_wire_encode(&request.base, arena, ret_body);
}

struct vt_err vt_wire_stream_events_request_encode(uint64_t sequence, const struct vt_event *events,
                                                   uint32_t n, struct vt_arena *arena,
                                                   struct vt_slice *ret_body)
{
    Vitrine__V1__StreamEventsRequest request = VITRINE__V1__STREAM_EVENTS_REQUEST__INIT;
    request.sequence = sequence;
    request.events = events_of(events, n, arena);
    request.n_events = n;
    return request.events == NULL ? vt_wire_full() : vt_wire_encode(&request.base, arena, ret_body);
}

static struct vt_err read_results(Vitrine__V1__EventResult *const *messages, size_t n,
                                  struct vt_diag *diag, struct vt_event_result *ret_results)
{
    for (size_t i = 0; i < n; i++)
        VT_TRY(vt_check_range((int64_t)messages[i]->outcome, VT_EVENT_ACCEPTED, VT_EVENT_REJECTED,
                              VT_FIELD_AT("results", i, "outcome"), diag));
    for (size_t i = 0; i < n; i++)
        ret_results[i] = (struct vt_event_result){
            .outcome = (enum vt_event_outcome)messages[i]->outcome,
            .field = messages[i]->field,
            .reason = vt_slice_str(messages[i]->reason),
            .sequence = messages[i]->sequence,
        };
    return vt_ok();
}

struct vt_err vt_wire_write_events_response_decode(struct vt_slice body, uint32_t n,
                                                   struct vt_arena *arena, struct vt_diag *diag,
                                                   struct vt_event_result *ret_results)
{
    Vitrine__V1__WriteEventsResponse *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__write_events_response__descriptor, body, arena, diag, &message));
    VT_TRY(vt_check_count(message->n_results, n, n, VT_FIELD("results"), diag));
    return read_results(message->results, n, diag, ret_results);
}

static struct vt_err read_acknowledged(const Vitrine__V1__StreamEventsResult *message,
                                       struct vt_arena *arena, struct vt_diag *diag,
                                       struct vt_wire_acknowledged *ret_acknowledged)
{
    struct vt_event_result *results = vt_arena_array(arena, message->n_results, sizeof *results);
    if (results == NULL)
        return vt_wire_full();
    VT_TRY(read_results(message->results, message->n_results, diag, results));
    *ret_acknowledged =
        (struct vt_wire_acknowledged){message->sequence, results, (uint32_t)message->n_results};
    return vt_ok();
}

struct vt_err vt_wire_stream_events_response_decode(
    struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag, uint64_t *ret_acknowledged,
    const struct vt_wire_acknowledged **ret_messages, uint32_t *ret_n)
{
    Vitrine__V1__StreamEventsResponse *response = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__stream_events_response__descriptor, body, arena, diag,
                        &response));
    struct vt_wire_acknowledged *messages =
        vt_arena_array(arena, response->n_messages, sizeof *messages);
    if (messages == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < response->n_messages; i++)
        VT_TRY(read_acknowledged(response->messages[i], arena, diag, &messages[i]));
    *ret_acknowledged = response->acknowledged_sequence;
    *ret_messages = messages;
    *ret_n = (uint32_t)response->n_messages;
    return vt_ok();
}
