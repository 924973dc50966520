/*
 * The ends of a training on disk: the lock that keeps a second trainer out, and the version that is
 * written and switched to. Writing and switching are the bundle's own and survive a kill at any
 * step (models/bundle/bundle_write.c, bundle_dir.c).
 */
#include "models/train/train_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct vt_err vt_train_lock(const char *data_dir, struct vt_diag *diag, int *ret_fd)
{
    char path[PATH_BYTES], pid[32] = "";
    int n = snprintf(path, sizeof path, "%s/train.lock", data_dir);
    VT_CHECK(n > 0 && n < PATH_BYTES, VT_INVALID, "path of the data folder is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) {
        vt_diag_set(diag, "data", "%s: no such folder: check the name, or import data first",
                    data_dir);
        return VT_ERR_SYS(VT_NOT_FOUND, errno, "there is no data folder");
    }
    if (fd < 0) {
        vt_diag_set(diag, "data", "cannot open %s: %s", path, strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot open the trainer's lock");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        vt_diag_set(diag, "data", "another training (process %s) is at work on %s; wait for it",
                    pid, data_dir);
        close(fd);
        return VT_ERR(VT_UNAVAILABLE, "another training is at work");
    }
    n = snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        pid[0] = '\0'; /* the pid is for the message above only; the lock is what counts */
    *ret_fd = fd;
    return vt_ok();
}

void vt_train_unlock(int fd)
{
    close(fd);
}

static struct vt_err make_page(struct vt_train_result *result)
{
    size_t len;
    free(result->page);
    result->page = NULL;
    VT_TRY(vt_report_page(&result->view, &result->report, &result->page, &len));
    result->view.report = vt_slice(result->page, len);
    return vt_ok();
}

struct vt_err vt_train_store(const char *data_dir, int64_t now_ms, bool publish,
                             struct vt_diag *diag, struct vt_train_result *result)
{
    result->view.create_time_ms = now_ms;
    struct vt_err err = vt_bundle_current(data_dir, NULL, result->parent);
    if (vt_failed(err))
        result->parent[0] = '\0';
    vt_bundle_version_name(&result->view, result->version);
    VT_TRY(make_page(result));
    VT_TRY(vt_bundle_write(data_dir, &result->view, diag));
    return publish ? vt_bundle_publish(data_dir, result->version, diag) : vt_ok();
}

void vt_train_checkpoints_remove(const char *data_dir)
{
    static const char *const names[] = {VT__CHECKPOINT_MEASURED, VT__CHECKPOINT_FINAL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_BYTES];
        int n = snprintf(path, sizeof path, "%s/%s", data_dir, names[i]);
        if (n > 0 && n < PATH_BYTES)
            unlink(path); /* what stays is ignored by the next training, or taken up */
    }
}
