#ifndef VT_BUNDLE_ARRAY_H
#define VT_BUNDLE_ARRAY_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdint.h>

/*
 * One array in one file: a 64-byte header, then the numbers, little-endian, row-major, so that a
 * mapping of the file is the array. Header, all little-endian:
 *
 *   0  magic "VTARRAY\0"      16  dimensions, 1 or 2     24  rows      40  payload bytes
 *   8  format, 1              20  zero                   32  columns   48  zero up to 64
 *  12  number type
 *
 * A 1-dimensional array has 1 column. Everything not named is zero and is checked to be, so that
 * the same array has one encoding. Values are immutable after open; any thread.
 */
enum vt_array_type { VT_ARRAY_F32 = 1, VT_ARRAY_F64 = 2, VT_ARRAY_U32 = 3, VT_ARRAY_U64 = 4 };

enum { VT_ARRAY_FORMAT = 1, VT_ARRAY_HEADER_BYTES = 64 };
/* No array of ours has more rows or columns; keeps every product below 2^63. */
#define VT_ARRAY_SIDE_MAX (UINT64_C(1) << 36)

struct vt_array {
    enum vt_array_type type;
    uint32_t n_dims;       /* 1 or 2 */
    uint64_t rows, cols;   /* cols is 1 when n_dims is 1 */
    const void *values;    /* rows × cols, 64-byte aligned when mapped */
    struct vt_slice bytes; /* the whole mapping; empty when not mapped */
};

/* Bytes of one number; 0 for a type that there is not. */
uint64_t vt_array_type_bytes(enum vt_array_type type);

/* The header of type, dimensions and shape; `values` is not looked at. */
void vt_array_header_encode(const struct vt_array *array, unsigned char ret_header[64]);
/* Judges header and length of a whole file; `values` points into `file`. VT_CORRUPT with the reason
 * in `diag`. Never reads outside `file`. */
VT_MUST_USE struct vt_err vt_array_decode(struct vt_slice file, struct vt_diag *diag,
                                          struct vt_array *ret_array);

/* A new file with the array in it, fsynced; the folder is the caller's to sync. */
VT_MUST_USE struct vt_err vt_array_write(const char *path, const struct vt_array *array,
                                         struct vt_diag *diag);
/* Maps a file; `diag` names it. Unmap with vt_array_close. */
VT_MUST_USE struct vt_err vt_array_open(const char *path, struct vt_diag *diag,
                                        struct vt_array *ret_array);
/* Unmaps and zeroes; zeroed is allowed. */
void vt_array_close(struct vt_array *array);

#endif
