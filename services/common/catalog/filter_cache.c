/*
 * A part of the cache belongs to one thread: four-way buckets of entries, and beside them the
 * hashes of texts that were missed lately. Only a text that is missed twice gets an entry, so what
 * is asked once neither allocates nor drives out what is asked often. An entry has the plan, copied
 * whole, and the set of items that pass: a bit for each number, made by one pass over the item
 * table and from then on brought up to date from the table's list of changes, a few items at a
 * time. So stock that goes to 0 is seen by the very next request, and what a filter costs does not
 * grow with the catalog.
 *
 * A part is held for the length of one look-up and never waited for: the flag is only ever
 * contended when there are more threads than parts. Bits are changed in place (relaxed: whoever
 * reads an item's bit while it changes gets the old answer or the new one). A set that has become
 * too small or too old is replaced; leases count sets and entries, so what is replaced lives until
 * its last reader.
 */
#include "services/common/catalog/filter_cache.h"

#include "services/common/base/metrics.h"
#include "services/common/catalog/filter_plan.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    WAYS = 4,
    BUCKETS = VT_FILTER_CACHED_MAX / WAYS,
    MISSED = 256,       /* texts missed lately, a thread */
    CHANGES_MAX = 1024, /* followed one by one; a pass over the catalog is not much dearer */
    WORD_BITS = 64,
    SPARE_SHIFT = 3, /* a set has room for an eighth more numbers than there are */
    SPARE_NUMBERS = 1024,
};

struct vt_filter_set {
    atomic_uint n_owners;
    uint32_t n_words;
    uint64_t changes; /* how many of the table's it knows; under the part's flag */
    _Atomic uint64_t words[];
};

struct vt__filter_entry {
    atomic_uint n_owners;
    struct vt_filter_set *set; /* owned; under the part's flag */
    uint64_t hash, used;       /* used: the part's count of look-ups at the last one */
    uint32_t n_bytes;
    char text[VT_FILTER_TEXT_BYTES_MAX];
    struct vt_filter filter;
};

struct part {
    _Alignas(64) atomic_flag busy;
    uint64_t n_lookups;
    size_t set_bytes;
    uint64_t missed[MISSED];
    struct vt__filter_entry *entries[BUCKETS][WAYS];
};

enum result { HIT, COMPILED, REFUSED, RESULTS };

struct vt_filter_cache {
    struct part parts[VT_FILTER_SHARDS];
    struct vt_counter *results[RESULTS], *passes;
    struct vt_gauge *cached;
};

/* ---- sets and entries ---- */

static size_t set_bytes(const struct vt_filter_set *set)
{
    return set != NULL ? sizeof *set + set->n_words * sizeof set->words[0] : 0;
}

/* acq_rel: the last owner's free comes after what the others read. */
static void set_release(struct vt_filter_set *set)
{
    if (set != NULL && atomic_fetch_sub_explicit(&set->n_owners, 1, memory_order_acq_rel) == 1)
        free(set);
}

static void entry_release(struct vt__filter_entry *entry)
{
    if (entry == NULL || atomic_fetch_sub_explicit(&entry->n_owners, 1, memory_order_acq_rel) != 1)
        return;
    set_release(entry->set);
    free(entry);
}

static void set_bit(struct vt_filter_set *set, uint32_t number, bool passes)
{
    _Atomic uint64_t *word = &set->words[number / WORD_BITS];
    uint64_t bit = UINT64_C(1) << (number % WORD_BITS);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, passes ? old | bit : old & ~bit, memory_order_relaxed);
}

/* The count of changes is read before the items, so none that comes meanwhile is lost. */
static struct vt_filter_set *set_new(const struct vt_filter *filter,
                                     const struct vt_item_table *items)
{
    uint64_t changes = vt_item_table_changes(items);
    uint32_t last = vt_item_table_max_number(items);
    uint32_t n_words = (last + (last >> SPARE_SHIFT) + SPARE_NUMBERS) / WORD_BITS;
    struct vt_filter_set *set = calloc(1, sizeof *set + n_words * sizeof set->words[0]);
    if (set == NULL)
        return NULL;
    atomic_init(&set->n_owners, 1);
    set->n_words = n_words;
    set->changes = changes;
    for (uint32_t number = 1; number <= last; number++)
        if (vt_filter_matches(filter, items, number, 0))
            set_bit(set, number, true);
    return set;
}

/* False when the changes are too many, forgotten, or of numbers that the set has no room for. */
static bool set_follow(struct vt_filter_set *set, const struct vt_filter *filter,
                       const struct vt_item_table *items)
{
    uint32_t numbers[CHANGES_MAX];
    uint64_t changes = vt_item_table_changes(items), n = changes - set->changes;
    if (n > CHANGES_MAX || !vt_item_table_changed(items, set->changes, changes, numbers))
        return false;
    for (uint64_t c = 0; c < n; c++) {
        if (numbers[c] / WORD_BITS >= set->n_words)
            return false;
        set_bit(set, numbers[c], vt_filter_matches(filter, items, numbers[c], 0));
    }
    set->changes = changes;
    return true;
}

