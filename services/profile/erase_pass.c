/*
 * The second step of an erasure, for all customers that are pending. Every log block that holds a
 * row of theirs is written again with that row blank (docs/adr/0075): sequences and the rows of
 * others stay as they are. Blocks are read and packed here and only put by the writer, a few at a
 * time, so that appends never wait for more than one such commit. Then the bytes: tables that held
 * the rows are rewritten, and the store is opened again, which drops old logs and begins the
 * MANIFEST anew.
 *
 * Every step can be done twice. What a crash leaves is done again from the start, because the
 * numbers are pending until the last commit.
 */
#include "services/common/base/log.h"
#include "services/common/store/upkeep.h"
#include "services/profile/erase.h"
#include "services/profile/event_block.h"
#include "services/profile/profile_internal.h"

#include <stdlib.h>

enum {
    PASS_NUMBERS_MAX = 1000,     /* customers of one pass; the rest waits for the next */
    REWRITE_BYTES_MAX = 1 << 20, /* of packed blocks in one commit */
    RANGES_MAX = 32,             /* of a family; more are compacted as one */
};

/* A log block, by its key. */
struct place {
    uint32_t day;
    uint64_t first_sequence;
};

struct packed {
    struct vt__key key;
    size_t offset, len; /* within pass->bytes */
};

struct pass {
    struct vt_profile *profile;
    struct vt__pending_set pending;
    struct place *places; /* owned */
    size_t n_places, places_capacity;
    struct vt__log_row *rows; /* owned, VT__BLOCK_ROWS_MAX long: of the block in hand */
    struct packed *packed;    /* owned: what the next commit puts */
    size_t n_packed, packed_capacity;
    struct vt__buffer bytes;
    uint64_t n_rows; /* erased */
};

/* ---- which blocks? ---- */

static struct vt_err add_place(struct pass *pass, struct place place)
{
    if (pass->n_places == pass->places_capacity) {
        size_t capacity = pass->places_capacity != 0 ? pass->places_capacity * 2 : 256;
        struct place *places = realloc(pass->places, capacity * sizeof *places);
        VT_CHECK(places != NULL, VT_EXHAUSTED, "out of memory");
        pass->places = places;
        pass->places_capacity = capacity;
    }
    pass->places[pass->n_places++] = place;
    return vt_ok();
}

static struct vt_err add_day(struct pass *pass, struct vt_slice key, struct vt_slice value)
{
    uint64_t customer = 0;
    uint32_t day = 0;
    VT_CHECK(vt__parse_customer_day(key, &customer, &day), VT_CORRUPT,
             "the key of a customer's events is malformed");
    for (size_t offset = 0; offset != value.len;) {
        uint64_t first = 0;
        VT_CHECK(vt__block_list_next(value, &offset, &first), VT_CORRUPT,
                 "a list of a customer's log blocks is malformed");
        VT_TRY(add_place(pass, (struct place){day, first}));
    }
    return vt_ok();
}

static struct vt_err add_customer(struct pass *pass, uint64_t number)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer(number), end = vt__key_customer(number + 1);
    bool more = false;
    VT_TRY(vt_store_iter_open(pass->profile->store, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = add_day(pass, vt_store_iter_key(rows), vt_store_iter_value(rows));
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->day != b->day)
        return (a->day > b->day) - (a->day < b->day);
    return (a->first_sequence > b->first_sequence) - (a->first_sequence < b->first_sequence);
}

static struct vt_err find_places(struct pass *pass)
{
    for (size_t i = 0; i < pass->pending.n; i++)
        VT_TRY(add_customer(pass, pass->pending.numbers[i]));
    if (pass->n_places != 0)
        qsort(pass->places, pass->n_places, sizeof pass->places[0], compare_places);
    size_t kept = 0;
    for (size_t i = 0; i < pass->n_places; i++)
        if (kept == 0 || compare_places(&pass->places[kept - 1], &pass->places[i]) != 0)
            pass->places[kept++] = pass->places[i];
    pass->n_places = kept;
    return vt_ok();
}

/* ---- one block ---- */

/* Reads the rows, with those of pending customers blank; *ret_n_blank of them were not before. */
static struct vt_err read_rows(struct pass *pass, struct vt__block *block, uint32_t *ret_n_blank)
{
    struct vt__log_row row;
    *ret_n_blank = 0;
    for (uint32_t i = 0; i < block->n_rows; i++) {
        bool more = false;
        VT_TRY(vt__block_next(block, &row, &more));
        bool blank = vt__is_pending(&pass->pending, row.customer);
        *ret_n_blank += blank ? 1 : 0;
        pass->rows[i] = blank ? (struct vt__log_row){.customer = 0} : row;
    }
    return vt_ok();
}

