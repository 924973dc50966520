/*
 * The event log as training may read it. What was recorded stays in the log as it was; who may be
 * learned from is judged at reading, as things stand then: noise and erased rows never, rows of
 * nobody never (nothing tells whose taste they are), and rows of a customer who has withdrawn
 * consent since not any more, not even when it was given again. Withdrawals are few and held in
 * memory, 16 bytes each, as are aliases.
 */
#include "services/profile/alias.h"
#include "services/profile/erase.h"
#include "services/profile/event_block.h"
#include "services/profile/profile_internal.h"

#include <stdlib.h>

enum {
    CONSENT_DENIED = 2,
    CAPACITY_MIN = 256,
    ARENA_BYTES = 256 * 1024, /* one record */
};

typedef struct vt_err (*each_event_fn)(void *ctx, const struct vt_logged_event *event);

/* Who hears of the log, whom its numbers mean today, and who is left out. */
struct reading {
    each_event_fn each;
    void *ctx;
    struct vt__alias_map aliases;
    struct vt__pending_set erased; /* whose rows are still there */
    struct withdrawal {
        uint64_t customer, sequence; /* rows up to here are left out */
    } * withdrawn;                   /* owned, ascending by customer */
    size_t n_withdrawn, capacity;
};

/* ---- who withdrew ---- */

static struct vt_err add_withdrawal(struct reading *reading, uint64_t customer, uint64_t sequence)
{
    if (reading->n_withdrawn == reading->capacity) {
        size_t capacity = reading->capacity != 0 ? 2 * reading->capacity : CAPACITY_MIN;
        struct withdrawal *grown = realloc(reading->withdrawn, capacity * sizeof *grown);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory");
        reading->withdrawn = grown;
        reading->capacity = capacity;
    }
    reading->withdrawn[reading->n_withdrawn++] = (struct withdrawal){customer, sequence};
    return vt_ok();
}

static struct vt_err look_at_customer(struct reading *reading, const struct vt_store_iter *rows,
                                      struct vt_arena *arena)
{
    struct vt__customer_record record;
    uint64_t customer = 0;
    VT_CHECK(vt__parse_customer(vt_store_iter_key(rows), &customer), VT_CORRUPT,
             "a customer's key is malformed");
    vt_arena_reset(arena);
    VT_TRY(vt__customer_decode(vt_store_iter_value(rows), arena, &record));
    if (record.customer.consent == CONSENT_DENIED)
        return add_withdrawal(reading, customer, UINT64_MAX);
    if (record.withdrawn_sequence != 0)
        return add_withdrawal(reading, customer, record.withdrawn_sequence);
    return vt_ok();
}

static struct vt_err read_withdrawals(struct vt_profile *profile, struct vt_arena *arena,
                                      struct reading *reading)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__PROFILE, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = look_at_customer(reading, rows, arena);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

static struct vt_err find_withdrawals(struct vt_profile *profile, struct reading *reading)
{
    struct vt_arena arena;
    VT_CHECK(vt_arena_init_owned(&arena, ARENA_BYTES), VT_EXHAUSTED, "out of memory");
    struct vt_err err = read_withdrawals(profile, &arena, reading);
    vt_arena_fini(&arena);
    return err;
}

static int compare_customer(const void *customer, const void *row)
{
    const uint64_t *key = customer;
    const struct withdrawal *withdrawal = row;
    return (*key > withdrawal->customer) - (*key < withdrawal->customer);
}

static bool is_withdrawn(const struct reading *reading, uint64_t customer, uint64_t sequence)
{
    if (reading->n_withdrawn == 0)
        return false;
    const struct withdrawal *found = bsearch(&customer, reading->withdrawn, reading->n_withdrawn,
                                             sizeof *found, compare_customer);
    return found != NULL && sequence <= found->sequence;
}

/* ---- the log ---- */

static struct vt_err tell_row(const struct reading *reading, uint64_t sequence,
                              const struct vt__log_row *row)
{
    if (row->noise != VT__NOISE_NONE || row->customer == 0 ||
        row->event.type == VT_EVENT_UNSPECIFIED || vt__is_pending(&reading->erased, row->customer))
        return vt_ok();
    uint64_t customer = vt__alias_map_resolve(&reading->aliases, row->customer);
    if (is_withdrawn(reading, customer, sequence))
        return vt_ok();
    return reading->each(reading->ctx, &(struct vt_logged_event){sequence, customer, row->event});
}

static struct vt_err each_of_block(struct vt_slice bytes, uint64_t first_sequence,
                                   const struct reading *reading)
{
    struct vt__block block = {0};
    struct vt__log_row row;
    bool more = false;
    struct vt_err err = vt__block_open(bytes, &block);
    for (uint64_t i = 0; !vt_failed(err); i++) {
        err = vt__block_next(&block, &row, &more);
        if (vt_failed(err) || !more)
            break;
        err = tell_row(reading, first_sequence + i, &row);
    }
    vt__block_fini(&block);
    return err;
}

static struct vt_err each_block(struct vt_profile *profile, const struct reading *reading)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__EVENTS, all, all, &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        uint32_t day = 0;
        uint64_t first = 0;
        if (!vt__parse_block(vt_store_iter_key(rows), &day, &first))
            err = VT_ERR(VT_CORRUPT, "a log block's key is malformed");
        else
            err = each_of_block(vt_store_iter_value(rows), first, reading);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

struct vt_err vt_profile_each_event(struct vt_profile *profile, each_event_fn each, void *ctx)
{
    struct reading reading = {.each = each, .ctx = ctx};
    struct vt_err err = vt__alias_map_load(profile, &reading.aliases);
    if (!vt_failed(err))
        err = vt__pending_load(profile, &reading.erased);
    if (!vt_failed(err))
        err = find_withdrawals(profile, &reading);
    if (!vt_failed(err))
        err = each_block(profile, &reading);
    vt__alias_map_fini(&reading.aliases);
    vt__pending_fini(&reading.erased);
    free(reading.withdrawn);
    return err;
}
