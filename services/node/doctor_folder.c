/*
 * A data folder from outside: nothing is opened for writing and no lock is kept, so it is safe
 * beside a running server and on a folder that does not open. What is inside the store is for
 * `vitrine verify`.
 */
#include "models/bundle/bundle.h"
#include "services/common/base/clock.h"
#include "services/node/admin_socket.h"
#include "services/node/doctor.h"
#include "services/node/token_key.h"
#include "services/profile/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, OTHERS = 077 };

static bool path_in(const struct vt_doctor *doctor, const char *name, char ret_path[PATH_BYTES])
{
    return snprintf(ret_path, PATH_BYTES, "%s/%s", doctor->data_dir, name) < PATH_BYTES;
}

/* ---- who may read it ---- */

static void check_private(const struct vt_doctor *doctor, const char *name, const char *todo)
{
    char path[PATH_BYTES];
    struct stat info;
    if (!path_in(doctor, name, path) || stat(path, &info) != 0)
        return; /* not made yet */
    if (info.st_uid != geteuid())
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "owner", "chown -R it to the user that serves",
                      "%s belongs to user %u, and we are user %u", path, (unsigned)info.st_uid,
                      (unsigned)geteuid());
    if ((info.st_mode & OTHERS) != 0)
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "permissions", todo, "others may use %s (mode %04o)",
                      path, (unsigned)info.st_mode & 07777);
}

static void check_token_key(const struct vt_doctor *doctor)
{
    char path[PATH_BYTES];
    struct stat info;
    if (path_in(doctor, "token.key", path) && stat(path, &info) == 0 &&
        info.st_size != VT_TOKEN_KEY_BYTES)
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "token-key", "restore it from a backup",
                      "%s has %" PRIu64 " bytes, not %d", path, (uint64_t)info.st_size,
                      VT_TOKEN_KEY_BYTES);
}

static void check_access(const struct vt_doctor *doctor)
{
    struct stat info;
    if (stat(doctor->data_dir, &info) == 0 && (info.st_mode & OTHERS) != 0)
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "permissions", "chmod 700 the data folder",
                      "others may look into %s (mode %04o)", doctor->data_dir,
                      (unsigned)info.st_mode & 07777);
    check_private(doctor, "live", "chmod 700 it: customers are in there");
    check_private(doctor, "admin.sock", "chmod 600 it: who reaches it may do everything");
    check_private(doctor, "token.key", "chmod 600 it, and consider a new one: others may know it");
    check_private(doctor, "audit.log", "chmod 600 it");
    check_token_key(doctor);
}

/* ---- who holds it ---- */

/* The pid in the lock file when somebody has the lock; 0: nobody; -1: somebody unknown. */
static long lock_holder(const char *path)
{
    char text[24] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bool is_free = flock(fd, LOCK_SH | LOCK_NB) == 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    close(fd); /* gives the lock back */
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return is_free ? 0 : pid > 0 ? pid : -1;
}

static void tell_silent(const struct vt_doctor *doctor, long pid)
{
    char path[64], name[64] = "unknown";
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    vt_doctor_say(doctor, VT_DOCTOR_WARN, "server",
                  "a command that imports or trains is done soon; a server that stays silent: "
                  "SIGTERM it, wait, start it anew",
                  "process %ld (%s) holds the store and does not answer on admin.sock", pid, name);
}

/* Returns whether somebody holds the store. */
static bool check_holder(const struct vt_doctor *doctor)
{
    char path[PATH_BYTES];
    struct vt_rpc_channel *channel = NULL;
    long pid = path_in(doctor, "live.lock", path) ? lock_holder(path) : 0;
    if (!vt_failed(vt_admin_connect(doctor->data_dir, &channel)))
        vt_doctor_say(doctor, VT_DOCTOR_OK, "server", "", "process %ld serves and answers", pid);
    else if (pid != 0)
        tell_silent(doctor, pid);
    else
        vt_doctor_say(doctor, VT_DOCTOR_OK, "server", "", "nobody holds the store");
    vt_rpc_channel_free(channel);
    return pid != 0;
}

/* ---- leftovers ---- */

static bool is_left(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool left = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return left;
}

