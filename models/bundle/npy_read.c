/*
 * Reading numpy's file format strictly: magic, version, length, then a Python literal of which
 * only the form that numpy itself writes is taken: a dict of exactly the keys descr, fortran_order
 * and shape, in any order, strings in either quote, no escapes. A cursor walks it once; each step
 * either takes what it expects or leaves the cursor where it was, and the first that fails says
 * where. The numbers are read byte by byte, since a file's rows need no alignment.
 */
#include "models/bundle/npy_read.h"

#include <inttypes.h>
#include <string.h>

enum { MAGIC_BYTES = 8, DESCRIPTOR_BYTES = 16 };

enum { KEY_DESCR = 1, KEY_ORDER = 2, KEY_SHAPE = 4, ALL_KEYS = 7 };

struct cursor {
    const char *at, *end, *begin;
    struct vt_diag *diag;
};

struct header {
    char descriptor[DESCRIPTOR_BYTES];
    bool is_fortran;
    uint32_t n_dims;
    uint64_t shape[2];
    unsigned seen; /* KEY_… */
};

static struct vt_err refuse(struct vt_diag *diag, uint64_t offset, const char *text)
{
    vt_diag_set(diag, "", "%s", text);
    if (diag != NULL)
        diag->offset = offset;
    return VT_ERR(VT_INVALID, "not a numpy file that can be taken");
}

static struct vt_err refuse_here(const struct cursor *cursor, const char *text)
{
    return refuse(cursor->diag, (uint64_t)(cursor->at - cursor->begin), text);
}

/* ---- steps of the cursor ---- */

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n'))
        cursor->at++;
}

static bool take(struct cursor *cursor, const char *text)
{
    const size_t len = strlen(text);
    skip_blanks(cursor);
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, text, len) != 0)
        return false;
    cursor->at += len;
    return true;
}

static bool take_string(struct cursor *cursor, char ret_text[DESCRIPTOR_BYTES])
{
    const char *start = cursor->at;
    size_t n = 0;
    const char quote = take(cursor, "'") ? '\'' : take(cursor, "\"") ? '"' : '\0';
    while (quote != '\0' && cursor->at < cursor->end && *cursor->at != quote &&
           *cursor->at != '\\' && n + 1 < DESCRIPTOR_BYTES)
        ret_text[n++] = *cursor->at++;
    ret_text[n] = '\0';
    if (quote != '\0' && cursor->at < cursor->end && *cursor->at == quote) {
        cursor->at++;
        return true;
    }
    cursor->at = start;
    return false;
}

static bool take_number(struct cursor *cursor, uint64_t *ret_number)
{
    uint64_t number = 0;
    skip_blanks(cursor);
    const char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        number = number * 10 + (uint64_t)(*cursor->at++ - '0');
        if (number > VT_NPY_ROWS_MAX)
            return false;
    }
    *ret_number = number;
    return cursor->at > start;
}

static struct vt_err read_shape(struct cursor *cursor, struct header *header)
{
    uint64_t number;
    if (!take(cursor, "("))
        return refuse_here(cursor, "a shape in parentheses is expected");
    header->n_dims = 0;
    while (!take(cursor, ")")) {
        if (header->n_dims > 0 && !take(cursor, ","))
            return refuse_here(cursor, "the shape is not closed");
        if (header->n_dims > 0 && take(cursor, ")"))
            return vt_ok();
        if (!take_number(cursor, &number))
            return refuse_here(cursor, "the shape has something that is not a number, or a number "
                                       "beyond 2^32");
        if (header->n_dims == 2)
            return refuse_here(cursor, "the array has more than 2 dimensions; rows of factors, "
                                       "items × dimensions, are needed");
        header->shape[header->n_dims++] = number;
    }
    return vt_ok();
}

static struct vt_err read_value(struct cursor *cursor, unsigned key, struct header *header)
{
    if (key == KEY_SHAPE)
        return read_shape(cursor, header);
    if (key == KEY_ORDER) {
        header->is_fortran = take(cursor, "True");
        return header->is_fortran || take(cursor, "False")
                   ? vt_ok()
                   : refuse_here(cursor, "fortran_order is neither True nor False");
    }
    return take_string(cursor, header->descriptor)
               ? vt_ok()
               : refuse_here(cursor, "descr is not the name of a number type; a structured array "
                                     "cannot be taken, float32 or float64 can");
}

static unsigned key_of(const char *name)
{
    if (strcmp(name, "descr") == 0)
        return KEY_DESCR;
    if (strcmp(name, "fortran_order") == 0)
        return KEY_ORDER;
    return strcmp(name, "shape") == 0 ? KEY_SHAPE : 0;
}

static struct vt_err read_entry(struct cursor *cursor, struct header *header)
{
    char name[DESCRIPTOR_BYTES];
    if (!take_string(cursor, name))
        return refuse_here(cursor, "the header is damaged: a key is expected");
    const unsigned key = key_of(name);
    if (key == 0 || (header->seen & key) != 0)
        return refuse_here(cursor, "the header is damaged: an unknown key, or one that is there "
                                   "twice");
    header->seen |= key;
    if (!take(cursor, ":"))
        return refuse_here(cursor, "the header is damaged: a colon is expected");
    return read_value(cursor, key, header);
}

