/*
 * Counts who allocates. A program started with LD_PRELOAD=this and VITRINE_COUNT_ALLOCATIONS=FILE
 * writes to FILE, when it ends, a line for every place that asked for memory: how often, the file
 * the code is in, and its offset there. Takes over the functions of malloc(3) and hands on to those
 * that the program would have had. Any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 1 << 16, EARLY_BYTES = 64 << 10 };

/* A hash table that only grows; 0 is free. */
static struct {
    _Atomic uintptr_t caller;
    _Atomic uint64_t n;
} places[PLACES];

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static void *(*next_aligned_alloc)(size_t, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);

/* dlsym itself allocates, before there is anybody to hand on to. */
static _Alignas(64) char early[EARLY_BYTES];
static size_t early_used;

static void *early_alloc(size_t size)
{
    size_t begin = (early_used + 63) & ~(size_t)63;
    if (size > EARLY_BYTES - begin)
        return NULL;
    early_used = begin + size;
    return early + begin;
}

static _Bool is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + EARLY_BYTES;
}

/* POSIX has dlsym return a pointer to an object for a function. */
static void find(const char *name, void *ret_function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(ret_function, &found, sizeof found);
}

static void begin(void)
{
    static _Atomic int state; /* 0: nobody looks yet, 1: somebody does, 2: found */
    int expected = 0;
    if (!atomic_compare_exchange_strong(&state, &expected, 1))
        return;
    find("free", &next_free);
    find("calloc", &next_calloc);
    find("realloc", &next_realloc);
    find("aligned_alloc", &next_aligned_alloc);
    find("posix_memalign", &next_posix_memalign);
    find("malloc", &next_malloc);
    atomic_store(&state, 2);
}

static void count(const void *caller)
{
    uintptr_t key = (uintptr_t)caller;
    for (size_t at = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 48, tries = 0; tries < PLACES;
         at = (at + 1) % PLACES, tries++) {
        uintptr_t found = atomic_load_explicit(&places[at].caller, memory_order_relaxed);
        if (found == 0 && atomic_compare_exchange_strong(&places[at].caller, &found, key))
            found = key;
        if (found == key) {
            atomic_fetch_add_explicit(&places[at].n, 1, memory_order_relaxed);
            return;
        }
    }
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    if (next_malloc == NULL)
        begin();
    if (next_malloc == NULL)
        return early_alloc(size);
    count(CALLER);
    return next_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (next_malloc == NULL)
        begin();
    if (next_malloc == NULL)
        return early_alloc(n * size); /* of zeros, as static memory is */
    count(CALLER);
    return next_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    if (next_malloc == NULL)
        begin();
    count(CALLER);
    if (!is_early(memory))
        return next_realloc(memory, size);
    void *moved = next_malloc(size);
    if (moved != NULL)
        memcpy(moved, memory, size < EARLY_BYTES ? size : EARLY_BYTES);
    return moved;
}

void free(void *memory)
{
    if (memory != NULL && !is_early(memory))
        next_free(memory);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (next_malloc == NULL)
        begin();
    count(CALLER);
    return next_aligned_alloc(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    if (next_malloc == NULL)
        begin();
    count(CALLER);
    return next_posix_memalign(ret_memory, alignment, size);
}

/* C++'s new, as the libraries call it; a failed one throws there, so it is left to theirs. */
static void *(*next_new)(size_t);

void *operator_new(size_t size) __asm__("_Znwm");
void *operator_new(size_t size)
{
    if (next_new == NULL)
        find("_Znwm", &next_new);
    count(CALLER);
    return next_new(size);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("VITRINE_COUNT_ALLOCATIONS");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        uintptr_t caller = atomic_load(&places[i].caller);
        Dl_info info = {0};
        void *address = NULL;
        memcpy(&address, &caller, sizeof caller);
        if (caller != 0 && dladdr(address, &info) != 0)
            fprintf(file, "%llu %s %#lx\n", (unsigned long long)atomic_load(&places[i].n),
                    info.dli_fname, (unsigned long)(caller - (uintptr_t)info.dli_fbase));
    }
    (void)fclose(file);
}
