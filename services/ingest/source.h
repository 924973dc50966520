#ifndef VT_INGEST_SOURCE_H
#define VT_INGEST_SOURCE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The lines of a file, unpacked on a thread of its own when it is an .xz, .gz or .zst (told by
 * content). Bounded memory whatever the file holds. One reading thread.
 */
enum {
    VT_LINE_BYTES_MAX = 1 << 20,   /* longer lines are skipped and told as such */
    VT_SOURCE_HEAD_BYTES = 1 << 16 /* what formats are recognised by */
};

struct vt_source;

/* VT_NOT_FOUND, VT_INVALID (a folder, an empty file, not readable, UTF-16, binary) with the path in
 * `diag`. */
VT_MUST_USE struct vt_err vt_source_open(const char *path, struct vt_diag *diag,
                                         struct vt_source **ret_source);
/* Stops the thread, wherever it is. NULL is allowed. */
void vt_source_close(struct vt_source *source);

/* The first bytes, unpacked; borrowed, valid until the first vt_source_next. */
struct vt_slice vt_source_head(const struct vt_source *source);

struct vt_line {
    struct vt_slice text; /* without its end; valid until the next call */
    uint64_t number;      /* 1-based */
    bool too_long;        /* then text is its beginning */
};
/* *ret_end: no more. VT_CORRUPT: the archive is cut off or damaged; what came before is good. */
VT_MUST_USE struct vt_err vt_source_next(struct vt_source *source, struct vt_diag *diag,
                                         struct vt_line *ret_line, bool *ret_end);
/* Bytes of the file (packed) read so far, and its size, for progress. Any thread. */
uint64_t vt_source_position(const struct vt_source *source, uint64_t *ret_size);

#endif
