#ifndef VT_PROFILE_LAYOUT_H
#define VT_PROFILE_LAYOUT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"
#include "services/profile/codec.h"

#include <stdint.h>

/*
 * Which layout of rows a store has, and which store it is. A layout says what a reader may count on
 * beyond the format byte of each value: which families and rows are there, what they mean together.
 * A store without the row has layout 1, the first. See docs/data-formats.md.
 */
struct vt_profile;

enum {
    VT__LAYOUT = 3,         /* what this version writes */
    VT__STORE_ID_BYTES = 16 /* random; a backup and what is restored from it keep it */
};

struct vt__layout {
    uint32_t number;
    unsigned char store_id[VT__STORE_ID_BYTES]; /* zeros in layout 1 */
};
void vt__layout_encode(const struct vt__layout *layout, struct vt__buffer *buffer);
/* VT_CORRUPT when it is no such row. Of a later layout only the number is read. */
VT_MUST_USE struct vt_err vt__layout_decode(struct vt_slice bytes, struct vt__layout *ret_layout);

/* Reads the store's layout into the profile, first of all rows. VT_PRECONDITION: of a later
 * version; VT_CORRUPT. */
VT_MUST_USE struct vt_err vt__layout_read(struct vt_profile *profile, struct vt_diag *diag);
/* Brings an older layout up to ours before the writer starts, step by step; each step is one
 * fsynced batch, so that a crash between two leaves a store that opens. */
VT_MUST_USE struct vt_err vt__layout_upgrade(struct vt_profile *profile, struct vt_diag *diag);

#endif
