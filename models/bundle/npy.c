/*
 * numpy's file format 1.0: magic, version, length of a header that is a Python literal padded with
 * blanks so that the numbers begin at a multiple of 64, then the numbers.
 */
#include "models/bundle/npy.h"

#include "models/bundle/npy_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PREFIX_BYTES = 10 };

static const char *const descriptors[] = {
    [VT_ARRAY_F32] = "<f4", [VT_ARRAY_F64] = "<f8", [VT_ARRAY_U32] = "<u4", [VT_ARRAY_U64] = "<u8"};

void vt__npy_header(const char *descriptor, uint32_t n_dims, uint64_t rows, uint64_t cols,
                    char ret_header[VT__NPY_HEADER_BYTES + 1])
{
    char shape[64] = "";
    if (n_dims == 1)
        snprintf(shape, sizeof shape, "%" PRIu64 ",", rows);
    else if (n_dims == 2)
        snprintf(shape, sizeof shape, "%" PRIu64 ", %" PRIu64, rows, cols);
    memset(ret_header, ' ', VT__NPY_HEADER_BYTES);
    ret_header[VT__NPY_HEADER_BYTES] = '\0';
    memcpy(ret_header, "\x93NUMPY\x01\x00", 8);
    ret_header[8] = VT__NPY_HEADER_BYTES - PREFIX_BYTES; /* little-endian, below 256 */
    ret_header[9] = 0;
    int n = snprintf(ret_header + PREFIX_BYTES, VT__NPY_HEADER_BYTES - PREFIX_BYTES,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descriptor, shape);
    ret_header[PREFIX_BYTES + n] = ' '; /* snprintf's NUL */
    ret_header[VT__NPY_HEADER_BYTES - 1] = '\n';
}

static bool write_rows(FILE *out, const struct vt_array *array, uint64_t row_stride)
{
    uint64_t bytes = vt_array_type_bytes(array->type);
    const char *row = array->values;
    for (uint64_t i = 0; i < array->rows; i++, row += row_stride * bytes)
        if (fwrite(row, bytes, array->cols, out) != array->cols)
            return false;
    return true;
}

struct vt_err vt_npy_write(const char *path, const struct vt_array *array, uint64_t row_stride,
                           struct vt_diag *diag)
{
    char header[VT__NPY_HEADER_BYTES + 1];
    vt__npy_header(descriptors[array->type], array->n_dims, array->rows, array->cols, header);
    FILE *out = fopen(path, "wxe");
    bool written = out != NULL &&
                   fwrite(header, 1, VT__NPY_HEADER_BYTES, out) == VT__NPY_HEADER_BYTES &&
                   write_rows(out, array, row_stride);
    int sys = errno;
    if (out != NULL && fclose(out) != 0) {
        sys = errno;
        written = false;
    }
    if (written)
        return vt_ok();
    vt_diag_set(diag, "out", "cannot write %s: %s", path, strerror(sys));
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot write the numpy file");
}