static struct vt_err add_packed(struct pass *pass, const struct vt__key *key, uint32_t n_rows)
{
    if (pass->n_packed == pass->packed_capacity) {
        size_t capacity = pass->packed_capacity != 0 ? pass->packed_capacity * 2 : 64;
        struct packed *packed = realloc(pass->packed, capacity * sizeof *packed);
        VT_CHECK(packed != NULL, VT_EXHAUSTED, "out of memory");
        pass->packed = packed;
        pass->packed_capacity = capacity;
    }
    size_t offset = pass->bytes.len;
    vt__block_encode(pass->rows, n_rows, &pass->bytes);
    VT_CHECK(!pass->bytes.failed, VT_EXHAUSTED, "out of memory");
    pass->packed[pass->n_packed++] = (struct packed){*key, offset, pass->bytes.len - offset};
    return vt_ok();
}

static struct vt_err pack_rows(struct pass *pass, const struct vt__key *key, struct vt_slice bytes)
{
    struct vt__block block = {0};
    uint32_t n_blank = 0;
    struct vt_err err = vt__block_open(bytes, &block);
    uint32_t n_rows = block.n_rows;
    if (!vt_failed(err))
        err = read_rows(pass, &block, &n_blank);
    if (!vt_failed(err) && n_blank != 0)
        err = add_packed(pass, key, n_rows);
    vt__block_fini(&block); /* the rows borrow its texts */
    pass->n_rows += n_blank;
    return err;
}

