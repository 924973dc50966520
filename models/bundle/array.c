/*
 * Arrays on disk. The header is read and written byte by byte (its layout is ours, not the
 * compiler's); the payload is the memory of a little-endian machine, which is what every machine we
 * build for is, and what makes a mapping free. The decoder takes a slice, so that the fuzzer, the
 * mapping and the tests share it.
 */
#include "models/bundle/array.h"

#include "services/common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "payloads are mapped as they are");

static const unsigned char magic[8] = "VTARRAY";

enum {
    AT_FORMAT = 8,
    AT_TYPE = 12,
    AT_DIMS = 16,
    AT_ZERO = 20,
    AT_ROWS = 24,
    AT_COLS = 32,
    AT_PAYLOAD = 40,
    AT_PADDING = 48
};

static const uint64_t type_bytes[] = {
    [VT_ARRAY_F32] = 4,
    [VT_ARRAY_F64] = 8,
    [VT_ARRAY_U32] = 4,
    [VT_ARRAY_U64] = 8,
};

uint64_t vt_array_type_bytes(enum vt_array_type type)
{
    return type_bytes[type];
}

static void put_le(unsigned char *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_le(const unsigned char *at, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint64_t payload_bytes(const struct vt_array *array)
{
    return array->rows * array->cols * vt_array_type_bytes(array->type);
}

void vt_array_header_encode(const struct vt_array *array, unsigned char ret_header[64])
{
    memset(ret_header, 0, VT_ARRAY_HEADER_BYTES);
    memcpy(ret_header, magic, sizeof magic);
    put_le(ret_header + AT_FORMAT, VT_ARRAY_FORMAT, 4);
    put_le(ret_header + AT_TYPE, array->type, 4);
    put_le(ret_header + AT_DIMS, array->n_dims, 4);
    put_le(ret_header + AT_ROWS, array->rows, 8);
    put_le(ret_header + AT_COLS, array->cols, 8);
    put_le(ret_header + AT_PAYLOAD, payload_bytes(array), 8);
}

static struct vt_err refuse(struct vt_diag *diag, const char *field, const char *reason)
{
    vt_diag_set(diag, field, "%s", reason);
    return VT_ERR(VT_CORRUPT, "array header is damaged");
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static struct vt_err decode_header(const unsigned char *header, struct vt_diag *diag,
                                   struct vt_array *array)
{
    if (memcmp(header, magic, sizeof magic) != 0)
        return refuse(diag, "magic", "not an array of ours");
    if (get_le(header + AT_FORMAT, 4) != VT_ARRAY_FORMAT)
        return refuse(diag, "format",
                      "array format is not 1; a newer version wrote it, or it is "
                      "damaged");
    uint64_t type = get_le(header + AT_TYPE, 4), n_dims = get_le(header + AT_DIMS, 4);
    if (type < VT_ARRAY_F32 || type > VT_ARRAY_U64)
        return refuse(diag, "type", "unknown number type");
    array->type = (enum vt_array_type)type;
    array->n_dims = (uint32_t)n_dims;
    array->rows = get_le(header + AT_ROWS, 8);
    array->cols = get_le(header + AT_COLS, 8);
    if ((n_dims != 1 && n_dims != 2) || (n_dims == 1 && array->cols != 1))
        return refuse(diag, "dimensions", "not 1 or 2 dimensions");
    if (array->rows > VT_ARRAY_SIDE_MAX || array->cols > VT_ARRAY_SIDE_MAX ||
        (array->cols > 0 && array->rows > VT_ARRAY_SIDE_MAX / array->cols))
        return refuse(diag, "shape", "shape is impossibly large");
    if (!is_zero(header + AT_ZERO, 4) ||
        !is_zero(header + AT_PADDING, VT_ARRAY_HEADER_BYTES - AT_PADDING))
        return refuse(diag, "padding", "header padding is not zero");
    return vt_ok();
}

struct vt_err vt_array_decode(struct vt_slice file, struct vt_diag *diag,
                              struct vt_array *ret_array)
{
    if (file.len < VT_ARRAY_HEADER_BYTES)
        return refuse(diag, "length", "shorter than its header: truncated");
    struct vt_array array = {0};
    const unsigned char *header = (const unsigned char *)file.data;
    VT_TRY(decode_header(header, diag, &array));
    uint64_t payload = file.len - VT_ARRAY_HEADER_BYTES;
    if (get_le(header + AT_PAYLOAD, 8) != payload_bytes(&array))
        return refuse(diag, "payload", "payload size does not follow from shape and type");
    if (payload != payload_bytes(&array)) {
        vt_diag_set(diag, "length", "%" PRIu64 " bytes of numbers where the shape wants %" PRIu64,
                    payload, payload_bytes(&array));
        return VT_ERR(VT_CORRUPT, "array is truncated or overlong");
    }
    array.values = file.data + VT_ARRAY_HEADER_BYTES;
    *ret_array = array;
    return vt_ok();
}

static struct vt_err write_all(int fd, const void *bytes, uint64_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t wrote = write(fd, at, n > INT32_MAX ? (size_t)INT32_MAX : (size_t)n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write the array");
        at += wrote;
        n -= (uint64_t)wrote;
    }
    return vt_ok();
}

static struct vt_err write_array(int fd, const struct vt_array *array)
{
    unsigned char header[VT_ARRAY_HEADER_BYTES];
    vt_array_header_encode(array, header);
    VT_TRY(write_all(fd, header, sizeof header));
    VT_TRY(write_all(fd, array->values, payload_bytes(array)));
    if (fsync(fd) != 0)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot sync the array");
    return vt_ok();
}

struct vt_err vt_array_write(const char *path, const struct vt_array *array, struct vt_diag *diag)
{
    struct vt_err err;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        err = VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot create the array");
    } else {
        err = write_array(fd, array);
        if (close(fd) != 0 && !vt_failed(err))
            err = VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot close the array");
    }
    if (vt_failed(err))
        vt_diag_set(diag, "", "%s: %s: %s", path, err.what, strerror(err.sys));
    return err;
}

struct vt_err vt_array_open(const char *path, struct vt_diag *diag, struct vt_array *ret_array)
{
    struct vt_slice bytes;
    VT_TRY(vt_file_map(path, diag, &bytes));
    struct vt_array array;
    struct vt_diag reason = {0};
    struct vt_err err = vt_array_decode(bytes, &reason, &array);
    if (vt_failed(err)) {
        vt_file_unmap(bytes);
        vt_diag_set(diag, reason.field, "%s: %s", path, reason.text);
        return err;
    }
    array.bytes = bytes;
    *ret_array = array;
    return vt_ok();
}

void vt_array_close(struct vt_array *array)
{
    if (array->bytes.len > 0)
        vt_file_unmap(array->bytes);
    *array = (struct vt_array){0};
}
