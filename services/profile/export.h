#ifndef VT_PROFILE_EXPORT_H
#define VT_PROFILE_EXPORT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/identity.h"
#include "services/common/base/slice.h"

#include <stdbool.h>

/*
 * Everything that is held about one customer and all that were merged into it, as lines of JSON:
 * what docs/data-formats.md says under "An export". Beginning one is an entry of the audit log. It
 * is read as it is told: nothing is pinned between two lines, so a slow reader holds up nobody,
 * and an erasure meanwhile ends the export. One thread at a time, one that may block.
 */
struct vt_profile;
struct vt_export;

/* `actor` says in the audit log who asked. VT_NOT_FOUND: nobody has this id; VT_INVALID;
 * VT_PRECONDITION: the store was opened without the key of its audit log; VT_EXHAUSTED,
 * VT_UNAVAILABLE: the entry could not be written, so nothing is told. */
VT_MUST_USE struct vt_err vt_export_open(struct vt_profile *profile, const struct vt_identity *who,
                                         const char *actor, struct vt_diag *diag,
                                         struct vt_export **ret_export);
void vt_export_close(struct vt_export *export); /* NULL is allowed */

/* The next line without its newline, borrowed until the next call; *ret_more false behind the last,
 * whose record is "end". VT_UNAVAILABLE: the customer was erased, or merged into another,
 * meanwhile; asking again tells which. VT_CORRUPT: something of theirs is damaged. Memory is that
 * of one log block and 64 KiB of lines. */
VT_MUST_USE struct vt_err vt_export_next(struct vt_export *export, struct vt_diag *diag,
                                         struct vt_slice *ret_line, bool *ret_more);

#endif
