#ifndef VT_RPC_DESCRIPTOR_INDEX_H
#define VT_RPC_DESCRIPTOR_INDEX_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a serialised google.protobuf.FileDescriptorSet declares: files by name, symbols by full name
 * (messages, fields, oneofs, enums and their values, services, methods, extensions), extensions by
 * type and number. For trusted bytes, which are borrowed. Immutable after _new: any thread.
 */
struct vt__descriptor_index;

/* VT_CORRUPT when the set cannot be read; VT_EXHAUSTED over VT__FILES_MAX files or without memory.
 */
VT_MUST_USE struct vt_err vt__descriptor_index_new(struct vt_slice set,
                                                   struct vt__descriptor_index **ret_index);
void vt__descriptor_index_free(struct vt__descriptor_index *index); /* NULL is allowed */

enum { VT__FILES_MAX = 64, VT__NO_FILE = -1 };

/* Each gives a file's number, or VT__NO_FILE. O(log n) for symbols. */
int vt__descriptor_file(const struct vt__descriptor_index *index, struct vt_slice name);
int vt__descriptor_symbol(const struct vt__descriptor_index *index, struct vt_slice full_name);
int vt__descriptor_extension(const struct vt__descriptor_index *index, struct vt_slice type,
                             uint64_t number);
/* The numbers that extend the type, into `numbers`; returns how many there are. */
size_t vt__descriptor_extension_numbers(const struct vt__descriptor_index *index,
                                        struct vt_slice type, uint64_t *numbers, size_t capacity);
/* The file and all it imports, each once, as bits of the result. */
uint64_t vt__descriptor_with_imports(const struct vt__descriptor_index *index, int file);
/* The serialised FileDescriptorProto. */
struct vt_slice vt__descriptor_bytes(const struct vt__descriptor_index *index, int file);

#endif
