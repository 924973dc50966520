/*
 * How a store of an earlier version becomes one of this version. Format bytes let one value change
 * its form at its next writing; what concerns rows together (a new index of what is already there,
 * a family that moves) is a step here. Steps run at opening, in order, and only ever forwards:
 * going back is restoring the backup made before.
 */
#include "services/profile/layout.h"

#include "services/common/base/log.h"
#include "services/profile/profile_internal.h"

#include <string.h>
#include <sys/random.h>

/* ---- the row ---- */

void vt__layout_encode(const struct vt__layout *layout, struct vt__buffer *buffer)
{
    vt__put_u8(buffer, VT__RECORD_FORMAT);
    vt__put_u32(buffer, layout->number);
    vt__put_bytes(buffer, layout->store_id, sizeof layout->store_id);
}

struct vt_err vt__layout_decode(struct vt_slice bytes, struct vt__layout *ret_layout)
{
    struct vt__reader reader = vt__reader(bytes);
    unsigned format = vt__get_u8(&reader);
    struct vt__layout layout = {.number = vt__get_u32(&reader)};
    VT_CHECK(!reader.failed && layout.number != 0, VT_CORRUPT, "the layout's row is malformed");
    if (layout.number <= VT__LAYOUT) {
        struct vt_slice id = vt__get_bytes(&reader, sizeof layout.store_id);
        VT_CHECK(vt__reader_done(&reader) && format == VT__RECORD_FORMAT, VT_CORRUPT,
                 "the layout's row is malformed");
        memcpy(layout.store_id, id.data, sizeof layout.store_id);
    }
    *ret_layout = layout;
    return vt_ok();
}

static struct vt_err read_row(struct vt_profile *profile, struct vt_diag *diag,
                              struct vt__layout *ret_layout)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_layout();
    bool found = false;
    VT_TRY(vt_store_get(profile->store, VT__STATE, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err = vt_ok();
    if (found)
        err = vt__layout_decode(value.bytes, ret_layout);
    else
        *ret_layout = (struct vt__layout){.number = 1};
    vt_store_value_release(&value);
    return err;
}

/* ---- the steps ---- */

/* Backups tell by it whose they are. */
static struct vt_err give_store_id(struct vt_profile *profile, struct vt_store_batch *batch,
                                   struct vt__layout *layout)
{
    (void)profile;
    (void)batch;
    ssize_t n = getrandom(layout->store_id, sizeof layout->store_id, 0);
    VT_CHECK(n == (ssize_t)sizeof layout->store_id, VT_INTERNAL, "the system gives no randomness");
    return vt_ok();
}

/* Impressions are remembered beside the history from now on, and what an earlier version would take
 * for a damaged key comes with the next of them: there is nothing to write before. */
static struct vt_err allow_shown(struct vt_profile *profile, struct vt_store_batch *batch,
                                 struct vt__layout *layout)
{
    (void)profile;
    (void)batch;
    (void)layout;
    return vt_ok();
}

/* Entry i leads from layout i + 1 to the next: it adds rows to the batch, or changes the layout's
 * own row. What exceeds a batch it may write before, if doing so twice is harmless. */
static struct vt_err (*const steps[])(struct vt_profile *profile, struct vt_store_batch *batch,
                                      struct vt__layout *layout) = {give_store_id, allow_shown};
_Static_assert(sizeof steps / sizeof steps[0] == VT__LAYOUT - 1, "a step for each earlier layout");

static struct vt_err take_step(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt__layout next = profile->layout;
    struct vt_store_batch *batch = NULL;
    struct vt__buffer row = {0};
    struct vt__key key = vt__key_layout();
    VT_TRY(vt_store_batch_new(profile->store, &batch));
    struct vt_err err = steps[next.number - 1](profile, batch, &next);
    next.number++;
    vt__layout_encode(&next, &row);
    if (!vt_failed(err) && row.failed)
        err = VT_ERR(VT_EXHAUSTED, "out of memory");
    if (!vt_failed(err)) {
        vt_store_batch_put(batch, VT__STATE, vt__key_slice(&key), vt__buffer_slice(&row));
        err = vt_store_write(profile->store, batch, diag);
    }
    vt_store_batch_free(batch);
    vt__buffer_fini(&row);
    if (!vt_failed(err))
        profile->layout = next;
    return err;
}

struct vt_err vt__layout_read(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt__layout layout;
    VT_TRY(read_row(profile, diag, &layout));
    if (layout.number > VT__LAYOUT) {
        vt_diag_set(diag, "store",
                    "has layout %u, and this version knows up to %d: a later version wrote it. "
                    "Start that one, or restore a backup made before the upgrade",
                    layout.number, VT__LAYOUT);
        return VT_ERR(VT_PRECONDITION, "the store was written by a later version");
    }
    profile->layout = layout;
    return vt_ok();
}

struct vt_err vt__layout_upgrade(struct vt_profile *profile, struct vt_diag *diag)
{
    uint32_t found = profile->layout.number;
    while (profile->layout.number < VT__LAYOUT)
        VT_TRY(take_step(profile, diag));
    if (found < VT__LAYOUT && profile->state.sequence != 0) /* of a new store nothing is to tell */
        vt_log(VT_LOG_INFO, "store_upgraded", VT_F_INT("from_layout", found),
               VT_F_INT("to_layout", VT__LAYOUT));
    return vt_ok();
}

void vt_profile_store_id(const struct vt_profile *profile, char ret_hex[VT_STORE_ID_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < VT__STORE_ID_BYTES; i++) {
        ret_hex[2 * i] = digits[profile->layout.store_id[i] >> 4];
        ret_hex[2 * i + 1] = digits[profile->layout.store_id[i] & 15];
    }
    ret_hex[2 * VT__STORE_ID_BYTES] = '\0';
}