uint64_t vt_filter_set_word(const struct vt_filter_set *set, uint32_t number)
{
    uint32_t word = number / WORD_BITS, shift = number % WORD_BITS;
    if (word >= set->n_words)
        return 0;
    uint64_t low = atomic_load_explicit(&set->words[word], memory_order_relaxed) >> shift;
    if (shift == 0 || word + 1 == set->n_words)
        return low;
    return low | atomic_load_explicit(&set->words[word + 1], memory_order_relaxed)
                     << (WORD_BITS - shift);
}

uint32_t vt_filter_set_next(const struct vt_filter_set *set, uint32_t number)
{
    uint64_t word = vt_filter_set_word(set, number);
    uint64_t next = number;
    while (word == 0 && next / WORD_BITS < set->n_words) {
        next += WORD_BITS;
        word = next / WORD_BITS < set->n_words ? vt_filter_set_word(set, (uint32_t)next) : 0;
    }
    return word != 0 ? (uint32_t)next + (uint32_t)__builtin_ctzll(word) : 0;
}

bool vt_filter_passes(const struct vt_filter_lease *lease, const struct vt_item_table *items,
                      uint32_t number, int64_t now_ms)
{
    if (lease->set != NULL)
        return (vt_filter_set_word(lease->set, number) & 1) != 0;
    return lease->filter == NULL || vt_filter_matches(lease->filter, items, number, now_ms);
}

/* ---- life cycle ---- */

static void register_metrics(struct vt_filter_cache *cache, struct vt_metrics *metrics)
{
    static const char *const labels[RESULTS] = {"result=\"hit\"", "result=\"compiled\"",
                                                "result=\"refused\""};
    for (int r = 0; r < RESULTS; r++)
        cache->results[r] = vt_metrics_counter(
            metrics, "vitrine_filters_total",
            "Filters asked for: found in the cache, compiled, or refused as wrong.", labels[r]);
    cache->passes = vt_metrics_counter(metrics, "vitrine_filter_passes_total",
                                       "Passes over the catalog to find what a filter keeps.", "");
    cache->cached =
        vt_metrics_gauge(metrics, "vitrine_filters_cached", "Filters in the cache.", "");
}

struct vt_err vt_filter_cache_new(struct vt_metrics *metrics, struct vt_filter_cache **ret_cache)
{
    struct vt_filter_cache *cache = aligned_alloc(_Alignof(struct vt_filter_cache), sizeof *cache);
    VT_CHECK(cache != NULL, VT_EXHAUSTED, "no memory for the cache of filters");
    memset(cache, 0, sizeof *cache);
    for (int p = 0; p < VT_FILTER_SHARDS; p++)
        atomic_flag_clear(&cache->parts[p].busy);
    register_metrics(cache, metrics);
    *ret_cache = cache;
    return vt_ok();
}

void vt_filter_cache_free(struct vt_filter_cache *cache)
{
    if (cache == NULL)
        return;
    for (int p = 0; p < VT_FILTER_SHARDS; p++)
        for (int e = 0; e < VT_FILTER_CACHED_MAX; e++)
            entry_release(cache->parts[p].entries[e / WAYS][e % WAYS]);
    free(cache);
}

/* ---- a look-up ---- */

/* Relaxed: only spreads threads over parts. */
static struct part *own_part(struct vt_filter_cache *cache)
{
    static atomic_uint n_threads;
    static _Thread_local unsigned own = VT_FILTER_SHARDS;
    if (own == VT_FILTER_SHARDS)
        own = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) % VT_FILTER_SHARDS;
    return &cache->parts[own];
}

static struct vt__filter_entry *find(struct part *part, struct vt_slice text, uint64_t hash)
{
    for (int way = 0; way < WAYS; way++) {
        struct vt__filter_entry *entry = part->entries[hash % BUCKETS][way];
        if (entry != NULL && entry->hash == hash &&
            vt_slice_equal(text, vt_slice(entry->text, entry->n_bytes)))
            return entry;
    }
    return NULL;
}

/* True the second time in a while. */
static bool was_missed(struct part *part, uint64_t hash)
{
    uint64_t *place = &part->missed[hash / BUCKETS % MISSED];
    bool was = *place == hash;
    *place = hash;
    return was;
}

