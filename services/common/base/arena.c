/*
 * A pointer that moves up a block. Allocating is an addition and a comparison, giving back is
 * setting it to zero; a decoder that wants more than the block has gets NULL and cannot take the
 * process with it. Alignment is 16 unless asked for, since vectors of doubles live here too.
 */
#include "services/common/base/arena.h"

#include "services/common/base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Heads a block from malloc; what the arena was before it is kept here. The bytes follow. */
struct vt__arena_spare {
    struct vt__arena_spare *next;
    unsigned char *base;
    size_t capacity;
};
enum { SPARE_HEAD_BYTES = 64, ALIGN_MAX = 64 };
_Static_assert(sizeof(struct vt__arena_spare) <= SPARE_HEAD_BYTES, "the head fits");

void vt_arena_init(struct vt_arena *arena, void *memory, size_t size_bytes)
{
    *arena = (struct vt_arena){.base = memory, .capacity = size_bytes};
}

bool vt_arena_init_owned(struct vt_arena *arena, size_t size_bytes)
{
    void *memory = malloc(size_bytes);
    if (memory == NULL)
        return false;
    vt_arena_init(arena, memory, size_bytes);
    arena->owned = true;
    return true;
}

void vt_arena_allow_spare(struct vt_arena *arena, size_t size_bytes)
{
    arena->spare_bytes = size_bytes;
}

static void drop_spares(struct vt_arena *arena)
{
    for (struct vt__arena_spare *spare; (spare = arena->spares) != NULL;) {
        arena->spare_bytes += SPARE_HEAD_BYTES + arena->capacity;
        arena->spares = spare->next;
        arena->base = spare->base;
        arena->capacity = spare->capacity;
        free(spare);
    }
}

/* A new block with room for `size_bytes` at any alignment; as large as the one before, so that
 * their number grows slowly and little is wasted. False when that is not allowed or there is none.
 */
static bool take_spare(struct vt_arena *arena, size_t size_bytes)
{
    if (arena->spare_bytes < SPARE_HEAD_BYTES + ALIGN_MAX ||
        size_bytes > arena->spare_bytes - SPARE_HEAD_BYTES - ALIGN_MAX)
        return false;
    size_t room = arena->spare_bytes - SPARE_HEAD_BYTES, capacity = size_bytes + ALIGN_MAX;
    if (capacity < arena->capacity)
        capacity = arena->capacity < room ? arena->capacity : room;
    struct vt__arena_spare *spare = malloc(SPARE_HEAD_BYTES + capacity);
    if (spare == NULL)
        return false;
    *spare = (struct vt__arena_spare){arena->spares, arena->base, arena->capacity};
    arena->spares = spare;
    arena->base = (unsigned char *)spare + SPARE_HEAD_BYTES;
    arena->capacity = capacity;
    arena->used = 0;
    arena->spare_bytes -= SPARE_HEAD_BYTES + capacity;
    return true;
}

void vt_arena_fini(struct vt_arena *arena)
{
    drop_spares(arena);
    if (arena->owned)
        free(arena->base);
    *arena = (struct vt_arena){0};
}

void vt_arena_reset(struct vt_arena *arena)
{
    drop_spares(arena);
    arena->used = 0;
    arena->exhausted = false;
}

static size_t padding_for(const struct vt_arena *arena, size_t align)
{
    return (size_t)(-(uintptr_t)(arena->base + arena->used) & (align - 1));
}

static bool has_room(const struct vt_arena *arena, size_t padding, size_t size_bytes)
{
    size_t room = arena->capacity - arena->used;
    return padding <= room && size_bytes <= room - padding;
}

void *vt_arena_alloc_aligned(struct vt_arena *arena, size_t size_bytes, size_t align)
{
    VT_ASSERT(align != 0 && (align & (align - 1)) == 0 && align <= ALIGN_MAX);
    size_t padding = padding_for(arena, align);
    if (!arena->exhausted && !has_room(arena, padding, size_bytes)) {
        arena->exhausted = !take_spare(arena, size_bytes);
        padding = padding_for(arena, align);
    }
    if (arena->exhausted)
        return NULL;
    void *result = arena->base + arena->used + padding;
    arena->used += padding + size_bytes;
    return result;
}

void *vt_arena_alloc(struct vt_arena *arena, size_t size_bytes)
{
    return vt_arena_alloc_aligned(arena, size_bytes, 16);
}

void *vt_arena_array(struct vt_arena *arena, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        arena->exhausted = true;
        return NULL;
    }
    void *result = vt_arena_alloc(arena, total);
    if (result != NULL)
        memset(result, 0, total);
    return result;
}

struct vt_slice vt_arena_copy(struct vt_arena *arena, struct vt_slice bytes)
{
    char *copy = vt_arena_alloc_aligned(arena, bytes.len + 1, 1);
    if (copy == NULL)
        return vt_slice(NULL, 0);
    if (bytes.len != 0)
        memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return vt_slice(copy, bytes.len);
}

struct vt_slice vt_arena_printf(struct vt_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = needed < 0 ? NULL : vt_arena_alloc_aligned(arena, (size_t)needed + 1, 1);
    if (text == NULL)
        return vt_slice(NULL, 0);
    va_start(args, format);
    vsnprintf(text, (size_t)needed + 1, format, args);
    va_end(args);
    return vt_slice(text, (size_t)needed);
}
