/*
 * Files that survive a crash: content is written beside, fsynced and renamed, and the folder is
 * fsynced, since a rename lives in the folder. All of it blocks, so it runs on start, in tools and
 * on worker threads, never on a thread that serves a queue.
 */
#include "services/common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BLOCK_BYTES = 64 * 1024, OPEN_FOLDERS_MAX = 16 };

static enum vt_code code_of_errno(int sys)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
        return VT_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return VT_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return VT_EXHAUSTED;
    default:
        return VT_UNAVAILABLE;
    }
}

/* From errno, which must be that of the call just made. `doing` begins the sentence for people. */
static struct vt_err fail(struct vt_diag *diag, const char *path, const char *doing)
{
    int sys = errno;
    vt_diag_set(diag, NULL, "cannot %s %s: %s", doing, path, strerrordesc_np(sys));
    return VT_ERR_SYS(code_of_errno(sys), sys, "a file operation failed");
}

static struct vt_err write_all(int fd, struct vt_slice content, const char *path,
                               struct vt_diag *diag)
{
    for (size_t done = 0; done < content.len;) {
        ssize_t n = write(fd, content.data + done, content.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(diag, path, "write");
        done += (size_t)n;
    }
    return fsync(fd) == 0 ? vt_ok() : fail(diag, path, "sync");
}

/* The folder part of `path`, "." when there is none. */
static void folder_of(const char *path, char ret_folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(ret_folder, PATH_MAX, ".");
    else if (slash == path)
        snprintf(ret_folder, PATH_MAX, "/");
    else
        snprintf(ret_folder, PATH_MAX, "%.*s", (int)(slash - path), path);
}

static struct vt_err check_path(const char *path, struct vt_diag *diag)
{
    if (path[0] != '\0' && strlen(path) < PATH_MAX - sizeof ".XXXXXX")
        return vt_ok();
    vt_diag_set(diag, NULL, "a path must have 1 to %zu bytes, not %zu",
                PATH_MAX - sizeof ".XXXXXX" - 1, strlen(path));
    return VT_ERR(VT_INVALID, "a path is empty or too long");
}

struct vt_err vt_file_write_atomic(const char *path, struct vt_slice content, struct vt_diag *diag)
{
    VT_TRY(check_path(path, diag));
    char beside[PATH_MAX], folder[PATH_MAX];
    snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    folder_of(path, folder);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return fail(diag, beside, "create");
    struct vt_err err = write_all(fd, content, beside, diag);
    if (close(fd) != 0 && !vt_failed(err))
        err = fail(diag, beside, "close");
    if (!vt_failed(err) && rename(beside, path) != 0)
        err = fail(diag, path, "rename a new file to");
    if (vt_failed(err)) {
        unlink(beside);
        return err;
    }
    return vt_folder_sync(folder, diag);
}

static struct vt_err open_to_read(const char *path, struct vt_diag *diag, int *ret_fd,
                                  size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(diag, path, "open");
    struct stat info;
    struct vt_err err = vt_ok();
    if (fstat(fd, &info) != 0) {
        err = fail(diag, path, "examine");
    } else if (S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        err = fail(diag, path, "read");
    }
    if (vt_failed(err)) {
        close(fd);
        return err;
    }
    *ret_fd = fd;
    *ret_size = (size_t)info.st_size;
    return vt_ok();
}

/* Reads until the end, for pipes and /proc too, whose size is not known before. */
static struct vt_err read_all(int fd, const char *path, size_t max_bytes, struct vt_diag *diag,
                              char **text, size_t *ret_len)
{
    size_t len = 0, capacity = 0;
    for (;;) {
        if (capacity - len < 2) {
            capacity = capacity == 0 ? READ_BLOCK_BYTES : capacity * 2;
            char *grown = realloc(*text, capacity);
            VT_CHECK(grown != NULL, VT_EXHAUSTED, "no memory to read a file");
            *text = grown;
        }
        ssize_t n = read(fd, *text + len, capacity - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(diag, path, "read");
        len += (size_t)n;
        if (len > max_bytes) {
            vt_diag_set(diag, NULL, "%s is larger than the limit of %zu bytes", path, max_bytes);
            return VT_ERR(VT_EXHAUSTED, "a file is larger than its limit");
        }
        if (n == 0)
            break;
    }
    (*text)[len] = '\0';
    *ret_len = len;
    return vt_ok();
}

struct vt_err vt_file_read(const char *path, size_t max_bytes, struct vt_diag *diag,
                           char **ret_text, size_t *ret_len)
{
    int fd = -1;
    size_t size, len = 0;
    char *text = NULL;
    VT_TRY(open_to_read(path, diag, &fd, &size));
    struct vt_err err = read_all(fd, path, max_bytes, diag, &text, &len);
    close(fd);
    if (vt_failed(err)) {
        free(text);
        return err;
    }
    *ret_text = text;
    *ret_len = len;
    return vt_ok();
}

struct vt_err vt_file_map(const char *path, struct vt_diag *diag, struct vt_slice *ret_bytes)
{
    int fd = -1;
    size_t size = 0;
    VT_TRY(open_to_read(path, diag, &fd, &size));
    void *memory = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    struct vt_err err = memory == MAP_FAILED ? fail(diag, path, "map") : vt_ok();
    close(fd);
    if (!vt_failed(err))
        *ret_bytes = vt_slice(memory, size);
    return err;
}

void vt_file_unmap(struct vt_slice bytes)
{
    if (bytes.len > 0)
        VT_ASSERT(munmap((void *)(uintptr_t)bytes.data, bytes.len) == 0);
}

static struct vt_err digest_file(int fd, const char *path, EVP_MD_CTX *context,
                                 struct vt_diag *diag)
{
    unsigned char block[READ_BLOCK_BYTES];
    VT_CHECK(EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1, VT_INTERNAL, "SHA-256 init");
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(diag, path, "read");
        if (n == 0)
            return vt_ok();
        VT_CHECK(EVP_DigestUpdate(context, block, (size_t)n) == 1, VT_INTERNAL, "SHA-256 update");
    }
}

static struct vt_err finish_digest(EVP_MD_CTX *context, char ret_hex[VT_SHA256_HEX_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    VT_CHECK(EVP_DigestFinal_ex(context, digest, &len) == 1 && len * 2 + 1 == VT_SHA256_HEX_BYTES,
             VT_INTERNAL, "SHA-256 final");
    for (unsigned i = 0; i < len; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return vt_ok();
}

struct vt_err vt_file_sha256(const char *path, struct vt_diag *diag,
                             char ret_hex[VT_SHA256_HEX_BYTES])
{
    int fd = -1;
    size_t size;
    VT_TRY(open_to_read(path, diag, &fd, &size));
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "no memory for a digest");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL)
        err = digest_file(fd, path, context, diag);
    if (!vt_failed(err))
        err = finish_digest(context, ret_hex);
    EVP_MD_CTX_free(context);
    close(fd);
    return err;
}

/* The name of a new folder lives in the one above. */
static struct vt_err sync_above(const char *path, struct vt_diag *diag)
{
    char above[PATH_MAX];
    folder_of(path, above);
    return vt_folder_sync(above, diag);
}

static struct vt_err create_one(const char *path, struct vt_diag *diag)
{
    struct stat info;
    if (mkdir(path, 0700) == 0)
        return sync_above(path, diag);
    bool exists = errno == EEXIST && stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return vt_ok();
    if (!exists)
        return fail(diag, path, "create the folder");
    vt_diag_set(diag, NULL, "%s is a file, where a folder is needed: choose another name", path);
    return VT_ERR(VT_UNAVAILABLE, "a file is in the way of a folder");
}

struct vt_err vt_folder_create(const char *path, struct vt_diag *diag)
{
    VT_TRY(check_path(path, diag));
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        VT_TRY(create_one(part, diag));
        *slash = '/';
    }
    VT_TRY(create_one(part, diag));
    vt_err_ignore(sync_above(part, NULL),
                  "only for a folder that was made just before a crash; it is there now");
    return vt_ok();
}

struct vt_err vt_folder_sync(const char *path, struct vt_diag *diag)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(diag, path, "open the folder");
    struct vt_err err = fsync(fd) == 0 ? vt_ok() : fail(diag, path, "sync the folder");
    close(fd);
    return err;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

struct vt_err vt_folder_remove(const char *path, struct vt_diag *diag)
{
    VT_TRY(check_path(path, diag));
    if (nftw(path, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return vt_ok();
    return fail(diag, path, "remove");
}
