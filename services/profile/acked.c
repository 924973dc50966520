/*
 * Two slots, each {sequence, checksum}, chosen by the sequence's last bit: one may be torn, the
 * other then holds an older mark. A new file gets both slots, for "nothing", fsynced with its name,
 * so that a power cut never leaves a torn slot alone. Zeros are a slot that was never written, in
 * files of earlier versions. Anything else is damage, and damage here must not pass for "nothing
 * acknowledged".
 */
#include "services/profile/acked.h"

#include "services/common/base/file.h"
#include "services/profile/codec.h"
#include "services/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { SLOT_BYTES = 16, SLOTS = 2 };
#define CHECK_SEED UINT64_C(0x76697472696e65) /* "vitrine": so that zeros do not check out */

static uint64_t checksum(uint64_t sequence)
{
    return XXH3_64bits_withSeed(&sequence, sizeof sequence, CHECK_SEED);
}

enum slot_state { SLOT_EMPTY, SLOT_GOOD, SLOT_BAD };

static enum slot_state read_slot(const unsigned char *bytes, uint64_t *ret_sequence)
{
    struct vt__reader reader = vt__reader(vt_slice(bytes, SLOT_BYTES));
    uint64_t sequence = vt__get_u64(&reader), check = vt__get_u64(&reader);
    if (sequence == 0 && check == 0)
        return SLOT_EMPTY;
    if (check != checksum(sequence))
        return SLOT_BAD;
    *ret_sequence = sequence;
    return SLOT_GOOD;
}

static bool judge(const unsigned char *bytes, uint64_t *ret_sequence)
{
    unsigned n[3] = {0};
    uint64_t best = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t sequence = 0;
        n[read_slot(bytes + i * SLOT_BYTES, &sequence)]++;
        best = sequence > best ? sequence : best;
    }
    *ret_sequence = best;
    return n[SLOT_GOOD] != 0 || n[SLOT_BAD] == 0;
}

static void encode_slot(uint64_t sequence, unsigned char ret_bytes[SLOT_BYTES])
{
    uint64_t check = checksum(sequence);
    for (unsigned i = 0; i < 8; i++) {
        ret_bytes[i] = (unsigned char)(sequence >> (56 - 8 * i));
        ret_bytes[8 + i] = (unsigned char)(check >> (56 - 8 * i));
    }
}

/* Both slots of a file that is empty, durable. */
static struct vt_err begin_file(int fd, const char *path, struct vt_diag *diag)
{
    unsigned char bytes[SLOTS * SLOT_BYTES];
    char folder[PATH_MAX];
    encode_slot(0, bytes);
    encode_slot(0, bytes + SLOT_BYTES);
    if (pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes || fsync(fd) != 0) {
        int sys = errno;
        vt_diag_set(diag, path, "cannot be written: %s", strerror(sys));
        return VT_ERR_SYS(sys == ENOSPC ? VT_EXHAUSTED : VT_UNAVAILABLE, sys,
                          "cannot begin the mark of acknowledged events");
    }
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
             slash != NULL ? path : ".");
    return vt_folder_sync(folder, diag);
}

static struct vt_err read_mark(int fd, const char *path, struct vt_diag *diag,
                               uint64_t *ret_sequence)
{
    unsigned char bytes[SLOTS * SLOT_BYTES] = {0};
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n < 0) {
        int sys = errno;
        vt_diag_set(diag, path, "cannot be read: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot read the mark of acknowledged events");
    }
    bool good = judge(bytes, ret_sequence);
    /* Shorter than two slots: its beginning was cut off, before anything was acknowledged. */
    if (n == 0 || (!good && n < (ssize_t)sizeof bytes))
        return begin_file(fd, path, diag);
    if (good)
        return vt_ok();
    vt_diag_set(diag, path, "damaged: check the disk; after verifying the store, remove it");
    return VT_ERR(VT_CORRUPT, "the mark of acknowledged events is damaged");
}

void vt__acked_path(const char *data_dir, char ret_path[VT__ACKED_PATH_BYTES])
{
    snprintf(ret_path, VT__ACKED_PATH_BYTES, "%s/live.acked", data_dir);
}

struct vt_err vt__acked_open(const char *path, struct vt_diag *diag, int *ret_fd,
                             uint64_t *ret_sequence)
{
    uint64_t sequence = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        int sys = errno;
        vt_diag_set(diag, path, "cannot be opened: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot open the mark of acknowledged events");
    }
    struct vt_err err = read_mark(fd, path, diag, &sequence);
    if (vt_failed(err)) {
        vt__acked_close(fd);
        return err;
    }
    *ret_fd = fd;
    *ret_sequence = sequence;
    return vt_ok();
}

struct vt_err vt_profile_acknowledged(const char *data_dir, struct vt_diag *diag,
                                      uint64_t *ret_sequence)
{
    unsigned char bytes[SLOTS * SLOT_BYTES] = {0};
    char path[VT__ACKED_PATH_BYTES];
    vt__acked_path(data_dir, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_sequence = 0;
        return vt_ok();
    }
    ssize_t n = fd >= 0 ? pread(fd, bytes, sizeof bytes, 0) : -1;
    int sys = errno;
    vt__acked_close(fd);
    if (n >= 0 && judge(bytes, ret_sequence))
        return vt_ok();
    vt_diag_set(diag, path, n < 0 ? "cannot be read: %s" : "damaged", strerror(sys));
    return n < 0 ? VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot read the mark of acknowledged events")
                 : VT_ERR(VT_CORRUPT, "the mark of acknowledged events is damaged");
}

struct vt_err vt_profile_set_acknowledged(const char *data_dir, uint64_t sequence,
                                          struct vt_diag *diag)
{
    char path[VT__ACKED_PATH_BYTES];
    uint64_t before = 0;
    int fd = -1;
    vt__acked_path(data_dir, path);
    VT_TRY(vt__acked_open(path, diag, &fd, &before));
    struct vt_err err = vt__acked_write(fd, sequence);
    vt__acked_close(fd);
    return err;
}

struct vt_err vt__acked_write(int fd, uint64_t sequence)
{
    unsigned char bytes[SLOT_BYTES];
    encode_slot(sequence, bytes);
    off_t offset = (off_t)(sequence % SLOTS) * SLOT_BYTES;
    ssize_t n = pwrite(fd, bytes, sizeof bytes, offset);
    if (n != (ssize_t)sizeof bytes)
        return VT_ERR_SYS(VT_UNAVAILABLE, n < 0 ? errno : ENOSPC,
                          "cannot mark what was acknowledged");
    return vt_ok();
}

void vt__acked_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
