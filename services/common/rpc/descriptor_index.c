/*
 * The descriptor set is walked once, at start, along a table that says which fields of which
 * descriptor message declare a name. Names are joined with their scope into one block of memory,
 * and the symbols sorted for bisection.
 */
#include "services/common/rpc/descriptor_index.h"

#include "services/common/rpc/protowire.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of google/protobuf/descriptor.proto. */
enum { SET_FILE = 1, FILE_NAME = 1, FILE_PACKAGE = 2, FILE_DEPENDENCY = 3 };
enum { ANY_NAME = 1, FIELD_EXTENDEE = 2, FIELD_NUMBER = 3 };
enum { DEPTH_MAX = 16 };

struct symbol {
    struct vt_slice name; /* full; owned by the index */
    int file;
};

struct extension {
    struct vt_slice type;
    uint64_t number;
    int file;
};

struct file {
    struct vt_slice name, bytes;
};

struct vt__descriptor_index {
    struct file files[VT__FILES_MAX];
    int n_files;
    struct symbol *symbols;
    struct extension *extensions;
    size_t n_symbols, symbol_capacity, n_extensions, extension_capacity;
};

enum scope { SCOPE_FILE, SCOPE_MESSAGE, SCOPE_ENUM, SCOPE_SERVICE, SCOPE_LEAF };

/* In `inside`, field `number` declares something that is itself a `declares`. */
static const struct {
    enum scope inside;
    uint32_t number;
    enum scope declares;
    bool is_extension;
    bool in_parent; /* enum values are named beside their enum, not inside */
} declarations[] = {
    {SCOPE_FILE, 4, SCOPE_MESSAGE, false, false}, {SCOPE_FILE, 5, SCOPE_ENUM, false, false},
    {SCOPE_FILE, 6, SCOPE_SERVICE, false, false}, {SCOPE_FILE, 7, SCOPE_LEAF, true, false},
    {SCOPE_MESSAGE, 2, SCOPE_LEAF, false, false}, {SCOPE_MESSAGE, 3, SCOPE_MESSAGE, false, false},
    {SCOPE_MESSAGE, 4, SCOPE_ENUM, false, false}, {SCOPE_MESSAGE, 6, SCOPE_LEAF, true, false},
    {SCOPE_MESSAGE, 8, SCOPE_LEAF, false, false}, {SCOPE_ENUM, 2, SCOPE_LEAF, false, true},
    {SCOPE_SERVICE, 2, SCOPE_LEAF, false, false},
};
enum { N_DECLARATIONS = sizeof declarations / sizeof declarations[0] };

/* Where the walk stands. */
struct place {
    enum scope scope;
    struct vt_slice name;   /* full name of this scope */
    struct vt_slice parent; /* full name around it */
    int file;
    unsigned depth;
};

static struct vt_slice find_bytes(struct vt_slice message, uint32_t number)
{
    for (struct vt__wire_field field; vt__wire_next(&message, &field);)
        if (field.number == number && field.wire_type == 2)
            return field.bytes;
    return (struct vt_slice){0};
}

static uint64_t find_number(struct vt_slice message, uint32_t number)
{
    for (struct vt__wire_field field; vt__wire_next(&message, &field);)
        if (field.number == number && field.wire_type == 0)
            return field.value;
    return 0;
}

/* Room for one more element of an array that doubles; false when there is no memory. */
static bool grow(void **array, size_t n, size_t *capacity, size_t size_bytes)
{
    if (n < *capacity)
        return true;
    size_t wanted = *capacity > 0 ? *capacity * 2 : 256;
    void *larger = realloc(*array, wanted * size_bytes);
    if (larger == NULL)
        return false;
    *array = larger;
    *capacity = wanted;
    return true;
}

static struct vt_err join(struct vt_slice scope, struct vt_slice name, struct vt_slice *ret_full)
{
    size_t dot = scope.len > 0 ? 1 : 0;
    char *text = malloc(scope.len + dot + name.len + 1);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "no memory for reflection");
    if (dot > 0)
        memcpy(text, scope.data, scope.len);
    text[scope.len] = '.';
    memcpy(text + scope.len + dot, name.data, name.len);
    *ret_full = vt_slice(text, scope.len + dot + name.len);
    return vt_ok();
}

static struct vt_err add_symbol(struct vt__descriptor_index *index, struct vt_slice scope,
                                struct vt_slice name, int file, struct vt_slice *ret_full)
{
    void *symbols = index->symbols;
    bool room = grow(&symbols, index->n_symbols, &index->symbol_capacity, sizeof *index->symbols);
    index->symbols = symbols;
    VT_CHECK(room, VT_EXHAUSTED, "no memory for reflection");
    VT_TRY(join(scope, name, ret_full));
    index->symbols[index->n_symbols++] = (struct symbol){.name = *ret_full, .file = file};
    return vt_ok();
}

static struct vt_err add_extension(struct vt__descriptor_index *index, struct vt_slice field,
                                   int file)
{
    void *extensions = index->extensions;
    bool room = grow(&extensions, index->n_extensions, &index->extension_capacity,
                     sizeof *index->extensions);
    index->extensions = extensions;
    VT_CHECK(room, VT_EXHAUSTED, "no memory for reflection");
    struct vt_slice type = find_bytes(field, FIELD_EXTENDEE); /* ".package.Type" */
    if (type.len > 0 && type.data[0] == '.')
        type = vt_slice(type.data + 1, type.len - 1);
    index->extensions[index->n_extensions++] =
        (struct extension){.type = type, .number = find_number(field, FIELD_NUMBER), .file = file};
    return vt_ok();
}

