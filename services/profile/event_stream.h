#ifndef VT_PROFILE_EVENT_STREAM_H
#define VT_PROFILE_EVENT_STREAM_H

#include "services/common/rpc/call.h"
#include "services/profile/handlers_internal.h"

/* Serves a StreamEvents call until its end (proto/vitrine/v1/event.proto has the rules). On the
 * serving thread. A stream takes up to 24 MiB, and all streams 64 MiB, for the messages that wait
 * for their acknowledgement; each may hold one message of up to 16 MiB, as decoded, beyond that. */
void vt__event_stream_serve(struct vt_rpc_call *call, struct vt_profile_rpc *rpc);

enum { VT__EVENT_STREAMS_MAX = 32 };

#endif
