/*
 * scipy's file of a sparse matrix: a zip of numpy files, which numpy.savez writes too. libarchive
 * makes the zip (64-bit sizes where they are needed); members are stored, as numpy does, since
 * factors and weights hardly compress. Their time is zip's first day, so that the same matrix gives
 * the same bytes. Unsigned indices are written as the signed ones that scipy works with: the bits
 * are the same below 2^31 and 2^63.
 */
#include "models/bundle/npz.h"

#include "models/bundle/npy_internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ZIP_FIRST_DAY_S = 315619200, MEMBER_MODE = 0644 }; /* 1980-01-02 UTC, in any time zone */

struct member {
    const char *name, *descriptor;
    uint32_t n_dims;
    uint64_t n, element_bytes; /* n is 1 where n_dims is 0 */
    const void *values;
};

static bool write_bytes(struct archive *zip, const void *bytes, uint64_t n)
{
    return n == 0 || archive_write_data(zip, bytes, n) == (la_ssize_t)n;
}

static bool write_member(struct archive *zip, const struct member *member)
{
    char header[VT__NPY_HEADER_BYTES + 1];
    const uint64_t n_bytes = member->n * member->element_bytes;
    vt__npy_header(member->descriptor, member->n_dims, member->n, 1, header);
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL)
        return false;
    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MEMBER_MODE);
    archive_entry_set_mtime(entry, ZIP_FIRST_DAY_S, 0);
    archive_entry_set_size(entry, (la_int64_t)(VT__NPY_HEADER_BYTES + n_bytes));
    bool written = archive_write_header(zip, entry) == ARCHIVE_OK &&
                   write_bytes(zip, header, VT__NPY_HEADER_BYTES) &&
                   write_bytes(zip, member->values, n_bytes);
    archive_entry_free(entry);
    return written;
}

static bool write_zip(int fd, const struct member *members, size_t n_members)
{
    struct archive *zip = archive_write_new();
    if (zip == NULL)
        return false;
    bool written = archive_write_set_format_zip(zip) == ARCHIVE_OK &&
                   archive_write_set_options(zip, "zip:compression=store") == ARCHIVE_OK &&
                   archive_write_open_fd(zip, fd) == ARCHIVE_OK;
    for (size_t i = 0; written && i < n_members; i++)
        written = write_member(zip, &members[i]);
    written = archive_write_close(zip) == ARCHIVE_OK && written;
    archive_write_free(zip);
    return written;
}

struct vt_err vt_npz_write_csr(const char *path, const struct vt_csr *csr, uint32_t n_columns,
                               struct vt_diag *diag)
{
    const uint64_t n_entries = csr->starts[csr->n_rows];
    const int64_t shape[] = {csr->n_rows, n_columns};
    const struct member members[] = {
        {"indices.npy", "<i4", 1, n_entries, sizeof *csr->columns, csr->columns},
        {"indptr.npy", "<i8", 1, (uint64_t)csr->n_rows + 1, sizeof *csr->starts, csr->starts},
        {"format.npy", "|S3", 0, 1, 3, "csr"},
        {"shape.npy", "<i8", 1, 2, sizeof shape[0], shape},
        {"data.npy", "<f4", 1, n_entries, sizeof *csr->values, csr->values},
    };
    VT_CHECK(n_columns <= INT32_MAX, VT_INVALID, "too many columns for a matrix of scipy");
    errno = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool written = fd >= 0 && write_zip(fd, members, sizeof members / sizeof members[0]);
    int sys = errno;
    if (fd >= 0 && close(fd) != 0) {
        sys = errno;
        written = false;
    }
    if (written)
        return vt_ok();
    vt_diag_set(diag, "out", "cannot write %s: %s", path, strerror(sys));
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot write the npz file");
}
