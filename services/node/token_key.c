/*
 * Several processes of a cell may start at once on an empty folder. Each writes its key to a file
 * of its own and links that to the name all look for: link(2) fails for all but the first, so
 * nobody ever reads half a key, and everybody ends with the same one.
 */
#include "services/node/token_key.h"

#include "services/common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static struct vt_err write_key(const char *path, struct vt_diag *diag)
{
    unsigned char key[VT_TOKEN_KEY_BYTES];
    VT_CHECK(getrandom(key, sizeof key, 0) == (ssize_t)sizeof key, VT_INTERNAL,
             "the system gives no randomness");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0;
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (written)
        return vt_ok();
    vt_diag_set(diag, "data", "%s: cannot be written: %s", path, strerror(failure));
    return VT_ERR_SYS(VT_UNAVAILABLE, failure, "cannot write the token key");
}

/* Beside and linked into place whole: two processes may start at once. */
static struct vt_err make_key(const char *path, struct vt_diag *diag)
{
    char beside[PATH_BYTES + 32];
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    unlink(beside);
    VT_TRY(write_key(beside, diag));
    int failed = link(beside, path), failure = errno;
    unlink(beside);
    if (failed == 0 || failure == EEXIST)
        return vt_ok();
    vt_diag_set(diag, "data", "%s: cannot be made: %s", path, strerror(failure));
    return VT_ERR_SYS(VT_UNAVAILABLE, failure, "cannot make the token key");
}

static struct vt_err read_key(const char *path, struct vt_diag *diag,
                              unsigned char ret_key[VT_TOKEN_KEY_BYTES])
{
    struct vt_slice bytes;
    VT_TRY(vt_file_map(path, diag, &bytes));
    bool whole = bytes.len == VT_TOKEN_KEY_BYTES;
    if (whole)
        memcpy(ret_key, bytes.data, VT_TOKEN_KEY_BYTES);
    else
        vt_diag_set(diag, "data", "%s: %zu bytes, not %d; remove it, and a new key is made", path,
                    bytes.len, VT_TOKEN_KEY_BYTES);
    vt_file_unmap(bytes);
    return whole ? vt_ok() : VT_ERR(VT_CORRUPT, "the token key is damaged");
}

struct vt_err vt_token_key_load(const char *data_dir, struct vt_diag *diag,
                                unsigned char ret_key[VT_TOKEN_KEY_BYTES])
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/token.key", data_dir);
    if (access(path, F_OK) != 0)
        VT_TRY(make_key(path, diag));
    return read_key(path, diag, ret_key);
}
