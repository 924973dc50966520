/* The other direction of the family `names`, for whatever tells people of channels. */
#include "services/profile/channel_names.h"

#include <stdlib.h>
#include <string.h>

static struct vt_err take_row(struct vt_slice key, struct vt_slice value,
                              struct vt__channel_names *names)
{
    enum vt__name_kind kind;
    struct vt_slice name;
    uint64_t number = 0;
    VT_CHECK(vt__parse_name(key, &kind, &name), VT_CORRUPT, "a name's key is malformed");
    VT_TRY(vt__number_decode(value, &number));
    VT_CHECK(number <= VT__CHANNELS_MAX, VT_CORRUPT, "a channel's number is out of range");
    memcpy(names->names[number], name.data, name.len);
    return vt_ok();
}

struct vt_err vt__channel_names_load(struct vt_profile *profile, struct vt__channel_names *names)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    names->names = calloc(VT__CHANNELS_MAX + 1, sizeof *names->names);
    VT_CHECK(names->names != NULL, VT_EXHAUSTED, "out of memory");
    VT_TRY(vt_store_iter_open(profile->store, VT__NAMES, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = take_row(vt_store_iter_key(rows), vt_store_iter_value(rows), names);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

void vt__channel_names_fini(struct vt__channel_names *names)
{
    free(names->names);
    *names = (struct vt__channel_names){0};
}

struct vt_slice vt__channel_name(const struct vt__channel_names *names, uint16_t number)
{
    return number <= VT__CHANNELS_MAX ? vt_slice_str(names->names[number]) : vt_slice(NULL, 0);
}
