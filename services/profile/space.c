/*
 * A store whose disk is full must be closed and opened again, which needs space itself: for the
 * memtables that become tables, and for compactions that write before they delete. So writes are
 * refused while there still is some, and reads go on. Erasures, retention and other work of our
 * own is not refused: it is what makes room.
 *
 * The writer looks after each commit, about a microsecond, so that not even the fastest stream gets
 * far past the bound between two looks; a chore looks when nobody writes, which is how writes come
 * back. Coming back takes a quarter more than the bound, so that nothing flaps at it.
 */
#include "services/profile/space.h"

#include "services/common/base/log.h"
#include "services/common/store/upkeep.h"
#include "services/profile/profile_internal.h"

/* Memtables of 64 MiB become tables, and a log of 256 MiB may be replayed into further ones. */
#define MIN_BYTES_DEFAULT (UINT64_C(320) << 20)
enum { DISK_SHARE_MAX = 16, MIB = 1 << 20 };

static void tell_change(const struct vt__space *space, bool low, uint64_t free_bytes)
{
    vt_log(low ? VT_LOG_ERROR : VT_LOG_WARN, low ? "store_space_low" : "store_space_enough",
           VT_F_STR("detail", low ? "writes are refused, reads go on: free space on the data disk"
                                  : "writes are taken again"),
           VT_F_INT("free_bytes", free_bytes), VT_F_INT("free_space_min", space->min_bytes));
}

void vt__space_look(struct vt_profile *profile)
{
    struct vt__space *space = &profile->space;
    uint64_t free_bytes = 0, total_bytes = 0;
    if (vt_failed(vt_store_free_bytes(profile->store, &free_bytes, &total_bytes)))
        return; /* the file system is away: writing will say so */
    bool was_low = atomic_load_explicit(&space->low, memory_order_relaxed);
    bool low = free_bytes < (was_low ? space->enough_bytes : space->min_bytes);
    atomic_store_explicit(&space->free_bytes, free_bytes, memory_order_relaxed);
    vt_gauge_set(space->free_gauge, (double)free_bytes);
    if (low == was_low || atomic_exchange_explicit(&space->low, low, memory_order_relaxed) == low)
        return; /* nothing new, or another thread saw it first */
    vt_gauge_set(space->refused_gauge, low ? 1 : 0);
    tell_change(space, low, free_bytes);
}

struct vt_err vt__space_open(struct vt_profile *profile, uint64_t min_bytes,
                             struct vt_metrics *metrics)
{
    struct vt__space *space = &profile->space;
    uint64_t free_bytes = 0, total_bytes = 0;
    VT_TRY(vt_store_free_bytes(profile->store, &free_bytes, &total_bytes));
    uint64_t share = total_bytes / DISK_SHARE_MAX;
    space->min_bytes = min_bytes != 0              ? min_bytes
                       : share < MIN_BYTES_DEFAULT ? share
                                                   : MIN_BYTES_DEFAULT;
    space->enough_bytes = space->min_bytes + space->min_bytes / 4;
    space->free_gauge = vt_metrics_gauge(metrics, "vitrine_store_free_bytes",
                                         "Free space on the disk of the live store.", "");
    space->min_gauge = vt_metrics_gauge(metrics, "vitrine_store_free_min_bytes",
                                        "Below this much free space writes are refused.", "");
    space->refused_gauge =
        vt_metrics_gauge(metrics, "vitrine_store_writes_refused",
                         "1 while writes are refused, by reason.", "reason=\"free_space\"");
    vt_gauge_set(space->min_gauge, (double)space->min_bytes);
    vt__space_look(profile);
    return vt_ok();
}

struct vt_err vt__space_check(const struct vt_profile *profile, struct vt_diag *diag)
{
    const struct vt__space *space = &profile->space;
    if (!atomic_load_explicit(&space->low, memory_order_relaxed))
        return vt_ok();
    uint64_t free_bytes = atomic_load_explicit(&space->free_bytes, memory_order_relaxed);
    vt_diag_set(diag, "",
                "the disk of the store has %llu MiB left; writes need %llu (--free-space-min): "
                "free some, they come back by themselves",
                (unsigned long long)(free_bytes / MIB),
                (unsigned long long)(space->enough_bytes / MIB));
    return VT_ERR(VT_EXHAUSTED, "too little free space: writes are refused, reads go on");
}

struct vt_err vt__space_chore(struct vt_profile *profile)
{
    vt__space_look(profile);
    return vt_ok();
}
