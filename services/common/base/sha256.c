/*
 * Copies that know what they copied. The digest is taken of the bytes on their way from the source
 * to the copy, so that one pass tells both whether a source was what it should be and what the copy
 * holds. The copy is synced here, since who copies wants to rename it into place next.
 */
#include "services/common/base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 128 * 1024 };

static void print_hex(const unsigned char *digest, size_t len, char *ret_hex)
{
    for (size_t i = 0; i < len; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

struct vt_err vt_sha256(struct vt_slice bytes, char ret_hex[VT_SHA256_HEX_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    int done = EVP_Q_digest(NULL, "SHA256", NULL, bytes.data, bytes.len, digest, &len);
    VT_CHECK(done == 1 && 2 * len + 1 == VT_SHA256_HEX_BYTES, VT_INTERNAL, "SHA-256 of bytes");
    print_hex(digest, len, ret_hex);
    return vt_ok();
}

/* A copy under way. */
struct copy {
    const char *from, *to;
    int in, out;
    uint64_t bytes;
    EVP_MD_CTX *digest;
};

/* From errno, which must be that of the call just made. */
static struct vt_err fail(struct vt_diag *diag, const char *doing, const char *path)
{
    int sys = errno;
    vt_diag_set(diag, NULL, "cannot %s %s: %s", doing, path, strerrordesc_np(sys));
    if (sys == ENOENT)
        return VT_ERR_SYS(VT_NOT_FOUND, sys, "a file is not there");
    if (sys == ENOSPC || sys == EDQUOT)
        return VT_ERR_SYS(VT_EXHAUSTED, sys, "the disk is full");
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "a file cannot be copied");
}

static struct vt_err write_block(struct copy *copy, const unsigned char *block, size_t len,
                                 struct vt_diag *diag)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(copy->out, block + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(diag, "write", copy->to);
        done += (size_t)n;
    }
    copy->bytes += len;
    return vt_ok();
}

static struct vt_err copy_blocks(struct copy *copy, struct vt_diag *diag)
{
    unsigned char block[BLOCK_BYTES];
    for (;;) {
        ssize_t n = read(copy->in, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(diag, "read", copy->from);
        if (n == 0)
            break;
        VT_CHECK(EVP_DigestUpdate(copy->digest, block, (size_t)n) == 1, VT_INTERNAL,
                 "SHA-256 of a block");
        VT_TRY(write_block(copy, block, (size_t)n, diag));
    }
    return fsync(copy->out) == 0 ? vt_ok() : fail(diag, "sync", copy->to);
}

static struct vt_err copy_opened(struct copy *copy, struct vt_diag *diag, char *ret_hex)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    copy->digest = EVP_MD_CTX_new();
    VT_CHECK(copy->digest != NULL, VT_EXHAUSTED, "no memory for a digest");
    VT_CHECK(EVP_DigestInit_ex(copy->digest, EVP_sha256(), NULL) == 1, VT_INTERNAL, "SHA-256");
    VT_TRY(copy_blocks(copy, diag));
    VT_CHECK(EVP_DigestFinal_ex(copy->digest, digest, &len) == 1, VT_INTERNAL, "SHA-256");
    print_hex(digest, len, ret_hex);
    return vt_ok();
}

struct vt_err vt_file_copy(const char *from, const char *to, struct vt_diag *diag,
                           uint64_t *ret_bytes, char ret_hex[VT_SHA256_HEX_BYTES])
{
    struct copy copy = {.from = from, .to = to, .out = -1};
    copy.in = open(from, O_RDONLY | O_CLOEXEC);
    if (copy.in < 0)
        return fail(diag, "open", from);
    copy.out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct vt_err err = copy.out >= 0 ? copy_opened(&copy, diag, ret_hex) : fail(diag, "make", to);
    EVP_MD_CTX_free(copy.digest);
    close(copy.in);
    if (copy.out >= 0 && close(copy.out) != 0 && !vt_failed(err))
        err = fail(diag, "close", to);
    if (vt_failed(err) && copy.out >= 0)
        unlink(to);
    if (!vt_failed(err))
        *ret_bytes = copy.bytes;
    return err;
}
