/*
 * Who asks for a checkpoint makes a folder for it and keeps it locked, so that a copy in use can be
 * told from one that a killed command left: its lock is free. Leftovers cost disk, because their
 * links keep files that the store has long compacted away; the next command and the next server
 * remove them.
 */
#include "services/node/checkpoint.h"

#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/node/admin_socket.h"
#include "services/profile/profile.h"
#include "services/profile/wire_admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALL_BYTES = 64 * 1024, CALL_TIMEOUT_MS = 60 * 1000 };

static const char PREFIX[] = ".checkpoint-";

/* The folder's descriptor with its lock; -1 when somebody else has it. */
static int lock_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void remove_unless_used(const char *path)
{
    int fd = lock_folder(path);
    if (fd < 0)
        return;
    vt_err_ignore(vt_folder_remove(path, NULL), "the next sweep tries again");
    close(fd);
}

void vt_checkpoint_sweep(const char *data_dir)
{
    char path[VT_CHECKPOINT_PATH_BYTES];
    DIR *folder = opendir(data_dir);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int n = snprintf(path, sizeof path, "%s/%s", data_dir, entry->d_name);
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0 && n < (int)sizeof path)
            remove_unless_used(path);
    }
    closedir(folder);
}

static struct vt_err name_folder(const char *data_dir, struct vt_checkpoint *checkpoint)
{
    char absolute[VT_CHECKPOINT_PATH_BYTES];
    VT_CHECK(realpath(data_dir, absolute) != NULL, VT_NOT_FOUND, "the data folder is gone");
    int n = snprintf(checkpoint->folder, sizeof checkpoint->folder, "%s/%s%ld", absolute, PREFIX,
                     (long)getpid());
    int n_data =
        snprintf(checkpoint->data_dir, sizeof checkpoint->data_dir, "%s/data", checkpoint->folder);
    VT_CHECK(n < VT_CHECKPOINT_PATH_BYTES && n_data < VT_CHECKPOINT_PATH_BYTES, VT_INVALID,
             "the path of the data folder is too long");
    return vt_ok();
}

/* Between making the folder and locking it a sweep of another process may take it away; that is
 * told, and trying again helps. */
static struct vt_err make_folder(struct vt_checkpoint *checkpoint, struct vt_diag *diag)
{
    struct stat info;
    if (mkdir(checkpoint->folder, 0700) != 0) {
        vt_diag_set(diag, checkpoint->folder, "cannot be made: %s", strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot make a folder for the checkpoint");
    }
    checkpoint->fd = lock_folder(checkpoint->folder);
    if (checkpoint->fd >= 0 && fstat(checkpoint->fd, &info) == 0 && info.st_nlink > 0)
        return vt_ok();
    vt_checkpoint_drop(checkpoint);
    vt_diag_set(diag, checkpoint->folder, "was removed by another command: try again");
    return VT_ERR(VT_UNAVAILABLE, "the folder of the checkpoint is gone");
}

static struct vt_err ask(struct vt_rpc_channel *channel, const char *directory,
                         struct vt_diag *diag)
{
    const struct vt_rpc_call_options options = {.timeout_ms = CALL_TIMEOUT_MS};
    struct vt_slice request, answer;
    struct vt_arena arena;
    VT_CHECK(vt_arena_init_owned(&arena, CALL_BYTES), VT_EXHAUSTED, "out of memory");
    struct vt_err err = vt_wire_checkpoint_request_encode(directory, &arena, &request);
    if (!vt_failed(err))
        err = vt_rpc_client_call(channel, "/vitrine.v1.AdminService/Checkpoint", request, &options,
                                 &arena, diag, &answer);
    vt_arena_fini(&arena);
    return err;
}

/* A locked folder for one more checkpoint. */
static struct vt_err prepare(const char *data_dir, struct vt_diag *diag,
                             struct vt_checkpoint *checkpoint)
{
    *checkpoint = (struct vt_checkpoint){.fd = -1};
    VT_TRY(name_folder(data_dir, checkpoint));
    vt_checkpoint_sweep(data_dir);
    return make_folder(checkpoint, diag);
}

struct vt_err vt_checkpoint_take(struct vt_rpc_channel *channel, const char *data_dir,
                                 struct vt_diag *diag, struct vt_checkpoint *ret_checkpoint)
{
    struct vt_checkpoint checkpoint;
    VT_TRY(prepare(data_dir, diag, &checkpoint));
    struct vt_err err = ask(channel, checkpoint.data_dir, diag);
    if (vt_failed(err)) {
        vt_checkpoint_drop(&checkpoint);
        return err;
    }
    *ret_checkpoint = checkpoint;
    return vt_ok();
}

static struct vt_err take_as_owner(struct vt_profile *profile, const char *data_dir,
                                   struct vt_diag *diag, struct vt_checkpoint *ret_checkpoint)
{
    struct vt_checkpoint checkpoint;
    uint64_t sequence = 0;
    VT_TRY(prepare(data_dir, diag, &checkpoint));
    struct vt_err err = vt_profile_checkpoint(profile, checkpoint.data_dir, diag, &sequence);
    if (vt_failed(err)) {
        vt_checkpoint_drop(&checkpoint);
        return err;
    }
    *ret_checkpoint = checkpoint;
    return vt_ok();
}

struct vt_err vt_checkpoint_take_any(const char *data_dir, struct vt_diag *diag,
                                     struct vt_checkpoint *ret_checkpoint)
{
    struct vt_profile_options options = {.data_dir = data_dir, .clock = vt_clock_system()};
    struct vt_rpc_channel *channel = NULL;
    struct vt_profile *profile = NULL;
    struct vt_err err = vt_profile_open(&options, diag, &profile);
    if (!vt_failed(err)) {
        err = take_as_owner(profile, data_dir, diag, ret_checkpoint);
        vt_profile_close(profile);
        return err;
    }
    if (err.code != VT_UNAVAILABLE || vt_failed(vt_admin_connect(data_dir, &channel)))
        return err; /* when no server answers, `diag` names who holds the folder */
    vt_diag_clear(diag);
    err = vt_checkpoint_take(channel, data_dir, diag, ret_checkpoint);
    vt_rpc_channel_free(channel);
    return err;
}

void vt_checkpoint_drop(struct vt_checkpoint *checkpoint)
{
    vt_err_ignore(vt_folder_remove(checkpoint->folder, NULL), "the next sweep tries again");
    if (checkpoint->fd >= 0)
        close(checkpoint->fd);
    checkpoint->fd = -1;
}