static struct vt_err walk(struct vt__descriptor_index *index, struct place place,
                          struct vt_slice bytes);

static struct vt_err declare(struct vt__descriptor_index *index, struct place place, size_t kind,
                             struct vt_slice bytes)
{
    struct place inside = {.scope = declarations[kind].declares,
                           .parent = place.name,
                           .file = place.file,
                           .depth = place.depth + 1};
    struct vt_slice scope = declarations[kind].in_parent ? place.parent : place.name;
    VT_TRY(add_symbol(index, scope, find_bytes(bytes, ANY_NAME), place.file, &inside.name));
    if (declarations[kind].is_extension)
        VT_TRY(add_extension(index, bytes, place.file));
    return inside.scope == SCOPE_LEAF ? vt_ok() : walk(index, inside, bytes);
}

static struct vt_err walk(struct vt__descriptor_index *index, struct place place,
                          struct vt_slice bytes)
{
    VT_CHECK(place.depth < DEPTH_MAX, VT_CORRUPT, "descriptors are nested too deep");
    for (struct vt__wire_field field; vt__wire_next(&bytes, &field);)
        for (size_t kind = 0; kind < N_DECLARATIONS; kind++)
            if (declarations[kind].inside == place.scope &&
                declarations[kind].number == field.number && field.wire_type == 2)
                VT_TRY(declare(index, place, kind, field.bytes));
    VT_CHECK(bytes.len == 0, VT_CORRUPT, "descriptor set is damaged");
    return vt_ok();
}

static int compare_slices(struct vt_slice a, struct vt_slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_symbols(const void *a, const void *b)
{
    return compare_slices(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static struct vt_err read_set(struct vt__descriptor_index *index, struct vt_slice set)
{
    for (struct vt__wire_field field; vt__wire_next(&set, &field);) {
        VT_CHECK(field.number == SET_FILE && field.wire_type == 2, VT_CORRUPT,
                 "not a FileDescriptorSet");
        VT_CHECK(index->n_files < VT__FILES_MAX, VT_EXHAUSTED, "too many .proto files");
        int file = index->n_files++;
        index->files[file] =
            (struct file){.name = find_bytes(field.bytes, FILE_NAME), .bytes = field.bytes};
        struct place place = {
            .scope = SCOPE_FILE, .name = find_bytes(field.bytes, FILE_PACKAGE), .file = file};
        VT_TRY(walk(index, place, field.bytes));
    }
    VT_CHECK(set.len == 0, VT_CORRUPT, "descriptor set is damaged");
    if (index->n_symbols > 0)
        qsort(index->symbols, index->n_symbols, sizeof *index->symbols, compare_symbols);
    return vt_ok();
}

struct vt_err vt__descriptor_index_new(struct vt_slice set, struct vt__descriptor_index **ret_index)
{
    struct vt__descriptor_index *index = calloc(1, sizeof *index);
    VT_CHECK(index != NULL, VT_EXHAUSTED, "no memory for reflection");
    struct vt_err err = read_set(index, set);
    if (vt_failed(err)) {
        vt__descriptor_index_free(index);
        return err;
    }
    *ret_index = index;
    return vt_ok();
}

void vt__descriptor_index_free(struct vt__descriptor_index *index)
{
    if (index == NULL)
        return;
    for (size_t i = 0; i < index->n_symbols; i++)
        free((void *)(uintptr_t)index->symbols[i].name.data);
    free(index->symbols);
    free(index->extensions);
    free(index);
}

int vt__descriptor_file(const struct vt__descriptor_index *index, struct vt_slice name)
{
    for (int i = 0; i < index->n_files; i++)
        if (vt_slice_equal(index->files[i].name, name))
            return i;
    return VT__NO_FILE;
}

int vt__descriptor_symbol(const struct vt__descriptor_index *index, struct vt_slice full_name)
{
    if (full_name.len == 0 || index->n_symbols == 0)
        return VT__NO_FILE;
    struct symbol wanted = {.name = full_name};
    const struct symbol *found =
        bsearch(&wanted, index->symbols, index->n_symbols, sizeof *index->symbols, compare_symbols);
    return found != NULL ? found->file : VT__NO_FILE;
}

int vt__descriptor_extension(const struct vt__descriptor_index *index, struct vt_slice type,
                             uint64_t number)
{
    for (size_t i = 0; i < index->n_extensions; i++)
        if (index->extensions[i].number == number &&
            vt_slice_equal(index->extensions[i].type, type))
            return index->extensions[i].file;
    return VT__NO_FILE;
}

size_t vt__descriptor_extension_numbers(const struct vt__descriptor_index *index,
                                        struct vt_slice type, uint64_t *numbers, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < index->n_extensions; i++) {
        if (!vt_slice_equal(index->extensions[i].type, type))
            continue;
        if (n < capacity)
            numbers[n] = index->extensions[i].number;
        n++;
    }
    return n;
}

uint64_t vt__descriptor_with_imports(const struct vt__descriptor_index *index, int file)
{
    uint64_t wanted = UINT64_C(1) << file, done = 0;
    while (wanted != done) {
        int next = __builtin_ctzll(wanted & ~done);
        struct vt_slice bytes = index->files[next].bytes;
        for (struct vt__wire_field field; vt__wire_next(&bytes, &field);) {
            if (field.number != FILE_DEPENDENCY)
                continue;
            int imported = vt__descriptor_file(index, field.bytes);
            if (imported != VT__NO_FILE)
                wanted |= UINT64_C(1) << imported;
        }
        done |= UINT64_C(1) << next;
    }
    return wanted;
}

struct vt_slice vt__descriptor_bytes(const struct vt__descriptor_index *index, int file)
{
    return index->files[file].bytes;
}
