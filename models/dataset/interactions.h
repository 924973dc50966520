#ifndef VT_DATASET_INTERACTIONS_H
#define VT_DATASET_INTERACTIONS_H

#include "models/dataset/dataset.h"
#include "services/common/base/slice.h"

#include <stdint.h>

/* Interactions as they are read, growing. Zero it first; one thread. */
struct vt_interactions {
    struct vt_interaction *list; /* owned */
    uint64_t n, capacity;
};
#define VT_INTERACTIONS_MAX (UINT64_C(1) << 30) /* 32 GiB of them: a larger file is a mistake */

VT_MUST_USE struct vt_err vt_interactions_append(struct vt_interactions *interactions,
                                                 const struct vt_interaction *interaction);
void vt_interactions_free(struct vt_interactions *interactions);

/*
 * Adjacency files (the LightGCN format): a line per user, `user item item item…`, unsigned integers
 * below 2^32 - 1, blanks or tabs between, LF or CRLF. A user without items and an empty line are
 * fine. The place in the line stands for time: later is newer. VT_INVALID with line, column and
 * what was found in `diag`; a file without a single interaction is VT_INVALID too. What was
 * read before a failure stays in `ret` for the caller to free.
 */
VT_MUST_USE struct vt_err vt_adjacency_read(const char *path, struct vt_diag *diag,
                                            struct vt_interactions *ret);
VT_MUST_USE struct vt_err vt_adjacency_parse(struct vt_slice bytes, struct vt_diag *diag,
                                             struct vt_interactions *ret);

#endif
