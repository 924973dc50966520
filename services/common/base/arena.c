/*
 * A pointer that moves up a block. Allocating is an addition and a comparison, giving back is
 * setting it to zero; a decoder that wants more than the block has gets NULL and cannot take the
 * process with it. Alignment is 16 unless asked for, since vectors of doubles live here too.
 */
#include "services/common/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/common/base/err.h"

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

void vt_arena_fini(struct vt_arena *arena)
{
    if (arena->owned)
        free(arena->base);
    *arena = (struct vt_arena){0};
}

void vt_arena_reset(struct vt_arena *arena)
{
    arena->used = 0;
    arena->exhausted = false;
}

void *vt_arena_alloc_aligned(struct vt_arena *arena, size_t size_bytes, size_t align)
{
    VT_ASSERT(align != 0 && (align & (align - 1)) == 0 && align <= 64);
    size_t padding = (size_t)(-(uintptr_t)(arena->base + arena->used) & (align - 1));
    size_t room = arena->capacity - arena->used;
    if (arena->exhausted || padding > room || size_bytes > room - padding) {
        arena->exhausted = true;
        return NULL;
    }
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