/* Takes the place of the entry that was not asked for the longest. NULL without memory. */
static struct vt__filter_entry *entry_new(struct vt_filter_cache *cache, struct part *part,
                                          struct vt_slice text, uint64_t hash,
                                          const struct vt_filter *filter)
{
    struct vt__filter_entry **place = &part->entries[hash % BUCKETS][0];
    struct vt__filter_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    for (int way = 1; way < WAYS && *place != NULL; way++) {
        struct vt__filter_entry **other = &part->entries[hash % BUCKETS][way];
        if (*other == NULL || (*other)->used < (*place)->used)
            place = other;
    }
    vt_gauge_add(cache->cached, *place == NULL ? 1 : 0);
    part->set_bytes -= *place != NULL ? set_bytes((*place)->set) : 0;
    entry_release(*place);
    atomic_init(&entry->n_owners, 1);
    entry->hash = hash;
    entry->n_bytes = (uint32_t)text.len;
    memcpy(entry->text, text.data, text.len);
    entry->filter = *filter;
    *place = entry;
    return entry;
}

/* Has the entry's set know all changes, or be away. */
static void bring_up(struct vt_filter_cache *cache, struct part *part,
                     struct vt__filter_entry *entry, const struct vt_item_table *items)
{
    if (entry->filter.needs_time ||
        (entry->set != NULL && set_follow(entry->set, &entry->filter, items)))
        return;
    part->set_bytes -= set_bytes(entry->set);
    set_release(entry->set);
    entry->set = NULL;
    size_t n_bytes = vt_item_table_max_number(items) / 8;
    if (part->set_bytes + n_bytes > VT_FILTER_SET_BYTES_MAX)
        return;
    entry->set = set_new(&entry->filter, items);
    part->set_bytes += set_bytes(entry->set);
    vt_counter_add(cache->passes, 1);
}

static void lend(struct part *part, struct vt__filter_entry *entry,
                 struct vt_filter_lease *ret_lease)
{
    entry->used = ++part->n_lookups;
    atomic_fetch_add_explicit(&entry->n_owners, 1, memory_order_relaxed);
    if (entry->set != NULL)
        atomic_fetch_add_explicit(&entry->set->n_owners, 1, memory_order_relaxed);
    *ret_lease =
        (struct vt_filter_lease){.filter = &entry->filter, .set = entry->set, .entry = entry};
}

/* Compiles; and where the text is missed for the second time, keeps the plan. */
static struct vt_err miss(struct vt_filter_cache *cache, struct part *part, struct vt_slice text,
                          uint64_t hash, struct vt_arena *arena, struct vt_diag *diag,
                          const struct vt_filter **ret_filter, struct vt__filter_entry **ret_entry)
{
    struct vt_err err = vt_filter_compile(text, arena, diag, ret_filter);
    vt_counter_add(cache->results[vt_failed(err) ? REFUSED : COMPILED], 1);
    VT_TRY(err);
    if (part != NULL && was_missed(part, hash))
        *ret_entry = entry_new(cache, part, text, hash, *ret_filter);
    return vt_ok();
}

/* The part is held, or NULL. */
static struct vt_err look_up(struct vt_filter_cache *cache, struct part *part,
                             const struct vt_item_table *items, struct vt_slice text,
                             struct vt_arena *arena, struct vt_diag *diag,
                             struct vt_filter_lease *ret_lease)
{
    uint64_t hash = XXH3_64bits(text.data, text.len);
    const struct vt_filter *filter = NULL;
    struct vt__filter_entry *entry = part != NULL ? find(part, text, hash) : NULL;
    if (entry != NULL)
        vt_counter_add(cache->results[HIT], 1);
    else
        VT_TRY(miss(cache, part, text, hash, arena, diag, &filter, &entry));
    if (entry == NULL) {
        *ret_lease = (struct vt_filter_lease){.filter = filter};
        return vt_ok();
    }
    bring_up(cache, part, entry, items);
    lend(part, entry, ret_lease);
    return vt_ok();
}

struct vt_err vt_filter_acquire(struct vt_filter_cache *cache, const struct vt_item_table *items,
                                struct vt_slice text, struct vt_arena *arena, struct vt_diag *diag,
                                struct vt_filter_lease *ret_lease)
{
    *ret_lease = (struct vt_filter_lease){0};
    if (text.len == 0)
        return vt_ok();
    if (cache == NULL)
        return vt_filter_compile(text, arena, diag, &ret_lease->filter);
    struct part *part = own_part(cache);
    bool held = !atomic_flag_test_and_set_explicit(&part->busy, memory_order_acquire);
    struct vt_err err = look_up(cache, held ? part : NULL, items, text, arena, diag, ret_lease);
    if (held)
        atomic_flag_clear_explicit(&part->busy, memory_order_release);
    return err;
}

void vt_filter_release(struct vt_filter_lease *lease)
{
    set_release((struct vt_filter_set *)lease->set);
    entry_release(lease->entry);
    *lease = (struct vt_filter_lease){0};
}
