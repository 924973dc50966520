#ifndef VT_INGEST_ASIDE_H
#define VT_INGEST_ASIDE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/record.h"

#include <stdio.h>

/*
 * Rows that are set aside, as JSON lines: rejected ones with the raw text, records for review in a
 * form that can be mended and imported again. Written beside and renamed when complete. What waits
 * from an earlier import is never overwritten: other rows of a file of the same name get a number.
 * Only a waiting file that is itself imported again is replaced by what is still wrong with it, or
 * taken away when nothing is.
 */
enum { VT_ASIDE_PATH_BYTES = 512, VT_ASIDE_RAW_BYTES = 4096 };

struct vt_aside {
    char path[VT_ASIDE_PATH_BYTES]; /* empty: nothing is written */
    char stem[VT_ASIDE_PATH_BYTES]; /* the path without number and ".jsonl" */
    unsigned copy;                  /* the least number its name may have, 0 none */
    bool replaces;                  /* the source is the file at `path` */
    FILE *out;                      /* owned; opened by the first line */
    uint64_t n;
};

/* DIR/<folder>/<name of source>.jsonl; `dir` NULL: nothing is written, only counted. `copy` is how
 * many earlier files of the import have that name in other folders: a number then tells them
 * apart. */
VT_MUST_USE struct vt_err vt_aside_init(struct vt_aside *aside, const char *dir, const char *folder,
                                        const char *source, unsigned copy, struct vt_diag *diag);
VT_MUST_USE struct vt_err vt_aside_reject(struct vt_aside *aside, uint64_t line, const char *reason,
                                          struct vt_slice raw);
/* As a rejected row; `raw` is the record as it was handed to the store. */
VT_MUST_USE struct vt_err vt_aside_refused(struct vt_aside *aside, const struct vt_record *record,
                                           const char *reason);
VT_MUST_USE struct vt_err vt_aside_review(struct vt_aside *aside, const struct vt_record *record,
                                          const char *source);
/* Makes the file appear. ret_path (VT_ASIDE_PATH_BYTES) is empty when there is none. */
VT_MUST_USE struct vt_err vt_aside_commit(struct vt_aside *aside, struct vt_diag *diag,
                                          char *ret_path);
/* Drops what was not committed; zeroed is allowed. */
void vt_aside_fini(struct vt_aside *aside);

/* A text as a JSON string with its quotes; broken UTF-8 becomes U+FFFD. */
void vt_json_text(FILE *out, struct vt_slice text);

#endif
