/*
 * What followers of the catalog can ask without the store: the newest changes in a ring, and how
 * much each item was wanted. The writer thread appends after each commit; watches read under the
 * same lock, for at most a few hundred entries at a time. The ring says which item changed, not
 * how: the entry is read from the store when the change is told, so a hundred price updates of an
 * item cost a slow reader one message's worth of state, and the last state always arrives.
 *
 * The changes family is the ring's backing: read back at open, so that readers can come back after
 * a restart, and trimmed to the ring's length.
 */
#include "services/profile/changes.h"
#include "services/profile/profile_internal.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS INT64_C(1000000)

/* What was counted before opening stands for the first telling: a reader that comes back after a
 * restart has heard of some of it, nobody knows of what. */
enum { FIRST_TICK = 1 };

static void push(struct vt__feed *feed, struct vt__ring_entry entry)
{
    struct vt__ring_entry *slot = &feed->ring[feed->n_pushed % VT__RING_CHANGES];
    if (feed->n_pushed >= VT__RING_CHANGES)
        feed->floor = slot->sequence;
    *slot = entry;
    feed->n_pushed++;
}

struct vt_err vt__feed_reserve(struct vt__feed *feed, uint32_t item)
{
    if (item < feed->n_weights)
        return vt_ok();
    uint32_t n = feed->n_weights != 0 ? feed->n_weights : 4096;
    while (n <= item)
        n = n > UINT32_MAX / 2 ? UINT32_MAX : n * 2;
    int64_t *weights = calloc(n, sizeof *weights);
    uint32_t *stamps = calloc(n, sizeof *stamps);
    if (weights == NULL || stamps == NULL) {
        free(weights);
        free(stamps);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    pthread_mutex_lock(&feed->lock);
    if (feed->n_weights != 0) {
        memcpy(weights, feed->weights, feed->n_weights * sizeof *weights);
        memcpy(stamps, feed->stamps, feed->n_weights * sizeof *stamps);
    }
    free(feed->weights);
    free(feed->stamps);
    feed->weights = weights;
    feed->stamps = stamps;
    feed->n_weights = n;
    pthread_mutex_unlock(&feed->lock);
    return vt_ok();
}

void vt__feed_add_weight(struct vt__feed *feed, uint32_t item, int64_t delta)
{
    feed->weights[item] += delta;
    feed->stamps[item] = feed->tick + 1;
    feed->counts_waiting = true;
}

/* Under the lock. */
static bool counts_due(struct vt_profile *profile)
{
    struct vt__feed *feed = &profile->feed;
    int64_t since_ns = vt_clock_monotonic_ns(profile->clock) - feed->counts_told_ns;
    return feed->counts_waiting && since_ns >= VT__COUNTS_EVERY_MS * NS_PER_MS;
}

/* Under the lock. `wake` must only hand over: it may not call back. */
static void wake_all(struct vt__feed *feed)
{
    for (struct vt_watch *watch = feed->watches; watch != NULL; watch = watch->next) {
        if (!watch->armed)
            continue;
        watch->armed = false;
        if (watch->wake != NULL)
            watch->wake(watch->ctx);
    }
}

void vt__feed_tell_counts(struct vt_profile *profile)
{
    struct vt__feed *feed = &profile->feed;
    pthread_mutex_lock(&feed->lock);
    if (counts_due(profile)) {
        feed->tick++;
        feed->counts_waiting = false;
        feed->counts_told_ns = vt_clock_monotonic_ns(profile->clock);
        wake_all(feed);
    }
    pthread_mutex_unlock(&feed->lock);
}

int64_t vt__feed_due_ns(struct vt_profile *profile)
{
    struct vt__feed *feed = &profile->feed;
    int64_t due_ns = -1;
    pthread_mutex_lock(&feed->lock);
    if (feed->counts_waiting) {
        int64_t at = feed->counts_told_ns + VT__COUNTS_EVERY_MS * NS_PER_MS;
        due_ns = at - vt_clock_monotonic_ns(profile->clock);
        due_ns = due_ns > NS_PER_MS ? due_ns : NS_PER_MS;
    }
    pthread_mutex_unlock(&feed->lock);
    return due_ns;
}

void vt__feed_publish(struct vt_profile *profile)
{
    struct vt__feed *feed = &profile->feed;
    pthread_mutex_lock(&feed->lock);
    for (uint32_t i = 0; i < profile->n_pending; i++)
        push(feed, profile->pending[i]);
    feed->sequence = profile->state.sequence;
    if (profile->n_pending != 0)
        wake_all(feed);
    pthread_mutex_unlock(&feed->lock);
}

uint32_t vt__feed_count_after(const struct vt__feed *feed, uint64_t sequence)
{
    uint64_t low = feed->n_pushed > VT__RING_CHANGES ? feed->n_pushed - VT__RING_CHANGES : 0;
    uint64_t high = feed->n_pushed;
    while (low < high) { /* the first entry after the place */
        uint64_t middle = low + (high - low) / 2;
        if (feed->ring[middle % VT__RING_CHANGES].sequence <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)(feed->n_pushed - low);
}

/* ---- at open ---- */

static struct vt_err load_weight(struct vt__feed *feed, struct vt_slice key, struct vt_slice value)
{
    enum vt__metric metric;
    uint64_t item = 0;
    uint32_t hour = 0;
    int64_t sum = 0;
    VT_CHECK(vt__parse_counter(key, &metric, &item, &hour) && item <= UINT32_MAX, VT_CORRUPT,
             "a counter's key is malformed");
    VT_TRY(vt__counter_decode(value, &sum));
    VT_TRY(vt__feed_reserve(feed, (uint32_t)item));
    feed->weights[item] = sum;
    feed->stamps[item] = FIRST_TICK;
    return vt_ok();
}

static struct vt_err load_change(struct vt__feed *feed, struct vt_slice key, struct vt_slice value)
{
    struct vt__ring_entry entry = {0};
    VT_CHECK(vt__parse_change(key, &entry.sequence), VT_CORRUPT, "a change's key is malformed");
    VT_TRY(vt__change_decode(value, &entry.change));
    push(feed, entry);
    return vt_ok();
}

static struct vt_err load(struct vt_store *store, enum vt__family family, struct vt_slice first,
                          struct vt_slice end, struct vt_diag *diag, struct vt__feed *feed,
                          struct vt_err (*take)(struct vt__feed *feed, struct vt_slice key,
                                                struct vt_slice value))
{
    struct vt_store_iter *rows = NULL;
    bool more = false;
    VT_TRY(vt_store_iter_open(store, family, first, end, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, diag, &more)) && more) {
        err = take(feed, vt_store_iter_key(rows), vt_store_iter_value(rows));
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

static struct vt_err load_all(const struct vt_profile *profile, struct vt__feed *feed,
                              struct vt_diag *diag)
{
    struct vt_slice all = vt_slice(NULL, 0);
    struct vt__key first = vt__key_counter(VT__METRIC_ITEM_WEIGHT, 0, 0);
    struct vt__key end = vt__key_counter(VT__METRIC_ITEM_WEIGHT + 1, 0, 0);
    feed->ring = calloc(VT__RING_CHANGES, sizeof *feed->ring);
    VT_CHECK(feed->ring != NULL, VT_EXHAUSTED, "out of memory");
    VT_TRY(vt__feed_reserve(feed, profile->state.next_item));
    VT_TRY(load(profile->store, VT__COUNTERS, vt__key_slice(&first), vt__key_slice(&end), diag,
                feed, load_weight));
    VT_TRY(load(profile->store, VT__CHANGES, all, all, diag, feed, load_change));
    /* What was trimmed is below the oldest change kept; an untrimmed log reaches back to 0. */
    if (feed->n_pushed >= VT__RING_CHANGES && feed->floor == 0)
        feed->floor = feed->ring[0].sequence - 1;
    feed->sequence = profile->state.sequence;
    return vt_ok();
}

struct vt_err vt__feed_open(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt__feed *feed = &profile->feed;
    VT_TRY(load_all(profile, feed, diag));
    feed->tick = FIRST_TICK;
    feed->counts_told_ns = vt_clock_monotonic_ns(profile->clock) - VT__COUNTS_EVERY_MS * NS_PER_MS;
    return vt_ok();
}

/* ---- after the store was opened again ---- */

static void free_arrays(struct vt__feed *feed)
{
    free(feed->ring);
    free(feed->weights);
    free(feed->stamps);
}

static void swap_arrays(struct vt__feed *feed, struct vt__feed *fresh)
{
    struct vt__feed old = *feed;
    feed->ring = fresh->ring;
    feed->n_pushed = fresh->n_pushed;
    feed->floor = fresh->floor;
    feed->sequence = fresh->sequence;
    feed->weights = fresh->weights;
    feed->stamps = fresh->stamps;
    feed->n_weights = fresh->n_weights;
    *fresh = (struct vt__feed){.ring = old.ring, .weights = old.weights, .stamps = old.stamps};
}

/* Followers were told counts of what then failed to reach the disk, perhaps. */
static void stamp_differences(const struct vt__feed *feed, struct vt__feed *fresh)
{
    for (uint32_t i = 0; i < feed->n_weights; i++)
        fresh->stamps[i] = fresh->weights[i] == feed->weights[i] ? feed->stamps[i] : feed->tick + 1;
}

struct vt_err vt__feed_reload(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt__feed *feed = &profile->feed, fresh = {0};
    pthread_mutex_init(&fresh.lock, NULL);
    struct vt_err err = load_all(profile, &fresh, diag);
    if (!vt_failed(err) && feed->n_weights != 0) /* followers count on all they were told of */
        err = vt__feed_reserve(&fresh, feed->n_weights - 1);
    if (!vt_failed(err)) {
        pthread_mutex_lock(&feed->lock);
        stamp_differences(feed, &fresh);
        swap_arrays(feed, &fresh);
        feed->counts_waiting = true;
        wake_all(feed);
        pthread_mutex_unlock(&feed->lock);
    }
    free_arrays(&fresh);
    pthread_mutex_destroy(&fresh.lock);
    return err;
}

void vt__feed_fini(struct vt__feed *feed)
{
    VT_ASSERT(feed->watches == NULL);
    free_arrays(feed);
}