static struct vt_err read_header(struct cursor *cursor, struct header *header)
{
    if (!take(cursor, "{"))
        return refuse_here(cursor, "the header is damaged: it does not begin with {");
    while (!take(cursor, "}")) {
        VT_TRY(read_entry(cursor, header));
        if (take(cursor, ","))
            continue;
        if (!take(cursor, "}"))
            return refuse_here(cursor, "the header is damaged: it is not closed");
        break;
    }
    skip_blanks(cursor);
    if (cursor->at != cursor->end)
        return refuse_here(cursor, "the header is damaged: something stands behind it");
    return header->seen == ALL_KEYS
               ? vt_ok()
               : refuse_here(cursor, "the header lacks descr, fortran_order or shape");
}

/* ---- what it says ---- */

static struct vt_err check_type(const struct header *header, struct vt_diag *diag,
                                struct vt_npy *ret_npy)
{
    ret_npy->is_double = strcmp(header->descriptor, "<f8") == 0;
    if (ret_npy->is_double || strcmp(header->descriptor, "<f4") == 0)
        return vt_ok();
    vt_diag_set(diag, "",
                "the numbers are of type '%s'; little-endian float32 ('<f4') or float64 ('<f8') is "
                "needed: numpy.save(file, factors.astype('<f4'))",
                header->descriptor);
    return VT_ERR(VT_INVALID, "not a numpy file that can be taken");
}

static struct vt_err check_shape(const struct header *header, uint64_t payload_bytes,
                                 struct vt_diag *diag, struct vt_npy *ret_npy)
{
    const uint64_t rows = header->shape[0], cols = header->n_dims == 2 ? header->shape[1] : 0;
    if (rows == 0 || cols == 0 || cols > VT_NPY_COLS_MAX) {
        vt_diag_set(diag, "",
                    "the array is of %" PRIu32 " dimensions, %" PRIu64 " × %" PRIu64
                    "; rows of factors are needed, items × dimensions, at most %d of these",
                    header->n_dims, rows, cols, VT_NPY_COLS_MAX);
        return VT_ERR(VT_INVALID, "not a numpy file that can be taken");
    }
    const uint64_t expected = rows * cols * (ret_npy->is_double ? 8 : 4); /* below 2^51 */
    if (payload_bytes != expected) {
        vt_diag_set(diag, "",
                    "%" PRIu64 " × %" PRIu64 " numbers take %" PRIu64
                    " bytes, the file has %" PRIu64 " behind its header: it is %s",
                    rows, cols, expected, payload_bytes,
                    payload_bytes < expected ? "cut off" : "longer than it says");
        return VT_ERR(VT_INVALID, "not a numpy file that can be taken");
    }
    ret_npy->rows = rows;
    ret_npy->cols = cols;
    ret_npy->is_fortran = header->is_fortran;
    return vt_ok();
}

/* Where the header's literal stands. */
static struct vt_err find_header(struct vt_slice file, struct vt_diag *diag, size_t *ret_start,
                                 size_t *ret_len)
{
    const unsigned char *bytes = (const unsigned char *)file.data;
    if (file.len < MAGIC_BYTES + 2 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return refuse(diag, 0,
                      "not a numpy file: it does not begin with \\x93NUMPY; write it with "
                      "numpy.save");
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return refuse(diag, 6, "an unknown version of numpy's format; 1.0, 2.0 and 3.0 are known");
    const size_t length_bytes = bytes[6] == 1 ? 2 : 4;
    const size_t start = MAGIC_BYTES + length_bytes;
    uint64_t len = 0;
    for (size_t i = 0; i < length_bytes && start <= file.len; i++)
        len |= (uint64_t)bytes[MAGIC_BYTES + i] << (8 * i);
    if (start > file.len || len > VT_NPY_HEADER_BYTES_MAX || len > file.len - start)
        return refuse(diag, MAGIC_BYTES, "the header is cut off, or longer than 4096 bytes");
    *ret_start = start;
    *ret_len = (size_t)len;
    return vt_ok();
}

struct vt_err vt_npy_decode(struct vt_slice file, struct vt_diag *diag, struct vt_npy *ret_npy)
{
    struct vt_npy npy = {0};
    struct header header = {0};
    size_t start = 0, len = 0;
    VT_TRY(find_header(file, diag, &start, &len));
    struct cursor cursor = {file.data + start, file.data + start + len, file.data, diag};
    VT_TRY(read_header(&cursor, &header));
    VT_TRY(check_type(&header, diag, &npy));
    VT_TRY(check_shape(&header, file.len - start - len, diag, &npy));
    npy.values = (const unsigned char *)file.data + start + len;
    *ret_npy = npy;
    return vt_ok();
}

double vt_npy_at(const struct vt_npy *npy, uint64_t row, uint64_t col)
{
    const uint64_t at = npy->is_fortran ? col * npy->rows + row : row * npy->cols + col;
    double wide;
    float narrow;
    if (npy->is_double) {
        memcpy(&wide, npy->values + at * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, npy->values + at * sizeof narrow, sizeof narrow);
    return (double)narrow;
}
