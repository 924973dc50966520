#ifndef VT_WIRE_PAGE_H
#define VT_WIRE_PAGE_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdint.h>

/*
 * Page tokens: where a list goes on, as text that callers hand back and do not look into. base64url
 * without padding over a byte for the list (so that a token of one list is no token of another) and
 * the place. Any thread.
 */
enum { VT_PAGE_PLACE_BYTES_MAX = 64 };

/* Empty when the arena is full. `place` has at most VT_PAGE_PLACE_BYTES_MAX bytes. */
struct vt_slice vt_page_token(struct vt_arena *arena, char list, struct vt_slice place);
struct vt_slice vt_page_token_u64(struct vt_arena *arena, char list, uint64_t place);

/* An empty token is the first page: the place is empty, or 0. VT_INVALID for what this list did not
 * hand out; `diag` then names page_token. The place lives in the arena. */
VT_MUST_USE struct vt_err vt_page_place(struct vt_arena *arena, char list, struct vt_slice token,
                                        struct vt_diag *diag, struct vt_slice *ret_place);
/* A place above `max` is no token of this list either. */
VT_MUST_USE struct vt_err vt_page_place_u64(char list, struct vt_slice token, uint64_t max,
                                            struct vt_diag *diag, uint64_t *ret_place);
/* 0 reads as VT_PAGE_DEFAULT; more than VT_PAGE_MAX is VT_INVALID. */
VT_MUST_USE struct vt_err vt_page_size(uint32_t asked, struct vt_diag *diag, uint32_t *ret_size);

#endif
