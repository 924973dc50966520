/*
 * The disk under a data folder: what is left, where RocksDB's own log goes, and what an fsync
 * costs, since an acknowledgement waits for one.
 */
#include "services/common/store/store.h"
#include "services/node/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, SYNCS = 40, SCRATCH_BYTES = 4096, INODES_LEAST = 10000 };
static const uint64_t MIB = 1 << 20;
static const uint64_t FREE_LEAST_MIB = 256; /* a server refuses writes about here */
static const uint64_t FREE_GOOD_MIB = 2048; /* a compaction and a backup's checkpoint fit */
static const double SYNC_SLOW_MS = 20, SYNC_BAD_MS = 200; /* a single event waits for one */
static const double DRIFT_MAX_MS = 500;

static void check_space(const struct vt_doctor *doctor)
{
    struct statvfs info;
    if (statvfs(doctor->data_dir, &info) != 0)
        return;
    uint64_t free_mib = (uint64_t)info.f_bavail * info.f_frsize / MIB;
    enum vt_doctor_level level = free_mib < FREE_LEAST_MIB  ? VT_DOCTOR_BAD
                                 : free_mib < FREE_GOOD_MIB ? VT_DOCTOR_WARN
                                                            : VT_DOCTOR_OK;
    vt_doctor_say(doctor, level, "free-space",
                  level != VT_DOCTOR_OK ? "free space on this disk: old models, review/, rejects/"
                                        : "",
                  "%" PRIu64 " MiB free", free_mib);
    if (info.f_files != 0 && info.f_favail < INODES_LEAST)
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "inodes", "remove small files from this disk",
                      "only %" PRIu64 " files more fit on the disk", (uint64_t)info.f_favail);
}

static void check_log_folder(const struct vt_doctor *doctor)
{
    char live[PATH_BYTES], folder[PATH_BYTES];
    snprintf(live, sizeof live, "%s/live", doctor->data_dir);
    const char *path = access(live, F_OK) == 0 ? live : doctor->data_dir;
    if (vt_store_find_log_dir(path, folder))
        vt_doctor_say(doctor, VT_DOCTOR_OK, "log-folder", "",
                      "RocksDB's own log goes to %s, on another disk than the data", folder);
    else
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "log-folder",
                      "set XDG_RUNTIME_DIR to a folder on another disk",
                      "RocksDB's own log is off: every place for it is on the data disk, where a "
                      "full disk would end the process");
}

/* ---- fsync ---- */

static double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_times(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* False when writing or syncing failed; errno tells. */
static bool measure(int fd, double ret_ms[SYNCS])
{
    char block[SCRATCH_BYTES] = {0};
    for (int i = 0; i < SYNCS; i++) {
        double begin = now_ms(CLOCK_MONOTONIC);
        if (pwrite(fd, block, sizeof block, (off_t)i * SCRATCH_BYTES) != SCRATCH_BYTES ||
            fdatasync(fd) != 0)
            return false;
        ret_ms[i] = now_ms(CLOCK_MONOTONIC) - begin;
    }
    qsort(ret_ms, SYNCS, sizeof ret_ms[0], compare_times);
    return true;
}

static void tell_syncs(const struct vt_doctor *doctor, const double *times_ms)
{
    double median = times_ms[SYNCS / 2], worst = times_ms[SYNCS - 1];
    enum vt_doctor_level level = median > SYNC_BAD_MS    ? VT_DOCTOR_BAD
                                 : median > SYNC_SLOW_MS ? VT_DOCTOR_WARN
                                                         : VT_DOCTOR_OK;
    vt_doctor_say(doctor, level, "fsync",
                  level != VT_DOCTOR_OK
                      ? "every acknowledged event waits for one: use a local SSD for the data"
                      : "",
                  "%.2f ms for 4 KiB, worst of %d: %.2f ms", median, SYNCS, worst);
}

/* A real clock that was moved while we measured: events would get wrong times. */
static void tell_drift(const struct vt_doctor *doctor, double monotonic_ms, double real_ms)
{
    double drift_ms = real_ms - monotonic_ms;
    if (drift_ms > DRIFT_MAX_MS || drift_ms < -DRIFT_MAX_MS)
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "clock-steps",
                      "let the time service slew the clock, not step it",
                      "the clock jumped by %.0f ms during this check", drift_ms);
}

static void check_sync(const struct vt_doctor *doctor)
{
    char path[PATH_BYTES];
    double times_ms[SYNCS];
    snprintf(path, sizeof path, "%s/.doctor-%ld", doctor->data_dir, (long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    double monotonic = now_ms(CLOCK_MONOTONIC), real = now_ms(CLOCK_REALTIME);
    bool measured = fd >= 0 && measure(fd, times_ms);
    int sys = errno;
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    if (!measured) {
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "fsync", "make the folder writable, and free space",
                      "the data folder cannot be written: %s", strerror(sys));
        return;
    }
    tell_syncs(doctor, times_ms);
    tell_drift(doctor, now_ms(CLOCK_MONOTONIC) - monotonic, now_ms(CLOCK_REALTIME) - real);
}

void vt_doctor_check_disk(const struct vt_doctor *doctor)
{
    check_space(doctor);
    check_log_folder(doctor);
    check_sync(doctor);
}