static void check_checkpoints(const struct vt_doctor *doctor)
{
    char path[PATH_BYTES];
    unsigned n = 0;
    DIR *folder = opendir(doctor->data_dir);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strncmp(entry->d_name, ".checkpoint-", 12) == 0 && path_in(doctor, entry->d_name, path))
            n += is_left(path);
    closedir(folder);
    if (n != 0)
        vt_doctor_say(
            doctor, VT_DOCTOR_WARN, "checkpoints",
            "nothing: the next train, backup or verify removes them",
            "%u copies of the store are left of commands that were killed, and take space", n);
}

static void check_restore(const struct vt_doctor *doctor, bool has_store)
{
    char path[PATH_BYTES];
    if (!has_store && path_in(doctor, ".restore", path) && access(path, F_OK) == 0)
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "restore", "run the same `vitrine restore` again",
                      "a restore into this folder was interrupted");
}

/* ---- the store and its mark ---- */

static void compare_mark(const struct vt_doctor *doctor, uint64_t acknowledged)
{
    struct vt_profile_options options = {
        .data_dir = doctor->data_dir, .clock = vt_clock_system(), .read_only = true};
    struct vt_diag diag = {0};
    struct vt_profile *profile = NULL;
    struct vt_err err = vt_profile_open(&options, &diag, &profile);
    if (vt_failed(err)) {
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "store", "keep a copy, then restore a backup",
                      "does not open: %s%s%s", diag.field, diag.field[0] != '\0' ? ": " : "",
                      diag.text[0] != '\0' ? diag.text : err.what);
        return;
    }
    uint64_t sequence = vt_profile_sequence(profile);
    vt_profile_close(profile);
    bool lost = sequence < acknowledged;
    vt_doctor_say(
        doctor, lost ? VT_DOCTOR_BAD : VT_DOCTOR_OK, "store",
        lost ? "keep a copy, then restore a backup; removing live.acked accepts the loss" : "",
        "ends at sequence %" PRIu64 ", acknowledged up to %" PRIu64, sequence, acknowledged);
}

static void check_store(const struct vt_doctor *doctor, bool has_store, bool held)
{
    struct vt_diag diag = {0};
    uint64_t acknowledged = 0;
    if (!has_store) {
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "store",
                      "check the path; `vitrine import --data DIR` or `serve` makes a store",
                      "%s has no live store", doctor->data_dir);
        return;
    }
    struct vt_err err = vt_profile_acknowledged(doctor->data_dir, &diag, &acknowledged);
    if (vt_failed(err))
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "acknowledged-mark",
                      "check the disk; when `vitrine verify` finds nothing, remove live.acked",
                      "%s: %s", diag.field, diag.text);
    else if (!held) /* who holds it has compared them */
        compare_mark(doctor, acknowledged);
}

/* ---- models ---- */

static void check_models(const struct vt_doctor *doctor)
{
    char version[VT_VERSION_BYTES_MAX];
    struct vt_diag diag = {0};
    struct vt_bundle *bundle = NULL;
    struct vt_err err = vt_bundle_current(doctor->data_dir, &diag, version);
    if (err.code == VT_NOT_FOUND) {
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "model", "vitrine train --data DIR",
                      "there is none yet: popular items are served");
        return;
    }
    if (!vt_failed(err))
        err = vt_bundle_open(doctor->data_dir, version, true, &diag, &bundle);
    if (vt_failed(err))
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "model",
                      "vitrine models rollback --data DIR, or train again", "%s%s%s", diag.field,
                      diag.field[0] != '\0' ? ": " : "",
                      diag.text[0] != '\0' ? diag.text : err.what);
    else
        vt_doctor_say(doctor, VT_DOCTOR_OK, "model", "", "%s is whole", version);
    vt_bundle_release(bundle);
}

void vt_doctor_check_folder(const struct vt_doctor *doctor)
{
    char current[PATH_BYTES];
    bool has_store = path_in(doctor, "live/CURRENT", current) && access(current, F_OK) == 0;
    bool held = check_holder(doctor);
    check_access(doctor);
    check_checkpoints(doctor);
    check_restore(doctor, has_store);
    check_store(doctor, has_store, held);
    check_models(doctor);
}
