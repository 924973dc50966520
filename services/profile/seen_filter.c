/*
 * Two generations: `current` answers, `next` is being filled. The chore's thread reads the ids on
 * disk into `next`, a slice of rows at a time, while the writer adds every new id to both; bits are
 * set with atomic ORs, since two threads may set bits of one word. Which generation is which
 * changes on the writer thread only, in jobs of its own: an id is then either committed before
 * `next` began, so that the slices will see its row, or it is added to `next` by the writer.
 * Nothing can fall between.
 *
 * Ids that expire stay in the filter until the next generation. What a failed write added stays
 * too; both cost a lookup and never an answer.
 */
#include "services/profile/seen_filter.h"

#include "services/profile/profile_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_WORDS = 8, /* of 64 bits: a cache line */
    LINE_BITS = 512,
    BIT_INDEX_BITS = 9, /* log2 LINE_BITS */
    PROBES = 6,
    BITS_PER_ID = 12,
    BYTES_MIN = 8 << 20,
    BYTES_MAX = 64 << 20,
    OPEN_ROWS = 100000,   /* read while opening: 50 ms */
    SLICE_ROWS = 1000000, /* read by a run of the chore: half a second */
    HASH_BYTES = 16,
};

struct line {
    _Atomic uint64_t words[LINE_WORDS]; /* relaxed: a bit seen late is a lookup more */
};

/* A Bloom filter and how far it has been filled. */
struct generation {
    uint64_t n_lines; /* a power of two */
    struct line *lines;
    atomic_uint_least64_t n_ids; /* relaxed: a size, orders nothing */
    struct vt__key last; /* row that the slices have come to; empty: none. The filling thread's */
};

struct vt__seen_filter {
    /* Changed by the writer thread only (before it starts: by _new); the chore reads `next` between
     * two jobs of its own, when nobody changes it. */
    struct generation *current, *next; /* owned; NULL: none */
    struct vt_gauge *bytes_gauge, *ready_gauge;
};

/* ---- one generation ---- */

static struct vt_err generation_new(uint64_t n_ids, struct generation **ret_generation)
{
    uint64_t bytes = BYTES_MIN;
    while (bytes < BYTES_MAX && bytes * 8 < n_ids * BITS_PER_ID)
        bytes *= 2;
    struct generation *generation = calloc(1, sizeof *generation);
    VT_CHECK(generation != NULL, VT_EXHAUSTED, "out of memory");
    generation->n_lines = bytes / sizeof *generation->lines;
    generation->lines = calloc(generation->n_lines, sizeof *generation->lines);
    if (generation->lines == NULL) {
        free(generation);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    *ret_generation = generation;
    return vt_ok();
}

static void generation_free(struct generation *generation)
{
    if (generation == NULL)
        return;
    free(generation->lines);
    free(generation);
}

static uint64_t capacity(const struct generation *generation)
{
    return generation->n_lines * LINE_BITS / BITS_PER_ID;
}

/* The key is a hash already: one half chooses the line, the other the bits. */
static struct line *find_line(const struct generation *generation, const unsigned char *hash,
                              uint64_t ret_mask[LINE_WORDS])
{
    uint64_t place, bits;
    memcpy(&place, hash, sizeof place);
    memcpy(&bits, hash + sizeof place, sizeof bits);
    memset(ret_mask, 0, LINE_WORDS * sizeof ret_mask[0]);
    for (unsigned i = 0; i < PROBES; i++, bits >>= BIT_INDEX_BITS)
        ret_mask[bits % LINE_BITS / 64] |= UINT64_C(1) << bits % 64;
    return &generation->lines[place & (generation->n_lines - 1)];
}

static void generation_add(struct generation *generation, const unsigned char *hash)
{
    uint64_t mask[LINE_WORDS];
    struct line *line = find_line(generation, hash, mask);
    for (unsigned i = 0; i < LINE_WORDS; i++)
        if (mask[i] != 0)
            atomic_fetch_or_explicit(&line->words[i], mask[i], memory_order_relaxed);
    atomic_fetch_add_explicit(&generation->n_ids, 1, memory_order_relaxed);
}

static bool generation_may_have(const struct generation *generation, const unsigned char *hash)
{
    uint64_t mask[LINE_WORDS];
    const struct line *line = find_line(generation, hash, mask);
    for (unsigned i = 0; i < LINE_WORDS; i++)
        if ((atomic_load_explicit(&line->words[i], memory_order_relaxed) & mask[i]) != mask[i])
            return false;
    return true;
}

/* Reads up to `max` rows from where the last slice ended. */
static struct vt_err fill_slice(struct vt_store *store, struct generation *generation, uint32_t max,
                                struct vt_diag *diag, bool *ret_complete)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice first = vt__key_slice(&generation->last);
    bool more = true;
    VT_TRY(vt_store_iter_open(store, VT__SEEN, first, vt_slice(NULL, 0), &rows));
    struct vt_err err = vt_ok();
    for (uint32_t i = 0; i < max; i++) {
        err = vt_store_iter_next(rows, diag, &more);
        if (vt_failed(err) || !more)
            break;
        struct vt_slice id = vt_store_iter_key(rows);
        VT_ASSERT(id.len <= sizeof generation->last.bytes); /* vt__key_seen made it */
        memcpy(generation->last.bytes, id.data, id.len);
        generation->last.len = (uint16_t)id.len;
        if (id.len == HASH_BYTES)
            generation_add(generation, generation->last.bytes);
    }
    vt_store_iter_close(rows);
    *ret_complete = !vt_failed(err) && !more;
    return err;
}

