/*
 * A reader's place. A snapshot is not a frozen view: it walks the items a page at a time, while the
 * writer goes on, and stands for the sequence at which it began. Whatever changes meanwhile is in
 * the tail that follows and is told again, so the reader ends with exactly the writer's table, and
 * nobody holds a RocksDB snapshot for a slow reader. Who falls further behind than the ring reaches
 * is refused, and begins again with a snapshot by opening a new watch: a reader hears that it is
 * too slow, instead of being sent the catalog over and over.
 */
#include "services/profile/changes.h"

#include "services/profile/watchers.h"

#include <stdlib.h>

enum { COUNTS_PER_CHANGE = 1000, TAIL_MAX = 512 };
static const float WEIGHT_UNIT = 0.001f;

struct vt_err vt_watch_open(struct vt_profile *profile, uint64_t since_sequence,
                            void (*wake)(void *ctx), void *ctx, struct vt_watch **ret_watch)
{
    struct vt_watch *watch = calloc(1, sizeof *watch);
    VT_CHECK(watch != NULL, VT_EXHAUSTED, "out of memory");
    struct vt__feed *feed = &profile->feed;
    *watch = (struct vt_watch){.profile = profile, .wake = wake, .ctx = ctx};
    pthread_mutex_lock(&feed->lock);
    /* A sequence of the future is one of another store, or of one restored from a backup. */
    if (since_sequence != 0 && since_sequence >= feed->floor && since_sequence <= feed->sequence)
        watch->phase = VT__WATCH_TAIL;
    watch->sequence = since_sequence;
    watch->place = watch->phase == VT__WATCH_TAIL ? since_sequence : feed->sequence;
    watch->asked_ns = vt_clock_monotonic_ns(profile->clock);
    watch->next = feed->watches;
    feed->watches = watch;
    vt__watchers_add(profile->watchers, watch);
    pthread_mutex_unlock(&feed->lock);
    *ret_watch = watch;
    return vt_ok();
}

void vt_watch_close(struct vt_watch *watch)
{
    if (watch == NULL)
        return;
    struct vt__feed *feed = &watch->profile->feed;
    pthread_mutex_lock(&feed->lock);
    struct vt_watch **link = &feed->watches;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    vt__watchers_remove(watch->profile->watchers, watch);
    pthread_mutex_unlock(&feed->lock);
    free(watch);
}

void vt_watch_on_stall(struct vt_watch *watch, bool (*stalled)(void *ctx))
{
    struct vt__feed *feed = &watch->profile->feed;
    pthread_mutex_lock(&feed->lock);
    watch->stalled = stalled;
    pthread_mutex_unlock(&feed->lock);
}

/* ---- the snapshot ---- */

static struct vt_err tell_begin(struct vt_watch *watch, struct vt_change *ret_change)
{
    struct vt__feed *feed = &watch->profile->feed;
    pthread_mutex_lock(&feed->lock);
    watch->sequence = feed->sequence;
    watch->until_tick = feed->tick;
    pthread_mutex_unlock(&feed->lock);
    watch->phase = VT__WATCH_ITEMS;
    watch->item = 0;
    *ret_change = (struct vt_change){watch->sequence, VT_CHANGE_SNAPSHOT_BEGIN, {0}, NULL, NULL, 0};
    return vt_ok();
}

/* The state of an item as a change. Of a deleted one the number and the SKU stay, so readers are
 * told of them, once: only a deletion itself, which follows later or did before, says DELETE. */
static struct vt_err change_of(struct vt_slice record, uint32_t number, bool by_deletion,
                               struct vt_arena *arena, struct vt_change *ret_change)
{
    enum vt__item_state state;
    struct vt_change change = {.kind = VT_CHANGE_UPSERT};
    VT_TRY(vt__item_decode(record, arena, &state, &change.item));
    change.item.number = number;
    if (state == VT__ITEM_DELETED && by_deletion)
        change.kind = VT_CHANGE_DELETE;
    else if (state != VT__ITEM_DESCRIBED)
        change.kind = VT_CHANGE_MENTION;
    *ret_change = change;
    return vt_ok();
}

