#ifndef VT_PROFILE_ERASE_H
#define VT_PROFILE_ERASE_H

#include "services/common/base/err.h"
#include "services/common/base/identity.h"
#include "services/common/base/request.h"
#include "services/profile/audit.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Forgetting a customer, in two steps. The first is one commit: every identity, the record, the
 * history and the aliases go, so that no call finds the customer any more and the next event of
 * theirs makes a new one. The second removes their rows from the event log and every trace of the
 * bytes from the disk: at once on request, else within a promised time. Between the two the
 * customer's numbers are pending: whoever reads the log leaves them out.
 */
struct vt_profile;

struct vt_erasure {
    bool now;           /* wait until nothing is left */
    bool validate_only; /* say only whether there is somebody */
    const char *actor;  /* for the audit log */
};

struct vt_erasure_result {
    char receipt[VT_AUDIT_RECEIPT_BYTES]; /* of the entry in the audit log; empty: validate_only */
    uint64_t customer_number;
    uint32_t n_customers;   /* it and all that were merged into it */
    bool done;              /* nothing is left */
    int64_t complete_by_ms; /* when nothing will be left, at the latest */
};

/* VT_NOT_FOUND: nobody has this id; VT_INVALID; VT_PRECONDITION: the store was opened without the
 * key of the audit log. When the second step fails after the first, the answer is OK with `done`
 * false: it is tried again until it works. Blocks, with `now` for as long as it takes to rewrite
 * what holds the customer: on a worker thread. */
VT_MUST_USE struct vt_err vt_profile_erase(struct vt_profile *profile, struct vt_request *request,
                                           const struct vt_identity *who,
                                           const struct vt_erasure *erasure,
                                           struct vt_erasure_result *ret_result);

/* Carries out again what the audit log at `audit_path` tells of after `since_ms`: for a store that
 * was restored from a backup of that time. Reads all identities. Blocking. */
VT_MUST_USE struct vt_err vt_profile_reapply_erasures(struct vt_profile *profile,
                                                      const char *audit_path, int64_t since_ms,
                                                      struct vt_diag *diag, uint64_t *ret_n_erased);

/* ---- within the domain ---- */

/* Customers that are forgotten and may still stand in the log, as of loading. Zero it first. */
struct vt__pending_set {
    uint64_t *numbers; /* owned, ascending */
    size_t n, capacity;
    int64_t oldest_ms; /* when the first of them was requested; INT64_MAX: none */
};
VT_MUST_USE struct vt_err vt__pending_load(struct vt_profile *profile, struct vt__pending_set *set);
void vt__pending_fini(struct vt__pending_set *set);
bool vt__is_pending(const struct vt__pending_set *set, uint64_t customer); /* O(log n) */

/* erase_pass.c: the second step for all that is pending, one pass at a time. */
VT_MUST_USE struct vt_err vt__erase_pass(struct vt_profile *profile, struct vt_diag *diag);
/* The chore: a pass when the oldest request is half its time old. */
VT_MUST_USE struct vt_err vt__erase_chore(struct vt_profile *profile);
enum { VT__ERASE_CHORE_MS = 60 * 1000 };

#endif
