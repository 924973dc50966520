#ifndef VT_INGEST_READER_H
#define VT_INGEST_READER_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/fields.h"

/*
 * A format: lines in, rows out. One file reader_<format>.c each; formats.c lists them. A reader
 * keeps nothing but what its header said, and a line that it cannot read is rejected with its
 * number and the rest goes on; only a file that is wrong as a whole (its header) is an error.
 */
struct vt_reader_output {
    void *ctx;
    struct vt_err (*row)(void *ctx, const struct vt_row *row);
    /* A line that cannot be read. `reason` is for people; `raw` may be cut. */
    struct vt_err (*reject)(void *ctx, uint64_t line, const char *reason, struct vt_slice raw);
    /* A line that holds nothing: a header, an empty one. */
    void (*blank)(void *ctx);
};

struct vt_reader_options {
    const char *path;        /* borrowed */
    const char *const *maps; /* "field=column", NULL-terminated, may be NULL; borrowed */
    struct vt_slice head;    /* the file's beginning, valid during open */
    struct vt_reader_output out;
};

struct vt_format {
    const char *name;
    const char *timezone; /* of its times, unless told; NULL: UTC */
    const char *currency; /* of its amounts, unless told; NULL: none */
    const char *type;     /* of its events, where no column says; NULL: none */
    bool latin1;          /* unless told otherwise */
    bool guests;          /* an order without customer stands for a visitor */
    bool time_from_order;
    int64_t time_shift_ms; /* added to its times, which are older than any event may be */
    bool (*sniff)(const char *path, struct vt_slice head);
    struct vt_err (*open)(const struct vt_reader_options *options, struct vt_diag *diag,
                          void **ret_reader);
    struct vt_err (*line)(void *reader, struct vt_slice text, uint64_t number,
                          struct vt_diag *diag);
    struct vt_err (*end)(void *reader, struct vt_diag *diag); /* NULL: nothing to do */
    void (*close)(void *reader);
};

extern const struct vt_format vt_format_jsonl, vt_format_csv, vt_format_movielens,
    vt_format_online_retail, vt_format_adjacency;

/* All formats, the most particular first; NULL-terminated. */
extern const struct vt_format *const vt_formats[];
/* By name, or by the file when `name` is NULL; NULL when none fits. */
const struct vt_format *vt_format_pick(const char *name, const char *path, struct vt_slice head);

/* The name of a path without folders, and without .xz, .gz, .zst at its end. */
struct vt_slice vt_path_stem(const char *path);
/* The first line of a head, without its end. */
struct vt_slice vt_first_line(struct vt_slice head);
bool vt_slice_starts(struct vt_slice text, const char *beginning);
/* Splits at a byte into at most `max` parts; the last keeps what is left. */
size_t vt_slice_split(struct vt_slice text, char at, struct vt_slice *ret_parts, size_t max);

#endif
