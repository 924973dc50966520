#ifndef VT_RANKING_DECISION_LOG_H
#define VT_RANKING_DECISION_LOG_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ranking/decision_files.h"

/*
 * A bounded log of decisions, off the hot path. A serving thread packs a record into a slot of its
 * own ring, which was allocated at the start; one thread of the log takes slots out of the rings
 * and appends them to files. A full ring, an empty budget or a broken disk costs a record, never an
 * answer's time; each is counted.
 *
 * The budget is what keeps the files below `space_bytes` and their age at `keep_ms` both: a share
 * of it may be used at once, the rest flows in over keep_ms. Whoever makes more answers than fit
 * should sample them, so that what is kept is even.
 */
struct vt_decision_log;
struct vt_clock;
struct vt_metrics;

struct vt_decision_log_options {
    const char *folder;                    /* made where it is missing */
    unsigned char key[VT_TOKEN_KEY_BYTES]; /* that of the tokens */
    double sample; /* share of the answers, 0 to 1, chosen by their tokens */
    int64_t keep_ms;
    uint64_t space_bytes;
    unsigned n_threads; /* that serve; each has a ring */
    const struct vt_clock *clock;
    struct vt_metrics *metrics; /* borrowed, may be NULL */
};
enum { VT_DECISION_THREADS_MAX = 64, VT_DECISION_SLOTS = 32 /* of each ring */ };
#define VT_DECISION_SPACE_MIN UINT64_C(4194304)

/* VT_UNAVAILABLE with the path in `diag` when the folder cannot be used. */
VT_MUST_USE struct vt_err vt_decision_log_open(const struct vt_decision_log_options *options,
                                               struct vt_diag *diag,
                                               struct vt_decision_log **ret_log);
/* Writes what waits. No answer may be under way. NULL is allowed. */
void vt_decision_log_close(struct vt_decision_log *log);

/* The first half of the nonces of all tokens whose answers are recorded here. */
const unsigned char *vt_decision_log_run(const struct vt_decision_log *log);
/* Whether the answer with this token is one of the sample: a function of the nonce alone. */
bool vt_decision_is_sampled(double share, const unsigned char nonce[VT_TOKEN_NONCE_BYTES]);

/* ---- on the hot path: one slot in hand at a time ---- */
struct vt_decision_slot;
/* Where to pack the record of the answer with this token; NULL: it is not recorded. `ret_pack` is
 * of the slot, until _commit. No allocation, no lock; any thread, which then commits. */
struct vt_decision_slot *vt_decision_log_begin(struct vt_decision_log *log,
                                               const struct vt_token *token,
                                               struct vt_pack *ret_pack);
/* Hands it to the log, or gives it up: where `pack` is full, and with pack NULL. */
void vt_decision_log_commit(struct vt_decision_log *log, struct vt_decision_slot *slot,
                            const struct vt_pack *pack, uint64_t customer);

/* ---- for those who ask; all block ---- */
/* The record of an answer, in the arena. VT_NOT_FOUND with the reason as the error's text: not
 * sampled, expired, erased, of another replica, not kept. VT_CORRUPT when it is damaged. */
VT_MUST_USE struct vt_err vt_decision_log_find(struct vt_decision_log *log,
                                               const struct vt_token *token, struct vt_arena *arena,
                                               struct vt_slice *ret_record);
/* Erases the records of these customers (ascending), also of those whose answer is under way. */
VT_MUST_USE struct vt_err vt_decision_log_forget(struct vt_decision_log *log,
                                                 const uint64_t *customers, size_t n,
                                                 struct vt_diag *diag, uint64_t *ret_n_records);
/* Removes all that was recorded up to now. */
VT_MUST_USE struct vt_err vt_decision_log_forget_all(struct vt_decision_log *log,
                                                     struct vt_diag *diag);

#endif
