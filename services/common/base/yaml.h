#ifndef VT_BASE_YAML_H
#define VT_BASE_YAML_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A YAML file as a tree in which every node knows its line, and readers that judge a node and say
 * what would be right. For configuration that is more than keys and values (those are options.h's).
 * Anchors, aliases and several documents are refused, depth and size are bounded. One thread.
 */
enum { VT_YAML_FILE_BYTES_MAX = 1 << 20, VT_YAML_DEPTH_MAX = 12 };

enum vt_yaml_kind { VT_YAML_SCALAR, VT_YAML_LIST, VT_YAML_MAP };
struct vt_yaml_node {
    enum vt_yaml_kind kind;
    uint64_t line;        /* of its key, where it has one */
    const char *key;      /* in a map; never empty, each once; NULL: an entry of a list, the root */
    struct vt_slice text; /* of a scalar, NUL-terminated */
    struct vt_yaml_node *first, *next; /* children; the node behind this one */
    uint32_t n;                        /* children */
};

/* Owns its nodes. Zero it first. */
struct vt_yaml {
    const char *path; /* borrowed */
    struct vt_arena arena;
    struct vt_yaml_node *root; /* a map; an empty file is an empty map */
};

/* VT_INVALID with path and line in `diag`; VT_EXHAUSTED when the file is over
 * VT_YAML_FILE_BYTES_MAX. `path` must outlive the tree. Blocking. */
VT_MUST_USE struct vt_err vt_yaml_load(const char *path, struct vt_diag *diag,
                                       struct vt_yaml *ret_yaml);
void vt_yaml_free(struct vt_yaml *yaml); /* zeroed is allowed */

/* What readers pass on: where messages go. */
struct vt_yaml_reader {
    const char *path;
    struct vt_diag *diag;   /* may be NULL */
    struct vt_arena *arena; /* for what outlives the tree; borrowed */
};

/* VT_INVALID, with "path:line: key: " before the text. */
VT_MUST_USE struct vt_err vt_yaml_refuse(const struct vt_yaml_reader *reader,
                                         const struct vt_yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One key that a map may have, and who reads it into the target. */
typedef struct vt_err (*vt_yaml_read_fn)(const struct vt_yaml_reader *reader,
                                         const struct vt_yaml_node *node, void *target);
struct vt_yaml_field {
    const char *key;
    vt_yaml_read_fn read;
};
/* Hands every key of the map to its field; one that no field has is refused with the nearest. */
VT_MUST_USE struct vt_err vt_yaml_read_map(const struct vt_yaml_reader *reader,
                                           const struct vt_yaml_node *node,
                                           const struct vt_yaml_field *fields, size_t n_fields,
                                           void *target);
/* Refuses a node that is no list, or has more than `max` entries. */
VT_MUST_USE struct vt_err vt_yaml_check_list(const struct vt_yaml_reader *reader,
                                             const struct vt_yaml_node *node, uint32_t max);

/* Scalars. Numbers are finite and within min … max. */
VT_MUST_USE struct vt_err vt_yaml_read_f64(const struct vt_yaml_reader *reader,
                                           const struct vt_yaml_node *node, double min, double max,
                                           double *ret_value);
VT_MUST_USE struct vt_err vt_yaml_read_u32(const struct vt_yaml_reader *reader,
                                           const struct vt_yaml_node *node, uint32_t min,
                                           uint32_t max, uint32_t *ret_value);
/* "14d", "36h", "10m": in milliseconds, above 0. */
VT_MUST_USE struct vt_err vt_yaml_read_duration(const struct vt_yaml_reader *reader,
                                                const struct vt_yaml_node *node, int64_t max_ms,
                                                int64_t *ret_ms);
/* A day, "2026-06-01": its beginning in UTC, Unix milliseconds. */
VT_MUST_USE struct vt_err vt_yaml_read_day(const struct vt_yaml_reader *reader,
                                           const struct vt_yaml_node *node, int64_t *ret_ms);
/* One of the names; a wrong one is refused with the nearest right one. */
VT_MUST_USE struct vt_err vt_yaml_read_choice(const struct vt_yaml_reader *reader,
                                              const struct vt_yaml_node *node,
                                              const char *const *names, size_t n_names,
                                              unsigned *ret_choice);
/* A text of 1 to `max` bytes, copied into the reader's arena. */
VT_MUST_USE struct vt_err vt_yaml_read_text(const struct vt_yaml_reader *reader,
                                            const struct vt_yaml_node *node, size_t max,
                                            struct vt_slice *ret_text);
/* A list of such texts, or one text: a list of one. */
VT_MUST_USE struct vt_err vt_yaml_read_texts(const struct vt_yaml_reader *reader,
                                             const struct vt_yaml_node *node, uint32_t n_max,
                                             size_t max, const struct vt_slice **ret_texts,
                                             uint32_t *ret_n);

#endif
