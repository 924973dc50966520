#ifndef VT_PROFILE_WIRE_EVENT_H
#define VT_PROFILE_WIRE_EVENT_H

#include "services/common/base/arena.h"
#include "services/profile/profile.h"

/*
 * WriteEvents on the wire. An event that cannot even be told to the domain (no time, a broken one,
 * a type that is no number of ours) is rejected here, alone; the others go on without it.
 */
struct vt_wire_write_events {
    bool validate_only;
    uint32_t n_total;                /* events in the request */
    struct vt_event_result *results; /* n_total; those rejected here are filled in */
    struct vt_event *events;         /* n_events that the domain shall judge */
    uint32_t n_events;
    uint32_t *places;                       /* events[i] stands at results[places[i]] */
    struct vt_event_result *domain_results; /* n_events, for the domain to fill */
};

/* VT_INVALID: malformed, no events, or more than VT_EVENT_BATCH_MAX. In the arena. */
VT_MUST_USE struct vt_err vt_wire_write_events_decode(struct vt_slice body, struct vt_arena *arena,
                                                      struct vt_diag *diag,
                                                      struct vt_wire_write_events *ret_request);
/* Puts the domain's results among those of the rejected events and serialises all. */
VT_MUST_USE struct vt_err vt_wire_write_events_encode(const struct vt_wire_write_events *request,
                                                      struct vt_arena *arena,
                                                      struct vt_slice *ret_body);

/* A message of StreamEvents. The batch is one of WriteEvents. */
struct vt_wire_stream_events {
    uint64_t sequence;
    struct vt_wire_write_events batch;
};
/* As above; VT_INVALID also unless its sequence is above `after`. */
VT_MUST_USE struct vt_err vt_wire_stream_events_decode(struct vt_slice body, uint64_t after,
                                                       struct vt_arena *arena, struct vt_diag *diag,
                                                       struct vt_wire_stream_events *ret_message);
/* A response that acknowledges this message. Responses laid end to end are one response that
 * acknowledges all of theirs: so protobuf merges them. */
VT_MUST_USE struct vt_err vt_wire_stream_events_encode(const struct vt_wire_stream_events *message,
                                                       struct vt_arena *arena,
                                                       struct vt_slice *ret_body);

/* The caller's side. An event without a time (0) is sent without one. VT_EXHAUSTED: the arena is
 * too small for so many; send fewer at a time. */
VT_MUST_USE struct vt_err vt_wire_write_events_request_encode(const struct vt_event *events,
                                                              uint32_t n, struct vt_arena *arena,
                                                              struct vt_slice *ret_body);
/* `ret_results` is the caller's, n long; texts live in the arena. VT_INVALID unless there is one
 * result for each event, with an outcome that is known. */
VT_MUST_USE struct vt_err vt_wire_write_events_response_decode(struct vt_slice body, uint32_t n,
                                                               struct vt_arena *arena,
                                                               struct vt_diag *diag,
                                                               struct vt_event_result *ret_results);

/* The caller's side of a stream: its message, and the results of one that a response acknowledges.
 */
VT_MUST_USE struct vt_err vt_wire_stream_events_request_encode(uint64_t sequence,
                                                               const struct vt_event *events,
                                                               uint32_t n, struct vt_arena *arena,
                                                               struct vt_slice *ret_body);
struct vt_wire_acknowledged {
    uint64_t sequence;
    const struct vt_event_result *results;
    uint32_t n_results;
};
/* All in the arena. VT_INVALID for an outcome that is unknown. */
VT_MUST_USE struct vt_err vt_wire_stream_events_response_decode(
    struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag, uint64_t *ret_acknowledged,
    const struct vt_wire_acknowledged **ret_messages, uint32_t *ret_n);

#endif
