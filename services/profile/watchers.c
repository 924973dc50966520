/*
 * Who follows the catalog, and how far behind each is. Lag is counted in changes that a reader has
 * not yet asked past: sequences count events too, and would show a lag where there is nothing to
 * tell. Each reader has a slot, the lowest that is free, so that its gauge has a label from a small
 * fixed set and a reader that comes back after a break usually finds its own again.
 *
 * A reader holds a slot, two arenas and a call of the service, so it may not do so for nothing:
 * once a second the chore looks for readers that took what was told and have not come back for
 * more. Whether that is a reader's fault, its stream knows: the hook only tells it. Who falls out
 * of the ring is refused by vt_watch_next (changes.c). Both come back by vt_watch_open.
 *
 * All under feed.lock, for microseconds: at most a hundred readers, and a binary search each.
 */
#include "services/profile/watchers.h"

#include "services/profile/changes.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS INT64_C(1000000)

enum {
    SLOTS_MAX = 80, /* those of CatalogService.Watch, our own, and tests' */
    STALL_DEFAULT_MS = 30000,
};

struct vt__watchers {
    struct vt_metrics *metrics; /* borrowed, may be NULL */
    int64_t stall_ns;
    struct vt_gauge *n_open;
    struct vt_counter *n_stalled, *n_behind;
    bool taken[SLOTS_MAX];
    struct vt_gauge *lag[SLOTS_MAX]; /* made when a slot is first taken */
};

struct vt_err vt__watchers_new(int64_t stall_ms, struct vt_metrics *metrics,
                               struct vt__watchers **ret_watchers)
{
    struct vt__watchers *watchers = calloc(1, sizeof *watchers);
    VT_CHECK(watchers != NULL, VT_EXHAUSTED, "out of memory");
    const char *cut = "vitrine_catalog_watchers_cut_total";
    const char *help = "Readers of the catalog's changes that were ended, to come back.";
    watchers->metrics = metrics;
    watchers->stall_ns = (stall_ms != 0 ? stall_ms : STALL_DEFAULT_MS) * NS_PER_MS;
    watchers->n_open = vt_metrics_gauge(metrics, "vitrine_catalog_watchers",
                                        "Readers that follow the catalog's changes.", "");
    watchers->n_stalled = vt_metrics_counter(metrics, cut, help, "reason=\"stalled\"");
    watchers->n_behind = vt_metrics_counter(metrics, cut, help, "reason=\"behind\"");
    *ret_watchers = watchers;
    return vt_ok();
}

void vt__watchers_free(struct vt__watchers *watchers)
{
    free(watchers);
}

static void name_gauge(struct vt__watchers *watchers, uint32_t slot)
{
    char label[32];
    snprintf(label, sizeof label, "watcher=\"%u\"", slot);
    watchers->lag[slot] =
        vt_metrics_gauge(watchers->metrics, "vitrine_catalog_watcher_lag_changes",
                         "Changes of the catalog that a reader has not asked past.", label);
}

void vt__watchers_add(struct vt__watchers *watchers, struct vt_watch *watch)
{
    uint32_t slot = 0;
    while (slot < SLOTS_MAX && watchers->taken[slot])
        slot++;
    watch->slot = slot;
    vt_gauge_add(watchers->n_open, 1);
    if (slot == SLOTS_MAX)
        return; /* followed like the others, without a gauge */
    watchers->taken[slot] = true;
    if (watchers->lag[slot] == NULL)
        name_gauge(watchers, slot);
}

void vt__watchers_remove(struct vt__watchers *watchers, const struct vt_watch *watch)
{
    vt_gauge_add(watchers->n_open, -1);
    if (watch->slot == SLOTS_MAX)
        return;
    watchers->taken[watch->slot] = false;
    vt_gauge_set(watchers->lag[watch->slot], 0);
}

void vt__watchers_count_behind(struct vt__watchers *watchers)
{
    vt_counter_add(watchers->n_behind, 1);
}

static bool is_stalled(const struct vt__watchers *watchers, const struct vt_watch *watch,
                       int64_t now_ns)
{
    return watch->stalled != NULL && !watch->armed && now_ns - watch->asked_ns > watchers->stall_ns;
}

struct vt_err vt__watchers_chore(struct vt_profile *profile)
{
    struct vt__watchers *watchers = profile->watchers;
    int64_t now_ns = vt_clock_monotonic_ns(profile->clock);
    pthread_mutex_lock(&profile->feed.lock);
    for (struct vt_watch *watch = profile->feed.watches; watch != NULL; watch = watch->next) {
        if (watch->slot < SLOTS_MAX)
            vt_gauge_set(watchers->lag[watch->slot],
                         vt__feed_count_after(&profile->feed, watch->place));
        if (is_stalled(watchers, watch, now_ns) && watch->stalled(watch->ctx))
            vt_counter_add(watchers->n_stalled, 1);
    }
    pthread_mutex_unlock(&profile->feed.lock);
    return vt_ok();
}
