/*
 * Retention of the event log. Keys of the log begin with the day of acceptance, which never falls,
 * so the oldest day is the first rows, and dropping it is one range delete, however many events it
 * has. Age is that of acceptance: an import of old purchases is kept as long as what came in today.
 *
 * customer_events says for each customer and day which blocks hold rows of theirs. Its rows of a
 * dropped day lie scattered over all customers; no one looks for them, they leave when their tables
 * are rewritten (vt__customer_day_expired). Counters and histories stay: the first name nobody, the
 * second are bounded by number, and are what a customer who comes back after a year is known by.
 */
#include "services/common/store/upkeep.h"
#include "services/profile/ageing.h"
#include "services/profile/ageing_internal.h"

enum { MS_PER_DAY = 24 * 3600 * 1000 };

static struct vt_err find_first_day(struct vt_profile *profile, struct vt_diag *diag,
                                    uint32_t *ret_day, bool *ret_found)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    uint64_t first = 0;
    VT_TRY(vt_store_iter_open(profile->store, VT__EVENTS, all, all, &rows));
    struct vt_err err = vt_store_iter_next(rows, diag, ret_found);
    if (!vt_failed(err) && *ret_found && !vt__parse_block(vt_store_iter_key(rows), ret_day, &first))
        err = VT_ERR(VT_CORRUPT, "a log block's key is malformed");
    vt_store_iter_close(rows);
    return err;
}

struct vt_err vt__retention_open(struct vt_profile *profile, struct vt_diag *diag)
{
    uint32_t day = 0;
    bool found = false;
    VT_TRY(find_first_day(profile, diag, &day, &found));
    atomic_store_explicit(&profile->ageing->first_day, found ? day : 0, memory_order_relaxed);
    return vt_ok();
}

uint32_t vt__log_first_day(const struct vt_profile *profile)
{
    return atomic_load_explicit(&profile->ageing->first_day, memory_order_relaxed);
}

bool vt__customer_day_expired(const void *profile, struct vt_slice key, struct vt_slice value)
{
    uint64_t customer = 0;
    uint32_t day = 0;
    (void)value;
    return vt__parse_customer_day(key, &customer, &day) && day < vt__log_first_day(profile);
}

/* Every block up to and with a day. */
static struct vt_err apply_drop(struct vt_profile *profile, struct vt__job *job)
{
    uint32_t day = *(const uint32_t *)job->input;
    struct vt__key first = vt__key_block(0, 0), end = vt__key_block(day + 1, 0);
    vt_store_batch_delete_range(profile->batch, VT__EVENTS, vt__key_slice(&first),
                                vt__key_slice(&end));
    profile->state.sequence++; /* the commit has something to make durable */
    return vt_ok();
}

/* Days end when all of their events are too old. */
static uint32_t first_day_to_keep(const struct vt_profile *profile)
{
    int64_t oldest_ms = vt_clock_unix_ms(profile->clock) - profile->ageing->event_retention_ms;
    return oldest_ms > 0 ? (uint32_t)(oldest_ms / MS_PER_DAY) : 0;
}

static struct vt_err drop_day(struct vt_profile *profile, uint32_t day)
{
    struct vt__ageing *ageing = profile->ageing;
    VT_TRY(vt__writer_run(profile, apply_drop, &day, NULL));
    atomic_store_explicit(&ageing->first_day, day + 1, memory_order_relaxed);
    vt_counter_add(ageing->n_days, 1);
    ageing->dropped = true;
    return vt_ok();
}

static struct vt_err give_space_back(struct vt_profile *profile, uint32_t first_kept)
{
    struct vt_slice all = vt_slice(NULL, 0);
    struct vt__key end = vt__key_block(first_kept, 0);
    VT_TRY(vt_store_flush(profile->store, NULL));
    VT_TRY(vt_store_compact(profile->store, VT__EVENTS, all, vt__key_slice(&end), NULL));
    VT_TRY(vt_store_compact(profile->store, VT__CUSTOMER_EVENTS, all, all, NULL));
    profile->ageing->dropped = false;
    return vt_ok();
}

struct vt_err vt__retain_events(struct vt_profile *profile)
{
    uint32_t day = 0, first_kept = 0;
    bool found = false;
    if (profile->ageing->event_retention_ms == 0 || !vt__ageing_clock_is_sound(profile))
        return vt_ok();
    first_kept = first_day_to_keep(profile);
    VT_TRY(find_first_day(profile, NULL, &day, &found));
    if (found && day < first_kept)
        return drop_day(profile, day);
    return profile->ageing->dropped ? give_space_back(profile, first_kept) : vt_ok();
}