static struct vt_err pack_block(struct pass *pass, struct place place, struct vt_diag *diag)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_block(place.day, place.first_sequence);
    bool found = false;
    VT_TRY(
        vt_store_get(pass->profile->store, VT__EVENTS, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err = found ? pack_rows(pass, &key, value.bytes) : vt_ok();
    vt_store_value_release(&value);
    return err;
}

/* ---- commits ---- */

/* Retention may have taken a block meanwhile: it must not come back. */
static struct vt_err apply_put_blocks(struct vt_profile *profile, struct vt__job *job)
{
    const struct pass *pass = job->input;
    for (size_t i = 0; i < pass->n_packed; i++) {
        const struct packed *packed = &pass->packed[i];
        struct vt_store_value value = {0};
        bool found = false;
        VT_TRY(vt_store_get(profile->store, VT__EVENTS, vt__key_slice(&packed->key), NULL, &value,
                            &found));
        vt_store_value_release(&value);
        if (found)
            vt_store_batch_put(profile->batch, VT__EVENTS, vt__key_slice(&packed->key),
                               vt_slice(pass->bytes.data + packed->offset, packed->len));
    }
    profile->state.sequence++;
    return vt_ok();
}

static struct vt_err put_blocks(struct pass *pass)
{
    struct vt_err err =
        pass->n_packed != 0 ? vt__writer_run(pass->profile, apply_put_blocks, pass, NULL) : vt_ok();
    pass->n_packed = 0;
    pass->bytes.len = 0;
    return err;
}

static struct vt_err rewrite_blocks(struct pass *pass, struct vt_diag *diag)
{
    for (size_t i = 0; i < pass->n_places; i++) {
        VT_TRY(pack_block(pass, pass->places[i], diag));
        if (pass->bytes.len >= REWRITE_BYTES_MAX)
            VT_TRY(put_blocks(pass));
    }
    return put_blocks(pass);
}

static struct vt_err apply_drop_events(struct vt_profile *profile, struct vt__job *job)
{
    const struct pass *pass = job->input;
    for (size_t i = 0; i < pass->pending.n; i++) {
        struct vt__key first = vt__key_customer(pass->pending.numbers[i]);
        struct vt__key end = vt__key_customer(pass->pending.numbers[i] + 1);
        vt_store_batch_delete_range(profile->batch, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                                    vt__key_slice(&end));
    }
    profile->state.sequence++;
    return vt_ok();
}

static struct vt_err apply_done(struct vt_profile *profile, struct vt__job *job)
{
    const struct pass *pass = job->input;
    for (size_t i = 0; i < pass->pending.n; i++) {
        struct vt__key pending = vt__key_erased(VT__ERASED_PENDING, pass->pending.numbers[i]);
        vt_store_batch_delete(profile->batch, VT__ERASED, vt__key_slice(&pending));
        vt__erased_encode(vt_clock_unix_ms(profile->clock), &profile->value);
        vt__put(profile, VT__ERASED, vt__key_erased(VT__ERASED_DONE, pass->pending.numbers[i]));
    }
    profile->state.sequence++;
    return vt_ok();
}

/* ---- the bytes ---- */

static struct vt_err compact(struct pass *pass, enum vt__family family, const struct vt__key *first,
                             const struct vt__key *end, struct vt_diag *diag)
{
    return vt_store_compact(pass->profile->store, family, vt__key_slice(first), vt__key_slice(end),
                            diag);
}

static struct vt_err compact_customers(struct pass *pass, enum vt__family family,
                                       struct vt_diag *diag)
{
    const uint64_t *numbers = pass->pending.numbers;
    size_t n = pass->pending.n, step = n > RANGES_MAX ? n : 1;
    for (size_t i = 0; i < n; i += step) {
        struct vt__key first = vt__key_customer(numbers[i]);
        struct vt__key end = vt__key_customer(numbers[i + step - 1] + 1);
        VT_TRY(compact(pass, family, &first, &end, diag));
    }
    return vt_ok();
}

static struct vt_err compact_blocks(struct pass *pass, struct vt_diag *diag)
{
    size_t n = pass->n_places, step = n > RANGES_MAX ? n : 1;
    for (size_t i = 0; i < n; i += step) {
        const struct place *last = &pass->places[i + step - 1];
        struct vt__key first = vt__key_block(pass->places[i].day, pass->places[i].first_sequence);
        struct vt__key end = vt__key_block(last->day, last->first_sequence + 1);
        VT_TRY(compact(pass, VT__EVENTS, &first, &end, diag));
    }
    return vt_ok();
}

/* Identities are not known any more, only that some were deleted: the whole family, which is small
 * beside the histories. */
static struct vt_err remove_bytes(struct pass *pass, struct vt_diag *diag)
{
    static const enum vt__family of_customers[] = {VT__PROFILE, VT__HISTORY, VT__CUSTOMER_IDS,
                                                   VT__CUSTOMER_EVENTS, VT__ALIAS};
    const struct vt__key all = {.len = 0};
    VT_TRY(vt_store_flush(pass->profile->store, diag));
    VT_TRY(compact(pass, VT__IDENTITY, &all, &all, diag));
    for (size_t i = 0; i < sizeof of_customers / sizeof of_customers[0]; i++)
        VT_TRY(compact_customers(pass, of_customers[i], diag));
    VT_TRY(compact_blocks(pass, diag));
    return vt_store_reopen(pass->profile->store, diag);
}

/* ---- the pass ---- */

static struct vt_err audit_done(const struct pass *pass)
{
    for (size_t i = 0; i < pass->pending.n; i++) {
        char receipt[VT_AUDIT_RECEIPT_BYTES];
        const struct vt_audit_entry entry = {.time_ms = vt_clock_unix_ms(pass->profile->clock),
                                             .action = "erase_done",
                                             .actor = "erasure",
                                             .customer = pass->pending.numbers[i]};
        VT_TRY(vt_audit_append(pass->profile->audit, &entry, receipt));
    }
    return vt_ok();
}

static struct vt_err run_pass(struct pass *pass, struct vt_diag *diag)
{
    VT_TRY(find_places(pass));
    VT_TRY(rewrite_blocks(pass, diag));
    VT_TRY(vt__writer_run(pass->profile, apply_drop_events, pass, NULL));
    VT_TRY(remove_bytes(pass, diag));
    VT_TRY(audit_done(pass));
    VT_TRY(vt__writer_run(pass->profile, apply_done, pass, NULL));
    vt_log(VT_LOG_INFO, "customers_erased", VT_F_INT("customers", pass->pending.n),
           VT_F_INT("log_rows", pass->n_rows), VT_F_INT("log_blocks", pass->n_places));
    return vt_ok();
}

static void pass_fini(struct pass *pass)
{
    vt__pending_fini(&pass->pending);
    vt__buffer_fini(&pass->bytes);
    free(pass->places);
    free(pass->packed);
    free(pass->rows);
}

/* At most PASS_NUMBERS_MAX customers; *ret_more: others wait. */
static struct vt_err one_pass(struct vt_profile *profile, struct vt_diag *diag, bool *ret_more)
{
    struct pass pass = {.profile = profile};
    struct vt_err err = vt__pending_load(profile, &pass.pending);
    *ret_more = pass.pending.n > PASS_NUMBERS_MAX;
    if (*ret_more)
        pass.pending.n = PASS_NUMBERS_MAX;
    pass.rows = malloc(VT__BLOCK_ROWS_MAX * sizeof *pass.rows);
    if (!vt_failed(err) && pass.rows == NULL)
        err = VT_ERR(VT_EXHAUSTED, "out of memory");
    if (!vt_failed(err) && pass.pending.n != 0)
        err = run_pass(&pass, diag);
    pass_fini(&pass);
    return err;
}

struct vt_err vt__erase_pass(struct vt_profile *profile, struct vt_diag *diag)
{
    struct vt_err err = vt_ok();
    pthread_mutex_lock(&profile->erase_lock);
    for (bool more = true; more && !vt_failed(err);)
        err = one_pass(profile, diag, &more);
    pthread_mutex_unlock(&profile->erase_lock);
    if (vt_failed(err))
        vt_log_err(VT_LOG_ERROR, "erase_pass_failed", err, "it is tried again within its time");
    return err;
}

struct vt_err vt__erase_chore(struct vt_profile *profile)
{
    struct vt__pending_set pending = {0};
    if (profile->audit == NULL)
        return vt_ok();
    struct vt_err err = vt__pending_load(profile, &pending);
    int64_t latest_ms = vt_clock_unix_ms(profile->clock) - profile->erase_within_ms / 2;
    bool due = pending.n != 0 && pending.oldest_ms <= latest_ms;
    vt__pending_fini(&pending);
    return vt_failed(err) || !due ? err : vt__erase_pass(profile, NULL);
}
