/*
 * From a live store to interactions, for `train` and `evaluate`. The store has one owner: where a
 * server runs, it makes a checkpoint (hard links, milliseconds) and goes on serving while we read
 * the copy; where none runs, we are the owner for as long as we read.
 */
#include "services/node/training_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/arena.h"
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/rpc/client.h"
#include "services/profile/profile.h"
#include "services/profile/wire_admin.h"

enum { PATH_BYTES = 4096, CALL_BYTES = 64 * 1024, CHECKPOINT_TIMEOUT_MS = 60 * 1000 };

static struct vt_err append_event(void *ctx, const struct vt_logged_event *event)
{
    struct vt_interaction interaction = {
        .user = event->customer_number,
        .item = event->event.item,
        .type = event->event.type,
        .value = event->event.value,
        .time_ms = event->event.time_ms,
    };
    return vt_interactions_append(ctx, &interaction);
}

static struct vt_err read_store(const char *data_dir, bool read_only, struct vt_diag *diag,
                                struct vt_interactions *ret)
{
    struct vt_profile_options options = {
        .data_dir = data_dir, .clock = vt_clock_system(), .read_only = read_only};
    struct vt_profile *profile;
    VT_TRY(vt_profile_open(&options, diag, &profile));
    struct vt_err err = vt_profile_each_event(profile, append_event, ret);
    vt_profile_close(profile);
    VT_TRY(err);
    if (ret->n == 0) {
        vt_diag_set(diag, data_dir, "no event yet; `vitrine import --data %s` loads some",
                    data_dir);
        return VT_ERR(VT_INVALID, "there are no events to learn from");
    }
    return vt_ok();
}

static struct vt_err ask_for_checkpoint(const char *socket_path, const char *directory,
                                        struct vt_diag *diag)
{
    char target[PATH_BYTES + 8];
    snprintf(target, sizeof target, "unix:%s", socket_path);
    const struct vt_rpc_call_options options = {.timeout_ms = CHECKPOINT_TIMEOUT_MS};
    struct vt_rpc_channel *channel = NULL;
    struct vt_slice request, answer;
    struct vt_arena arena;
    VT_CHECK(vt_arena_init_owned(&arena, CALL_BYTES), VT_EXHAUSTED, "out of memory");
    struct vt_err err = vt_rpc_channel_new(target, &channel);
    if (!vt_failed(err))
        err = vt_wire_checkpoint_request_encode(directory, &arena, &request);
    if (!vt_failed(err))
        err = vt_rpc_client_call(channel, "/vitrine.v1.AdminService/Checkpoint", request, &options,
                                 &arena, diag, &answer);
    vt_rpc_channel_free(channel);
    vt_arena_fini(&arena);
    return err;
}

static struct vt_err read_checkpoint(const char *data_dir, struct vt_diag *diag,
                                     struct vt_interactions *ret)
{
    char absolute[PATH_BYTES], directory[PATH_BYTES + 64], socket_path[PATH_BYTES + 16];
    VT_CHECK(realpath(data_dir, absolute) != NULL, VT_NOT_FOUND, "the data folder is gone");
    snprintf(socket_path, sizeof socket_path, "%s/admin.sock", absolute);
    snprintf(directory, sizeof directory, "%s/.checkpoint-%ld", absolute, (long)getpid());
    VT_TRY(vt_folder_remove(directory, diag)); /* of an earlier process with our id */
    struct vt_err err = ask_for_checkpoint(socket_path, directory, diag);
    if (!vt_failed(err))
        err = read_store(directory, true, diag, ret);
    vt_err_ignore(vt_folder_remove(directory, NULL), "hard links: they cost next to nothing");
    return err;
}

struct vt_err vt_training_data_read(const char *data_dir, struct vt_diag *diag,
                                    struct vt_interactions *ret)
{
    char socket_path[PATH_BYTES];
    struct stat info;
    struct vt_err err = read_store(data_dir, false, diag, ret);
    if (err.code != VT_UNAVAILABLE)
        return err;
    snprintf(socket_path, sizeof socket_path, "%s/admin.sock", data_dir);
    if (stat(socket_path, &info) != 0)
        return err;
    vt_diag_clear(diag);
    return read_checkpoint(data_dir, diag, ret);
}

void vt_training_data_weigh_adjacency(struct vt_dataset_options *dataset)
{
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        dataset->event_weights[type] = 1;
    dataset->once = true;
}
