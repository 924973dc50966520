/*
 * From a live store to interactions, for `train` and `evaluate`. The store has one owner: where a
 * server runs, it makes a checkpoint (hard links, milliseconds) and goes on serving while we read
 * the copy; where none runs, we are the owner for as long as we read.
 */
#include "services/node/training_data.h"

#include "services/common/base/clock.h"
#include "services/node/admin_socket.h"
#include "services/node/checkpoint.h"
#include "services/profile/profile.h"

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
    return err;
}

static struct vt_err read_checkpoint(struct vt_rpc_channel *channel, const char *data_dir,
                                     struct vt_diag *diag, struct vt_interactions *ret)
{
    struct vt_checkpoint checkpoint;
    VT_TRY(vt_checkpoint_take(channel, data_dir, diag, &checkpoint));
    struct vt_err err = read_store(checkpoint.data_dir, true, diag, ret);
    vt_checkpoint_drop(&checkpoint);
    return err;
}

static struct vt_err read_either(const char *data_dir, struct vt_diag *diag,
                                 struct vt_interactions *ret)
{
    struct vt_rpc_channel *channel = NULL;
    struct vt_err err = read_store(data_dir, false, diag, ret);
    if (err.code != VT_UNAVAILABLE || vt_failed(vt_admin_connect(data_dir, &channel)))
        return err; /* when no server answers, `diag` names who holds the folder */
    vt_diag_clear(diag);
    err = read_checkpoint(channel, data_dir, diag, ret);
    vt_rpc_channel_free(channel);
    return err;
}

struct vt_err vt_training_data_read(const char *data_dir, struct vt_diag *diag,
                                    struct vt_interactions *ret)
{
    VT_TRY(read_either(data_dir, diag, ret));
    if (ret->n > 0)
        return vt_ok();
    vt_diag_set(diag, data_dir, "no event yet; `vitrine import --data %s` loads some", data_dir);
    return VT_ERR(VT_INVALID, "there are no events to learn from");
}

void vt_training_data_weigh_adjacency(struct vt_dataset_options *dataset)
{
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        dataset->event_weights[type] = 1;
    dataset->once = true;
}