/* ---- the filter ---- */

static void set_gauges(const struct vt__seen_filter *filter)
{
    uint64_t n_lines = (filter->current != NULL ? filter->current->n_lines : 0) +
                       (filter->next != NULL ? filter->next->n_lines : 0);
    vt_gauge_set(filter->bytes_gauge, (double)(n_lines * sizeof(struct line)));
    vt_gauge_set(filter->ready_gauge, filter->current != NULL ? 1 : 0);
}

static void take_over(struct vt__seen_filter *filter)
{
    generation_free(filter->current);
    filter->current = filter->next;
    filter->next = NULL;
    set_gauges(filter);
}

struct vt_err vt__seen_filter_new(struct vt_profile *profile, struct vt_metrics *metrics,
                                  struct vt_diag *diag, struct vt__seen_filter **ret_filter)
{
    bool complete = false;
    struct vt__seen_filter *filter = calloc(1, sizeof *filter);
    VT_CHECK(filter != NULL, VT_EXHAUSTED, "out of memory");
    *ret_filter = filter;
    filter->bytes_gauge = vt_metrics_gauge(metrics, "vitrine_seen_filter_bytes",
                                           "Memory of the filter of accepted event ids.", "");
    filter->ready_gauge =
        vt_metrics_gauge(metrics, "vitrine_seen_filter_ready",
                         "1 when the filter holds all ids; 0: every event asks the store.", "");
    VT_TRY(generation_new(vt_store_estimate_rows(profile->store, VT__SEEN), &filter->next));
    VT_TRY(fill_slice(profile->store, filter->next, OPEN_ROWS, diag, &complete));
    if (complete)
        take_over(filter);
    set_gauges(filter);
    return vt_ok();
}

void vt__seen_filter_free(struct vt__seen_filter *filter)
{
    if (filter == NULL)
        return;
    generation_free(filter->current);
    generation_free(filter->next);
    free(filter);
}

bool vt__seen_filter_may_have(const struct vt__seen_filter *filter, const struct vt__key *key)
{
    return filter->current == NULL || generation_may_have(filter->current, key->bytes);
}

void vt__seen_filter_add(struct vt__seen_filter *filter, const struct vt__key *key)
{
    if (filter->current != NULL)
        generation_add(filter->current, key->bytes);
    if (filter->next != NULL)
        generation_add(filter->next, key->bytes);
}

/* ---- the chore ---- */

/* Jobs of the writer thread; they put nothing into the batch. */
static struct vt_err begin_next(struct vt_profile *profile, struct vt__job *job)
{
    (void)job;
    uint64_t n_rows = vt_store_estimate_rows(profile->store, VT__SEEN);
    VT_TRY(generation_new(2 * n_rows, &profile->seen->next)); /* room to grow */
    set_gauges(profile->seen);
    return vt_ok();
}

static struct vt_err end_next(struct vt_profile *profile, struct vt__job *job)
{
    (void)job;
    take_over(profile->seen);
    return vt_ok();
}

/* True when a new generation would be emptier: a larger one, or one without what has expired. */
static bool is_outgrown(const struct vt_profile *profile)
{
    const struct generation *current = profile->seen->current;
    uint64_t n_ids = atomic_load_explicit(&current->n_ids, memory_order_relaxed);
    if (n_ids <= capacity(current))
        return false;
    bool can_grow = current->n_lines * sizeof *current->lines < BYTES_MAX;
    return can_grow || vt_store_estimate_rows(profile->store, VT__SEEN) < n_ids / 2;
}

struct vt_err vt__seen_filter_tend(struct vt_profile *profile)
{
    struct vt__seen_filter *filter = profile->seen;
    bool complete = false;
    if (filter->next == NULL) {
        if (!is_outgrown(profile))
            return vt_ok();
        VT_TRY(vt__writer_run(profile, begin_next, NULL, NULL));
    }
    VT_TRY(fill_slice(profile->store, filter->next, SLICE_ROWS, NULL, &complete));
    return complete ? vt__writer_run(profile, end_next, NULL, NULL) : vt_ok();
}
