#ifndef VT_PROFILE_EVENT_SENDER_H
#define VT_PROFILE_EVENT_SENDER_H

#include "services/common/rpc/client.h"
#include "services/profile/profile.h"

/*
 * The sending side of EventService.StreamEvents: keeps batches under way, and what is not
 * acknowledged yet in memory, so that a broken stream is taken up again: it opens another and sends
 * everything after the last acknowledged batch once more. One thread, which it blocks.
 */
struct vt_event_sender;

/* The results of a batch, in the order of sending; on the sender's thread, within its calls. */
typedef void (*vt_event_results_fn)(void *ctx, uint64_t batch,
                                    const struct vt_event_result *results, uint32_t n);

struct vt_event_sender_options {
    struct vt_rpc_channel *channel; /* borrowed */
    vt_event_results_fn on_results; /* texts are valid during the call */
    void *ctx;
    uint32_t window;        /* batches under way at most, up to 64; 0: 32. Kept as they are sent */
    uint32_t reconnections; /* in a row without an acknowledgement in between; 0: none */
};
VT_MUST_USE struct vt_err vt_event_sender_new(const struct vt_event_sender_options *options,
                                              struct vt_event_sender **ret_sender);
/* Waits while the window is full. Errors as below. */
VT_MUST_USE struct vt_err vt_event_sender_make_room(struct vt_event_sender *sender,
                                                    struct vt_diag *diag);
/* Sends 1 to VT_EVENT_BATCH_MAX events as the next batch (they count from 0); they are copied.
 * Waits while the window is full. VT_UNAVAILABLE, or what else the service ended the stream with,
 * when connecting again did not help either; the sender is then of no more use. */
VT_MUST_USE struct vt_err vt_event_sender_send(struct vt_event_sender *sender,
                                               const struct vt_event *events, uint32_t n,
                                               struct vt_diag *diag);
/* Waits until everything is acknowledged. Sending may go on afterwards. */
VT_MUST_USE struct vt_err vt_event_sender_flush(struct vt_event_sender *sender,
                                                struct vt_diag *diag);
/* Breaks the stream that is open, as a lost connection would; also within on_results. For tests. */
void vt_event_sender_break(struct vt_event_sender *sender);
/* What is not acknowledged is given up. NULL is allowed. */
void vt_event_sender_free(struct vt_event_sender *sender);

#endif
