#ifndef VT_PROFILE_WHO_H
#define VT_PROFILE_WHO_H

#include "services/common/base/identity.h"
#include "services/profile/profile_internal.h"

/* Who is meant: an id of the outside → an identity of the store → a customer (who.c). */

/* The store's form of a valid id: its channel by number, read from the store. *ret_found false:
 * nobody ever mentioned the channel, so nobody has the id. Any thread; at most one point read. */
VT_MUST_USE struct vt_err vt__who_find(struct vt_profile *profile, const struct vt_identity *named,
                                       struct vt_diag *diag, struct vt__identity *ret_identity,
                                       bool *ret_found);

/* Every identity of a customer in the order of their keys, with the time of linking; ids are
 * borrowed during `each`, whose first error stops. Iterates: on a thread that may block. */
typedef struct vt_err (*vt__each_identity_fn)(void *ctx, const struct vt__identity *identity,
                                              int64_t time_ms);
VT_MUST_USE struct vt_err vt__each_identity(struct vt_profile *profile, uint64_t customer,
                                            vt__each_identity_fn each, void *ctx);

/* ---- the writer thread ---- */

/* Number of a channel; a new one is added to the batch. 0: there is no room for another. */
VT_MUST_USE struct vt_err vt__number_channel(struct vt_profile *profile, struct vt_slice name,
                                             uint16_t *ret_number);
/* The identity that counts for a valid event; it numbers a new channel. Of type UNSPECIFIED when
 * there is no room for the channel: such an event is nobody's. */
VT_MUST_USE struct vt_err vt__who_of_event(struct vt_profile *profile, const struct vt_event *event,
                                           struct vt__identity *ret_identity);
/* Drops every identity of a committed customer from the writer's cache: what is known about them
 * changes with this commit. */
VT_MUST_USE struct vt_err vt__forget_customer(struct vt_profile *profile, uint64_t customer);
/* The customer behind it, from the cache or the store; `key` is the identity's. Somebody new is
 * added to the batch, first seen at `time_ms`, unless nothing may be kept of them: number 0. */
VT_MUST_USE struct vt_err vt__who_is(struct vt_profile *profile,
                                     const struct vt__identity *identity, const struct vt__key *key,
                                     int64_t time_ms, struct vt__known_customer *ret_known);

#endif