/* A full arena ends a page early, unless not even one change fits. */
static struct vt_err end_page(struct vt_err err, size_t arena_used, struct vt_arena *arena,
                              uint32_t n)
{
    if (err.code != VT_EXHAUSTED || n == 0 || !arena->exhausted)
        return err;
    arena->used = arena_used;
    arena->exhausted = false;
    return vt_ok();
}

static struct vt_err tell_rows(struct vt_watch *watch, struct vt_store_iter *rows,
                               struct vt_arena *arena, uint32_t max, struct vt_change *ret_changes,
                               uint32_t *ret_n)
{
    for (bool more = true; *ret_n < max;) {
        uint32_t number = 0;
        size_t used = arena->used;
        VT_TRY(vt_store_iter_next(rows, NULL, &more));
        if (!more) {
            watch->phase = VT__WATCH_COUNTS;
            watch->item = 0;
            return vt_ok();
        }
        VT_CHECK(vt__parse_item(vt_store_iter_key(rows), &number), VT_CORRUPT,
                 "an item's key is malformed");
        struct vt_err err =
            change_of(vt_store_iter_value(rows), number, false, arena, &ret_changes[*ret_n]);
        if (vt_failed(err))
            return end_page(err, used, arena, *ret_n);
        ret_changes[(*ret_n)++].sequence = watch->sequence;
        watch->item = number;
    }
    return vt_ok();
}

static struct vt_err tell_items(struct vt_watch *watch, struct vt_arena *arena, uint32_t max,
                                struct vt_change *ret_changes, uint32_t *ret_n)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_item(watch->item + 1);
    VT_TRY(vt_store_iter_open(watch->profile->store, VT__ITEMS, vt__key_slice(&first),
                              vt_slice(NULL, 0), &rows));
    struct vt_err err = tell_rows(watch, rows, arena, max, ret_changes, ret_n);
    vt_store_iter_close(rows);
    return err;
}

/* ---- counts: all there are in a snapshot, those stamped since the last telling in the tail ----
 */

/* Under feed.lock. Fills up to COUNTS_PER_CHANGE; watch->item ends at the last one looked at. */
static uint32_t gather_counts(struct vt_watch *watch, bool all, uint32_t *numbers, float *counts)
{
    const struct vt__feed *feed = &watch->profile->feed;
    uint32_t n = 0;
    while (watch->item + 1 < feed->n_weights && n < COUNTS_PER_CHANGE) {
        uint32_t item = ++watch->item;
        if (feed->stamps[item] <= (all ? 0 : watch->tick))
            continue;
        numbers[n] = item;
        counts[n++] = feed->weights[item] > 0 ? (float)feed->weights[item] * WEIGHT_UNIT : 0.0f;
    }
    return n;
}

/* One COUNTS change, or none when there is nothing (more) to tell; *ret_end at the last item. */
static struct vt_err tell_counts(struct vt_watch *watch, bool all, struct vt_arena *arena,
                                 struct vt_change *ret_change, bool *ret_told, bool *ret_end)
{
    struct vt__feed *feed = &watch->profile->feed;
    uint32_t *numbers = vt_arena_alloc(arena, COUNTS_PER_CHANGE * sizeof *numbers);
    float *counts = vt_arena_alloc(arena, COUNTS_PER_CHANGE * sizeof *counts);
    VT_CHECK(numbers != NULL && counts != NULL, VT_EXHAUSTED, "the arena of a watch is too small");
    pthread_mutex_lock(&feed->lock);
    uint32_t n = gather_counts(watch, all, numbers, counts);
    *ret_end = watch->item + 1 >= feed->n_weights;
    pthread_mutex_unlock(&feed->lock);
    *ret_told = n != 0;
    *ret_change = (struct vt_change){watch->sequence, VT_CHANGE_COUNTS, {0}, numbers, counts, n};
    return vt_ok();
}

