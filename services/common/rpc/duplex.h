#ifndef VT_RPC_DUPLEX_H
#define VT_RPC_DUPLEX_H

#include "services/common/rpc/client.h"

/*
 * A bidirectional stream from the caller's side, driven by one thread that may block. Messages that
 * come are handed to `on_message` inside whichever of the calls below waits: a caller that is held
 * back in sending still reads, so the two sides cannot wait for each other.
 */
struct vt_rpc_duplex;

/* On the caller's thread; `body` is borrowed. It must not call what is below. */
typedef void (*vt_rpc_message_fn)(void *ctx, struct vt_slice body);

/* `path` is a literal. What the server says about it comes with the first call that waits. */
VT_MUST_USE struct vt_err vt_rpc_duplex_open(struct vt_rpc_channel *channel, const char *path,
                                             vt_rpc_message_fn on_message, void *ctx,
                                             struct vt_rpc_duplex **ret);
/* Sends `body` (copied) and waits until it has left, as the receiver's flow control allows. Fails
 * with how the stream ended when it has ended, and with VT_UNAVAILABLE if that was OK: the message
 * is then lost. `diag` gets the server's message. */
VT_MUST_USE struct vt_err vt_rpc_duplex_send(struct vt_rpc_duplex *duplex, struct vt_slice body,
                                             struct vt_diag *diag);
/* Waits for at least one message; fails as above when the stream ended instead. */
VT_MUST_USE struct vt_err vt_rpc_duplex_wait(struct vt_rpc_duplex *duplex, struct vt_diag *diag);
/* Tells the server that nothing more comes, and reads until it ends the stream: OK, or how. */
VT_MUST_USE struct vt_err vt_rpc_duplex_finish(struct vt_rpc_duplex *duplex, struct vt_diag *diag);
/* Any thread: what waits fails with VT_CANCELLED. */
void vt_rpc_duplex_cancel(struct vt_rpc_duplex *duplex);
void vt_rpc_duplex_free(struct vt_rpc_duplex *duplex); /* cancels; NULL is allowed */

#endif
