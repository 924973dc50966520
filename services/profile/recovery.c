/*
 * After a failed write (a full disk, an I/O error) or a job that failed half-way, the writer's
 * memory may be ahead of the disk, and RocksDB refuses everything until it is opened again. So the
 * writer refuses too, and every second, once there is space, it opens the store in place
 * (store/upkeep.h; reads go on meanwhile) and reads its memory back from what is really there. Then
 * it takes writes again. Nobody needs to be woken for a full disk.
 *
 * Nothing acknowledged may be missing from what comes back: the sequence on disk is held against
 * the last one that was told to followers, which is also the last acknowledged. A store with less
 * stays closed for writing. It may come back with more: a batch whose fsync failed can have reached
 * the log all the same. Its callers were told of a failure, not that nothing happened; their
 * retries find duplicates, and followers get its changes from the ring that is read back with it.
 */
#include "services/profile/recovery.h"

#include "services/common/base/log.h"
#include "services/common/store/upkeep.h"
#include "services/profile/memory.h"
#include "services/profile/profile_internal.h"

#define NS_PER_S INT64_C(1000000000)
#define RETRY_NS (1 * NS_PER_S)
#define RETRY_DAMAGED_NS (60 * NS_PER_S) /* time does not heal it, but a person may */

void vt__recovery_init(struct vt_profile *profile, struct vt_metrics *metrics)
{
    profile->recovery.refused_gauge =
        vt_metrics_gauge(metrics, "vitrine_store_writes_refused",
                         "1 while writes are refused, by reason.", "reason=\"failed\"");
    profile->recovery.n_reopened =
        vt_metrics_counter(metrics, "vitrine_store_recoveries_total",
                           "Times the store took writes again after a failed one.", "");
}

bool vt__recovery_is_broken(const struct vt_profile *profile)
{
    return atomic_load_explicit(&profile->broken, memory_order_relaxed);
}

void vt__recovery_begin(struct vt_profile *profile, struct vt_err why)
{
    atomic_store_explicit(&profile->broken, true, memory_order_relaxed);
    profile->recovery.next_try_ns = vt_clock_monotonic_ns(vt_clock_system()) + RETRY_NS;
    profile->recovery.told_code = VT_OK;
    vt_gauge_set(profile->recovery.refused_gauge, 1);
    vt_log_err(VT_LOG_ERROR, "store_writes_stopped", why, profile->recovery.diag.text);
    vt_diag_clear(&profile->recovery.diag);
}

int64_t vt__recovery_due_ns(const struct vt_profile *profile)
{
    if (!vt__recovery_is_broken(profile))
        return -1;
    int64_t due_ns = profile->recovery.next_try_ns - vt_clock_monotonic_ns(vt_clock_system());
    return due_ns > 0 ? due_ns : 0;
}

/* The store has come back: with all that was acknowledged? */
static struct vt_err check_nothing_lost(const struct vt_profile *profile, struct vt_diag *diag)
{
    uint64_t acknowledged = profile->feed.sequence; /* written by this thread only */
    if (profile->state.sequence >= acknowledged)
        return vt_ok();
    vt_diag_set(diag, "store", "acknowledged up to sequence %llu, came back with %llu",
                (unsigned long long)acknowledged, (unsigned long long)profile->state.sequence);
    return VT_ERR(VT_CORRUPT, "the store lost what it had acknowledged: restore a backup");
}

static struct vt_err recover(struct vt_profile *profile, struct vt_diag *diag)
{
    VT_TRY(vt__space_check(profile, diag));
    vt__memory_drop(profile); /* its readers hold iterators */
    VT_TRY(vt_store_reopen(profile->store, diag));
    VT_TRY(vt__state_load(profile, diag));
    VT_TRY(check_nothing_lost(profile, diag));
    VT_TRY(vt__memory_load(profile, diag));
    return vt__feed_reload(profile, diag);
}

static void put_off(struct vt_profile *profile, struct vt_err err, const struct vt_diag *diag)
{
    struct vt__recovery *recovery = &profile->recovery;
    bool passing = err.code == VT_EXHAUSTED || err.code == VT_UNAVAILABLE;
    recovery->next_try_ns =
        vt_clock_monotonic_ns(vt_clock_system()) + (passing ? RETRY_NS : RETRY_DAMAGED_NS);
    vt__memory_drop(profile);
    if (recovery->told_code == err.code)
        return;
    recovery->told_code = err.code;
    vt_log_err(VT_LOG_ERROR, "store_recovery_failed", err, diag->text);
}

void vt__recovery_try(struct vt_profile *profile)
{
    struct vt_diag diag = {0};
    if (vt__recovery_due_ns(profile) != 0)
        return;
    vt__space_look(profile);
    struct vt_err err = recover(profile, &diag);
    if (vt_failed(err)) {
        put_off(profile, err, &diag);
        return;
    }
    atomic_store_explicit(&profile->broken, false, memory_order_relaxed);
    vt_gauge_set(profile->recovery.refused_gauge, 0);
    vt_counter_add(profile->recovery.n_reopened, 1);
    vt_log(VT_LOG_WARN, "store_writes_resumed", VT_F_INT("sequence", profile->state.sequence));
}
