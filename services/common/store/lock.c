/*
 * The kernel drops a flock when its holder dies, however it dies, so a stale file never keeps
 * anybody out: only the lock counts, the pid inside is for the message.
 */
#include "services/common/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PID_TEXT_BYTES = 24 };

static struct vt_err refuse_held(int fd, const char *path, struct vt_diag *diag)
{
    char text[PID_TEXT_BYTES] = {0};
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        vt_diag_set(diag, path,
                    "held by process %ld: stop it, or send the command to its server instead", pid);
    else
        vt_diag_set(diag, path, "held by another process: stop it and try again");
    return VT_ERR(VT_UNAVAILABLE, "the data folder is in use");
}

struct vt_err vt__store_lock(const char *path, struct vt_diag *diag, int *ret_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        int sys = errno;
        vt_diag_set(diag, path, "cannot open for writing: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot open the lock file");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        struct vt_err err = refuse_held(fd, path, diag);
        close(fd);
        return err;
    }
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    ssize_t written = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)len, 0) : -1;
    (void)written; /* on a full disk the lock still holds, only without a pid to tell */
    *ret_fd = fd;
    return vt_ok();
}

void vt__store_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}
