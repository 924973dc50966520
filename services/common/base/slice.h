#ifndef VT_BASE_SLICE_H
#define VT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Borrowed bytes, not NUL-terminated. Valid as long as what they point into. */
struct vt_slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

/* Borrows `len` bytes. */
static inline struct vt_slice vt_slice(const void *data, size_t len)
{
    return (struct vt_slice){.data = data, .len = len};
}

/* Of a NUL-terminated string; NULL gives an empty slice. */
static inline struct vt_slice vt_slice_str(const char *text)
{
    return (struct vt_slice){.data = text, .len = text != NULL ? strlen(text) : 0};
}

/* Byte by byte; all empty slices are equal. */
static inline bool vt_slice_equal(struct vt_slice a, struct vt_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