static struct vt_err tell_counts_page(struct vt_watch *watch, struct vt_arena *arena, uint32_t max,
                                      struct vt_change *ret_changes, uint32_t *ret_n)
{
    bool all = watch->phase == VT__WATCH_COUNTS, end = false;
    while (!end && *ret_n < max) {
        bool told = false;
        size_t used = arena->used;
        struct vt_err err = tell_counts(watch, all, arena, &ret_changes[*ret_n], &told, &end);
        if (vt_failed(err))
            return end_page(err, used, arena, *ret_n);
        *ret_n += told ? 1 : 0;
    }
    if (!end)
        return vt_ok();
    watch->tick = watch->until_tick;
    watch->item = 0;
    if (all)
        watch->phase = VT__WATCH_DONE;
    return vt_ok();
}

/* ---- the tail ---- */

/* Copies ring entries after the watch's place, under the lock; false: they are gone. */
static bool copy_tail(struct vt_watch *watch, struct vt__ring_entry *entries, uint32_t max,
                      uint32_t *ret_n)
{
    const struct vt__feed *feed = &watch->profile->feed;
    if (watch->sequence < feed->floor)
        return false;
    uint32_t n_after = vt__feed_count_after(feed, watch->sequence);
    uint32_t n = n_after < max ? n_after : max;
    for (uint32_t i = 0; i < n; i++)
        entries[i] = feed->ring[(feed->n_pushed - n_after + i) % VT__RING_CHANGES];
    *ret_n = n;
    return true;
}

static struct vt_err read_change(struct vt_watch *watch, const struct vt__ring_entry *entry,
                                 struct vt_arena *arena, struct vt_change *ret_change)
{
    struct vt_store_value value = {0};
    bool found = false;
    struct vt__key key = vt__key_item(entry->change.item);
    VT_TRY(
        vt_store_get(watch->profile->store, VT__ITEMS, vt__key_slice(&key), NULL, &value, &found));
    bool by_deletion = entry->change.kind == VT_CHANGE_DELETE;
    struct vt_err err =
        found ? change_of(value.bytes, entry->change.item, by_deletion, arena, ret_change)
              : VT_ERR(VT_CORRUPT, "a change names an item that is not there");
    vt_store_value_release(&value);
    ret_change->sequence = entry->sequence;
    return err;
}

static struct vt_err tell_entries(struct vt_watch *watch, const struct vt__ring_entry *entries,
                                  uint32_t n_entries, struct vt_arena *arena,
                                  struct vt_change *ret_changes, uint32_t *ret_n)
{
    for (uint32_t i = 0; i < n_entries; i++) {
        size_t used = arena->used;
        struct vt_change change = {0};
        struct vt_err err = read_change(watch, &entries[i], arena, &change);
        if (vt_failed(err))
            return end_page(err, used, arena, *ret_n);
        ret_changes[(*ret_n)++] = change;
        watch->sequence = entries[i].sequence;
    }
    return vt_ok();
}

/* What is there to tell; the watch is armed when there is nothing. */
static struct vt_err look_at_tail(struct vt_watch *watch, struct vt__ring_entry *entries,
                                  uint32_t max, uint32_t *ret_n, bool *ret_counts)
{
    struct vt__feed *feed = &watch->profile->feed;
    pthread_mutex_lock(&feed->lock);
    bool reached = copy_tail(watch, entries, max, ret_n);
    *ret_counts = watch->item != 0 || watch->tick < feed->tick;
    if (watch->item == 0)
        watch->until_tick = feed->tick;
    watch->armed = reached && *ret_n == 0 && !*ret_counts;
    if (!reached)
        vt__watchers_count_behind(watch->profile->watchers);
    pthread_mutex_unlock(&feed->lock);
    VT_CHECK(reached, VT_EXHAUSTED,
             "the reader is further behind than the changes that are kept: call Watch again with "
             "the last sequence seen, for a snapshot");
    return vt_ok();
}

