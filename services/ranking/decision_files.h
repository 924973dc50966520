#ifndef VT_RANKING_DECISION_FILES_H
#define VT_RANKING_DECISION_FILES_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ranking/decision.h"
#include "services/ranking/token.h"

/*
 * The files of a decision log: DIR/<when it begins, Unix ms, 13 digits>-<run, 16 hex digits>.log,
 * each of one run of one process, which alone appends to it. A file is a head and then records, and
 * a record is a frame and then its bytes (decision.h). There is no index: the token says the run
 * and the time, so that a search reads the frames of one file. Functions here keep nothing and are
 * for any thread; all block.
 */
enum {
    VT_DECISION_RUN_BYTES = 8, /* the first half of the nonces of a run's tokens */
    VT_DECISION_FRAME_BYTES = 56,
    VT_DECISION_NAME_BYTES = 13 + 1 + 16 + 4 + 1,
};
typedef unsigned char vt_decision_run[VT_DECISION_RUN_BYTES];

/* What a frame says. */
struct vt_decision_frame {
    uint32_t len; /* of the record behind it */
    bool erased;  /* the record is zeros, and so is the customer */
    int64_t time_ms;
    uint64_t customer;
    unsigned char nonce[VT_TOKEN_NONCE_BYTES];
};
/* Writes the frame before its record: `memory` holds VT_DECISION_FRAME_BYTES and then frame->len
 * bytes. */
void vt_decision_frame_write(const unsigned char key[VT_TOKEN_KEY_BYTES],
                             const struct vt_decision_frame *frame, unsigned char *memory);
/* False for what is no frame, or one whose record is longer than VT_DECISION_BYTES_MAX or than what
 * there is. Says nothing about the hash. */
bool vt_decision_frame_read(struct vt_slice bytes, struct vt_decision_frame *ret_frame);
/* Whether frame and record are as they were written. `bytes` holds both. */
bool vt_decision_frame_is_whole(const unsigned char key[VT_TOKEN_KEY_BYTES], struct vt_slice bytes);

/* A new file with its head, to append to; the caller closes it. */
VT_MUST_USE struct vt_err vt_decision_file_new(const char *folder, const vt_decision_run run,
                                               int64_t begin_ms, struct vt_diag *diag, int *ret_fd);
/* Removes the files that began before `before_ms`; how many bytes the others have. */
VT_MUST_USE struct vt_err vt_decision_files_expire(const char *folder, int64_t before_ms,
                                                   struct vt_diag *diag, uint64_t *ret_bytes);

enum vt_decision_search {
    VT_DECISION_FOUND,
    VT_DECISION_NO_RUN, /* no file is of the token's run */
    VT_DECISION_ABSENT,
    VT_DECISION_ERASED,
};
/* Looks for the answer's record; copies it into the arena when it is found. VT_CORRUPT when it is
 * damaged; VT_EXHAUSTED. O(frames of the file). */
VT_MUST_USE struct vt_err
vt_decision_files_find(const char *folder, const unsigned char key[VT_TOKEN_KEY_BYTES],
                       const struct vt_token *token, struct vt_arena *arena,
                       enum vt_decision_search *ret_search, struct vt_slice *ret_record);
/* Overwrites the records of these customers (ascending) with zeros, in all files, those of other
 * processes too; on return no byte of them is left on the disk. Doing it twice is fine. */
VT_MUST_USE struct vt_err vt_decision_files_forget(const char *folder,
                                                   const unsigned char key[VT_TOKEN_KEY_BYTES],
                                                   const uint64_t *customers, size_t n,
                                                   struct vt_diag *diag, uint64_t *ret_n_records);

#endif
