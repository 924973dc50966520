#ifndef VT_PROFILE_AUDIT_H
#define VT_PROFILE_AUDIT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * DIR/audit.log: who exported or erased which customer, and when. One JSON object a line, each with
 * the SHA-256 of itself and of the line before (Schneier, Kelsey, "Secure Audit Logs to Support
 * Computer Forensics", 1999: a chain shows what was changed, taken out or moved; only what was cut
 * off the end needs a copy elsewhere to be seen). Customers appear as keyed hashes and as numbers,
 * never by an id. The format is in docs/data-formats.md.
 *
 * One process appends: the owner of the live store. Any thread of it.
 */
struct vt_audit;

enum {
    VT_AUDIT_KEY_BYTES = 32,
    VT_AUDIT_SUBJECT_BYTES = 33, /* hex of 128 bits, and the NUL */
    VT_AUDIT_RECEIPT_BYTES = 48,
    VT_AUDIT_SUBJECTS_MAX = 1024, /* in one entry */
};

/* The keyed hash that stands for an identity ("member", channel or "", id): equal for equal
 * identities under one key, and nothing to anybody without it. */
struct vt_audit_subject {
    char text[VT_AUDIT_SUBJECT_BYTES];
};
void vt_audit_subject(const unsigned char key[VT_AUDIT_KEY_BYTES], const char *type,
                      struct vt_slice channel, struct vt_slice id,
                      struct vt_audit_subject *ret_subject);

struct vt_audit_entry {
    uint64_t number; /* set by _append; ascending from 1 */
    int64_t time_ms;
    const char *action; /* "export", "erase_requested", "erase_done" … */
    const char *actor;  /* the caller's role, "admin socket", "chore" … */
    uint64_t customer;  /* number; 0: none */
    const struct vt_audit_subject *subjects;
    uint32_t n_subjects;
    const char *detail; /* for people; may be NULL */
};

/* Opens or makes PATH (mode 0600) and checks the whole chain: O(file). A last line without its end
 * is what a crash leaves: it is cut off, since nobody was told of it. VT_CORRUPT: the chain is
 * broken, `diag` names the line; nothing is written then. */
VT_MUST_USE struct vt_err vt_audit_open(const char *path, struct vt_diag *diag,
                                        struct vt_audit **ret_audit);
void vt_audit_close(struct vt_audit *audit); /* NULL is allowed */
/* Where it is; borrowed until _close. */
const char *vt_audit_path(const struct vt_audit *audit);

/* Appends and fsyncs: on return it is on disk. The receipt, "17-1f3a…", is the entry's number and
 * the beginning of its hash: what a caller may later be asked to show. VT_EXHAUSTED: the disk is
 * full; VT_UNAVAILABLE: another failure; the log is then as it was before. Any thread. */
VT_MUST_USE struct vt_err vt_audit_append(struct vt_audit *audit,
                                          const struct vt_audit_entry *entry,
                                          char ret_receipt[VT_AUDIT_RECEIPT_BYTES]);

/* Checks the chain of a log that nobody needs to hold, and tells each entry (texts borrowed during
 * the call) in order; `each` may be NULL. A line without its end is left out, as above.
 * VT_NOT_FOUND: there is no such file; VT_CORRUPT as above. */
VT_MUST_USE struct vt_err vt_audit_read(const char *path, struct vt_diag *diag,
                                        struct vt_err (*each)(void *ctx,
                                                              const struct vt_audit_entry *entry),
                                        void *ctx, uint64_t *ret_n_entries);

#endif