static struct vt_err tell_tail(struct vt_watch *watch, struct vt_arena *arena, uint32_t max,
                               struct vt_change *ret_changes, uint32_t *ret_n)
{
    struct vt__ring_entry entries[TAIL_MAX];
    bool counts = false;
    do { /* counts may turn out to be none for this reader: who hears nothing must be armed */
        uint32_t n = 0;
        VT_TRY(look_at_tail(watch, entries, max < TAIL_MAX ? max : TAIL_MAX, &n, &counts));
        VT_TRY(tell_entries(watch, entries, n, arena, ret_changes, ret_n));
        if (n == 0 && counts)
            VT_TRY(tell_counts_page(watch, arena, max, ret_changes, ret_n));
    } while (counts && *ret_n == 0);
    return vt_ok();
}

static void note_asked(struct vt_watch *watch)
{
    struct vt__feed *feed = &watch->profile->feed;
    int64_t now_ns = vt_clock_monotonic_ns(watch->profile->clock);
    pthread_mutex_lock(&feed->lock);
    watch->asked_ns = now_ns;
    if (watch->phase != VT__WATCH_BEGIN)
        watch->place = watch->sequence;
    pthread_mutex_unlock(&feed->lock);
}

struct vt_err vt_watch_next(struct vt_watch *watch, struct vt_arena *arena, uint32_t max,
                            struct vt_change *ret_changes, uint32_t *ret_n)
{
    uint32_t n = 0;
    VT_CHECK(max != 0, VT_INVALID, "a watch is asked for at least one change");
    note_asked(watch);
    if (watch->phase == VT__WATCH_BEGIN)
        VT_TRY(tell_begin(watch, &ret_changes[n++]));
    else if (watch->phase == VT__WATCH_TAIL)
        VT_TRY(tell_tail(watch, arena, max, ret_changes, &n));
    if (watch->phase == VT__WATCH_ITEMS && n < max)
        VT_TRY(tell_items(watch, arena, max, ret_changes, &n));
    if (watch->phase == VT__WATCH_COUNTS && n < max)
        VT_TRY(tell_counts_page(watch, arena, max, ret_changes, &n));
    if (watch->phase == VT__WATCH_DONE && n < max) {
        ret_changes[n++] =
            (struct vt_change){watch->sequence, VT_CHANGE_SNAPSHOT_DONE, {0}, NULL, NULL, 0};
        watch->phase = VT__WATCH_TAIL;
    }
    *ret_n = n;
    return vt_ok();
}

/* ---- the reader's side ---- */

static void apply_counts(const struct vt_change *change, struct vt_item_table *table)
{
    for (uint32_t i = 0; i < change->n_counts; i++)
        vt_item_table_set_count(table, change->numbers[i], change->counts[i]);
    if (vt_item_table_ready(table)) /* else the end of the snapshot does it once */
        vt_item_table_refresh_popular(table);
}

struct vt_err vt_change_apply(const struct vt_change *change, struct vt_item_table *table)
{
    switch (change->kind) {
    case VT_CHANGE_UPSERT:
        return vt_item_table_upsert(table, &change->item);
    case VT_CHANGE_DELETE:
        vt_item_table_delete(table, change->item.number);
        return vt_ok();
    case VT_CHANGE_MENTION:
        return vt_item_table_mention(table, change->item.number, change->item.id);
    case VT_CHANGE_COUNTS:
        apply_counts(change, table);
        return vt_ok();
    case VT_CHANGE_SNAPSHOT_BEGIN:
        vt_item_table_snapshot_begin(table);
        return vt_ok();
    case VT_CHANGE_SNAPSHOT_DONE:
        vt_item_table_snapshot_done(table);
        return vt_ok();
    }
    return VT_ERR(VT_INVALID, "a change of no known kind");
}
