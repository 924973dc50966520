#ifndef VT_STORE_UPKEEP_H
#define VT_STORE_UPKEEP_H

#include "services/common/store/store.h"

#include <stdint.h>

/*
 * What a store needs now and then: rows into tables, deleted bytes really gone, a database opened
 * again after its disk was full. All are blocking: for background threads, never a serving one.
 */

/* Writes what is in memory into tables. Nothing is more durable than before; the log gets short.
 * VT_EXHAUSTED, VT_UNAVAILABLE, VT_CORRUPT. Any thread. */
VT_MUST_USE struct vt_err vt_store_flush(struct vt_store *store, struct vt_diag *diag);

/* Rewrites the rows of a family from `first` (empty: the start) to `end` (empty: the last), the
 * bottommost level too: deleted and overwritten bytes leave the tables; deleted files go as soon as
 * no iterator needs them. Flush before. Reads and writes go on; costs a rewrite of the range. Any
 * thread. */
VT_MUST_USE struct vt_err vt_store_compact(struct vt_store *store, uint32_t family,
                                           struct vt_slice first, struct vt_slice end,
                                           struct vt_diag *diag);

/* Closes the database and opens it again in place: old logs go, the MANIFEST begins anew, an error
 * that RocksDB kept after a full disk is forgotten. `store`, empty batches, values and iterators
 * stay valid. Reads go on, on an opening for reading that bridges the gap (VT_UNAVAILABLE for a
 * moment when that one cannot be had); a new batch waits. Not with a begun batch, a value or an
 * iterator on the calling thread: those of others are waited for, 10 s at most.
 *
 * VT_UNAVAILABLE: somebody held on for longer, nothing has changed; VT_EXHAUSTED, VT_CORRUPT or
 * VT_UNAVAILABLE: it could not be opened, reads go on where they can, writes are refused, and this
 * may be called again. VT_PRECONDITION: a store for reading. Any thread. */
VT_MUST_USE struct vt_err vt_store_reopen(struct vt_store *store, struct vt_diag *diag);

/* Of the file system that holds the store: what an ordinary user may still write, and its size. Any
 * thread; one system call. */
VT_MUST_USE struct vt_err vt_store_free_bytes(const struct vt_store *store,
                                              uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);

#endif
