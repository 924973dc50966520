#ifndef VT_WIRE_PARTS_H
#define VT_WIRE_PARTS_H

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/slice.h"
#include "services/common/wire/check.h"

#include <protobuf-c/protobuf-c.h>

/*
 * What the wire files of several services share: making messages in an arena, and the types of
 * types.proto that more than one service speaks. Any thread; everything lives in the arena.
 */
struct Google__Protobuf__Timestamp;
struct Vitrine__V1__HistoryEvent;
struct Vitrine__V1__Outcome;
struct Vitrine__V1__SourceScore;

/* An initialised message; NULL when the arena is full. */
void *vt_wire_message(struct vt_arena *arena, const ProtobufCMessageDescriptor *type);
/* n initialised messages behind an array of pointers (T **, what repeated fields want); NULL when
 * the arena is full. */
void *vt_wire_messages(struct vt_arena *arena, const ProtobufCMessageDescriptor *type, size_t n);
/* A NUL-terminated copy for a string field. "" when the arena is full: vt_wire_encode finds out. */
char *vt_wire_text(struct vt_arena *arena, struct vt_slice text);
/* Copies for a repeated string field; NULL when the arena is full. */
char **vt_wire_texts(struct vt_arena *arena, const struct vt_slice *texts, size_t n);
/* The slices of a decoded repeated string field, borrowed. */
VT_MUST_USE struct vt_err vt_wire_slices(struct vt_arena *arena, char *const *texts, size_t n,
                                         const struct vt_slice **ret_slices);
/* As above, each checked to be an id. */
VT_MUST_USE struct vt_err vt_wire_ids(struct vt_arena *arena, char *const *texts, size_t n,
                                      const char *list, struct vt_diag *diag,
                                      const struct vt_slice **ret_ids);
/* Serialises; VT_EXHAUSTED when the message or anything in it did not fit. */
VT_MUST_USE struct vt_err vt_wire_encode(const ProtobufCMessage *message, struct vt_arena *arena,
                                         struct vt_slice *ret_body);
/* What every encoder says when there was no room. */
struct vt_err vt_wire_full(void);

/* NULL for 0 (absent) and when the arena is full. */
struct Google__Protobuf__Timestamp *vt_wire_time_encode(struct vt_arena *arena, int64_t time_ms);
/* Absent is 0. VT_INVALID outside years 1 to 9999 or with nanos outside 0 to 999,999,999. */
VT_MUST_USE struct vt_err vt_wire_time_decode(const struct Google__Protobuf__Timestamp *time,
                                              struct vt_field field, struct vt_diag *diag,
                                              int64_t *ret_time_ms);

/* VT_EXHAUSTED: the arena is full. */
VT_MUST_USE struct vt_err vt_wire_history_encode(struct vt_arena *arena,
                                                 const struct vt_history_event *events, uint32_t n,
                                                 struct Vitrine__V1__HistoryEvent ***ret_messages);
/* Checks item numbers, types and values of the field `list`. */
VT_MUST_USE struct vt_err vt_wire_history_decode(struct vt_arena *arena,
                                                 struct Vitrine__V1__HistoryEvent *const *messages,
                                                 size_t n, const char *list, struct vt_diag *diag,
                                                 const struct vt_history_event **ret_events);

/* All but item_id and place, which not everybody knows. */
void vt_wire_outcome_fill(struct vt_arena *arena, const struct vt_outcome *outcome,
                          struct Vitrine__V1__Outcome *message);

/* One message for each bit of `sources`, in the order of the sources; scores[source] is its
 * score. */
VT_MUST_USE struct vt_err vt_wire_scores_encode(struct vt_arena *arena, uint32_t sources,
                                                const double *scores, size_t *ret_n,
                                                struct Vitrine__V1__SourceScore ***ret_messages);
/* Fills scores[1 .. n_sources); VT_INVALID at `place` for a source outside and for a score that is
 * not finite: one NaN would spoil the order of the whole list. */
VT_MUST_USE struct vt_err vt_wire_scores_decode(struct Vitrine__V1__SourceScore *const *messages,
                                                size_t n, unsigned n_sources, struct vt_field place,
                                                struct vt_diag *diag, uint32_t *ret_sources,
                                                double *ret_scores);

#endif
