/*
 * From a live store to interactions and items, for `train` and `evaluate`. The store has one owner:
 * where a server runs, it makes a checkpoint (hard links, milliseconds) and goes on serving while
 * we read the copy; where none runs, we are the owner for as long as we read.
 */
#include "services/node/training_data.h"

#include "services/common/base/clock.h"
#include "services/node/admin_socket.h"
#include "services/node/checkpoint.h"
#include "services/profile/profile.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, ITEMS_AT_ONCE = 500, ARENA_BYTES = 16 << 20 };

/* Where what is read goes. */
struct destination {
    struct vt_interactions *interactions; /* NULL, as below: not wanted */
    struct vt_catalog *catalog;
};

static struct vt_err append_event(void *ctx, const struct vt_logged_event *event)
{
    struct vt_interaction interaction = {
        .user = event->customer_number,
        .item = event->event.item,
        .type = event->event.type,
        .channel = event->event.channel,
        .value = event->event.value,
        .time_ms = event->event.time_ms,
    };
    return vt_interactions_append(ctx, &interaction);
}

/* ---- items ---- */

static struct vt_err append_item(const struct vt_item *item, struct vt_catalog *catalog)
{
    _Static_assert((int)VT_ITEM_CATEGORIES_MAX <= (int)VT_CATALOG_CATEGORIES_MAX &&
                       (int)VT_ITEM_ATTRIBUTES_MAX <= (int)VT_CATALOG_ATTRIBUTES_MAX,
                   "a catalog of training takes any item of the store");
    struct vt_catalog_attribute attributes[VT_CATALOG_ATTRIBUTES_MAX];
    struct vt_catalog_item copy = {
        .number = item->number,
        .id = item->id,
        .title = item->title,
        .brand = item->brand,
        .n_categories = item->n_categories,
        .attributes = attributes,
        .n_attributes = item->n_attributes,
        .price = item->price,
        .create_time_ms = item->create_time_ms,
    };
    for (uint32_t i = 0; i < item->n_categories; i++)
        copy.categories[i] = item->categories[i];
    for (uint32_t i = 0; i < item->n_attributes; i++)
        attributes[i] =
            (struct vt_catalog_attribute){item->attributes[i].key, item->attributes[i].value};
    return vt_catalog_append(catalog, &copy);
}

/* The items behind *after, which moves on. */
static struct vt_err append_page(struct vt_profile *profile, struct vt_request *request,
                                 struct vt_catalog *catalog, uint32_t *after, bool *ret_more)
{
    struct vt_item items[ITEMS_AT_ONCE];
    struct vt_item_page page = {.items = items};
    const struct vt_item_page_query query = {.after = *after, .max = ITEMS_AT_ONCE};
    vt_arena_reset(request->arena);
    VT_TRY(vt_profile_list_items(profile, request, &query, &page));
    for (uint32_t i = 0; i < page.n; i++)
        VT_TRY(append_item(&items[i], catalog));
    *after = page.last;
    *ret_more = page.more;
    return vt_ok();
}

static struct vt_err read_catalog(struct vt_profile *profile, struct vt_diag *diag,
                                  struct vt_catalog *catalog)
{
    struct vt_arena arena;
    struct vt_request request = {.arena = &arena, .diag = diag, .deadline_ns = INT64_MAX};
    struct vt_err err = vt_ok();
    uint32_t after = 0;
    bool more = true;
    VT_CHECK(vt_arena_init_owned(&arena, ARENA_BYTES), VT_EXHAUSTED,
             "out of memory for the catalog");
    while (more && !vt_failed(err))
        err = append_page(profile, &request, catalog, &after, &more);
    vt_arena_fini(&arena);
    return err;
}

/* ---- the store ---- */

static struct vt_err read_store(const char *data_dir, bool read_only, struct vt_diag *diag,
                                const struct destination *to)
{
    struct vt_profile_options options = {
        .data_dir = data_dir, .clock = vt_clock_system(), .read_only = read_only};
    struct vt_profile *profile;
    VT_TRY(vt_profile_open(&options, diag, &profile));
    struct vt_err err = vt_ok();
    if (to->interactions != NULL)
        err = vt_profile_each_event(profile, append_event, to->interactions);
    if (!vt_failed(err) && to->catalog != NULL)
        err = read_catalog(profile, diag, to->catalog);
    vt_profile_close(profile);
    return err;
}

static struct vt_err read_checkpoint(struct vt_rpc_channel *channel, const char *data_dir,
                                     struct vt_diag *diag, const struct destination *to)
{
    struct vt_checkpoint checkpoint;
    VT_TRY(vt_checkpoint_take(channel, data_dir, diag, &checkpoint));
    struct vt_err err = read_store(checkpoint.data_dir, true, diag, to);
    vt_checkpoint_drop(&checkpoint);
    return err;
}

static struct vt_err read_either(const char *data_dir, struct vt_diag *diag,
                                 const struct destination *to)
{
    struct vt_rpc_channel *channel = NULL;
    struct vt_err err = read_store(data_dir, false, diag, to);
    if (err.code != VT_UNAVAILABLE || vt_failed(vt_admin_connect(data_dir, &channel)))
        return err; /* when no server answers, `diag` names who holds the folder */
    vt_diag_clear(diag);
    err = read_checkpoint(channel, data_dir, diag, to);
    vt_rpc_channel_free(channel);
    return err;
}

struct vt_err vt_training_data_read(const char *data_dir, struct vt_diag *diag,
                                    struct vt_interactions *ret, struct vt_catalog *ret_catalog)
{
    const struct destination to = {ret, ret_catalog};
    VT_TRY(read_either(data_dir, diag, &to));
    if (ret->n > 0)
        return vt_ok();
    vt_diag_set(diag, data_dir, "no event yet; `vitrine import --data %s` loads some", data_dir);
    return VT_ERR(VT_INVALID, "there are no events to learn from");
}

struct vt_err vt_training_catalog_read(const char *data_dir, struct vt_diag *diag,
                                       struct vt_catalog *ret_catalog)
{
    const struct destination to = {NULL, ret_catalog};
    char path[PATH_BYTES];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s/live", data_dir);
    VT_CHECK(n > 0 && n < PATH_BYTES, VT_INVALID, "path of the data folder is too long");
    VT_CHECK(stat(path, &info) == 0, VT_NOT_FOUND, "the folder has no store");
    return read_either(data_dir, diag, &to);
}

void vt_training_data_weigh_adjacency(struct vt_dataset_options *dataset)
{
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        dataset->event_weights[type] = 1;
    dataset->once = true;
}
