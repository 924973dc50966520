#ifndef VT_TUNE_JOURNAL_H
#define VT_TUNE_JOURNAL_H

#include "models/tune/halving.h"
#include "services/common/base/slice.h"

#include <stdio.h>

/*
 * What was measured so far, a line each, so that tuning goes on after a kill without measuring
 * again. Line 1 says of what: a journal of other data or other settings is not taken. Zero it
 * first; one thread, and one process: the file is locked while it is open.
 */
enum { VT_TUNE_RESULTS_MAX = VT_TUNE_TRIALS_MAX * VT_TUNE_RUNGS };

struct vt_tune_journal {
    FILE *file;
    struct vt_tune_result *results; /* owned: room for VT_TUNE_RESULTS_MAX */
    uint32_t n;
};

/* Opens or makes `path`. A last line that a kill cut short is dropped. VT_INVALID when the file is
 * of something else (`diag` says what to do; it is left as it is), VT_CORRUPT for a line that is
 * none, VT_UNAVAILABLE when the file cannot be written or another tuning has it. `about`: one line
 * without a line feed. */
VT_MUST_USE struct vt_err vt_tune_journal_open(const char *path, const char *about,
                                               struct vt_diag *diag,
                                               struct vt_tune_journal *ret_journal);
void vt_tune_journal_close(struct vt_tune_journal *journal); /* zeroed is allowed */

/* The same from bytes. `ret_results` has room for VT_TUNE_RESULTS_MAX; *ret_n of them are filled.
 * *ret_whole: bytes up to the end of the last whole line; 0: not even line 1 is there. */
VT_MUST_USE struct vt_err vt_tune_journal_parse(struct vt_slice bytes, const char *about,
                                                struct vt_diag *diag,
                                                struct vt_tune_result *ret_results, uint32_t *ret_n,
                                                size_t *ret_whole);

/* Whether this was measured; then its value. */
bool vt_tune_journal_has(const struct vt_tune_journal *journal, uint32_t trial, uint32_t rung,
                         double *ret_value);
/* Adds a line and brings it to the disk. VT_UNAVAILABLE; VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_tune_journal_add(struct vt_tune_journal *journal,
                                              const struct vt_tune_result *result);

#endif
