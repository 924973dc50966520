#ifndef VT_BASE_ARENA_H
#define VT_BASE_ARENA_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A bounded bump allocator over one block of memory: one per call in flight, reset at its end.
 * Nothing taken from it is freed singly. When it is full every further request gets NULL and
 * `exhausted` stays set until the reset, so that a decoder can tell "too big" from "malformed".
 * With vt_arena_allow_spare the few calls that need more than usual get it from malloc, bounded
 * too, until the reset. One thread at a time.
 */
struct vt_arena {
    unsigned char *base; /* borrowed or owned, see below; of the newest block */
    size_t capacity;     /* bytes of that block */
    size_t used;         /* bytes of that block; where no spare is allowed, a place to go back to */
    size_t spare_bytes;  /* that may still be taken from malloc */
    struct vt__arena_spare *spares; /* owned, newest first */
    bool exhausted;
    bool owned;
};

/* Uses the caller's memory, which must outlive the arena. */
void vt_arena_init(struct vt_arena *arena, void *memory, size_t size_bytes);
/* Allocates its memory with malloc; false when there is none. Free with vt_arena_fini. */
bool vt_arena_init_owned(struct vt_arena *arena, size_t size_bytes);
/* Frees what _init_owned allocated; the arena is empty and full afterwards. */
void vt_arena_fini(struct vt_arena *arena);
/* Takes everything back at once; what was allocated is invalid. Spare blocks are freed, and their
 * bytes may be taken again. */
void vt_arena_reset(struct vt_arena *arena);
/* Lets a full arena go on with up to `size_bytes` more from malloc. Right after _init. */
void vt_arena_allow_spare(struct vt_arena *arena, size_t size_bytes);

/* 16-byte aligned, not cleared; NULL when full. O(1). */
void *vt_arena_alloc(struct vt_arena *arena, size_t size_bytes);
/* `align` is a power of two of at most 64. */
void *vt_arena_alloc_aligned(struct vt_arena *arena, size_t size_bytes, size_t align);
/* Cleared array; NULL when full or when count * size overflows. */
void *vt_arena_array(struct vt_arena *arena, size_t count, size_t size_bytes);
/* Copies with a NUL behind; data is NULL when full. */
struct vt_slice vt_arena_copy(struct vt_arena *arena, struct vt_slice bytes);
/* printf into the arena; data is NULL when full. */
struct vt_slice vt_arena_printf(struct vt_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
