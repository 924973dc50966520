/*
 * One walk over everything. Families that others refer to come first and leave a bit for each
 * number they hold; the others check their references against those bits as they go by, so the
 * whole store is read once, in order, whatever its size. What two families say from two sides is
 * compared by sums (verify_pairs.c).
 *
 * Read through the store like everything else, so every block's checksum is checked by RocksDB on
 * the way; damage ends the walk of that family and is told with its file.
 */
#include "services/profile/verify.h"

#include "services/profile/verify_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROW_ARENA_BYTES = 1 << 20, PROGRESS_ROWS = 4096, FINDING_BYTES = 512 };

const char vt__todo_restore[] =
    "check the disk (dmesg, smartctl), then restore a backup into a new folder";
const char vt__todo_report[] =
    "restore a backup that verifies; if none does, it is a bug of ours: report it with this output";

/* ---- bits ---- */

struct vt_err vt__bits_init(struct vt__bits *bits, uint64_t first, uint64_t end)
{
    *bits = (struct vt__bits){.first = first, .end = end > first ? end : first};
    bits->words = calloc((size_t)((bits->end - bits->first) / 64 + 1), sizeof bits->words[0]);
    VT_CHECK(bits->words != NULL, VT_EXHAUSTED, "out of memory");
    return vt_ok();
}

void vt__bits_fini(struct vt__bits *bits)
{
    free(bits->words);
    *bits = (struct vt__bits){0};
}

bool vt__bits_has(const struct vt__bits *bits, uint64_t number)
{
    uint64_t at = number - bits->first;
    return number >= bits->first && number < bits->end &&
           (bits->words[at / 64] >> at % 64 & 1) != 0;
}

void vt__bits_set(struct vt__bits *bits, uint64_t number)
{
    uint64_t at = number - bits->first;
    if (number >= bits->first && number < bits->end)
        bits->words[at / 64] |= UINT64_C(1) << at % 64;
}

bool vt__is_somebody(const struct vt__verify *verify, uint64_t customer)
{
    return vt__bits_has(&verify->customers, customer) || vt__bits_has(&verify->merged, customer);
}

/* ---- telling ---- */

void vt__verify_tell(struct vt__verify *verify, const char *todo, const char *format, ...)
{
    char what[FINDING_BYTES];
    va_list arguments;
    verify->result->problems++;
    if (verify->check->problems++ >= VT_VERIFY_TOLD_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    struct vt_verify_finding finding = {verify->check->name, what, todo};
    verify->options->found(verify->options->ctx, &finding);
}

static void begin_check(struct vt__verify *verify, const char *name)
{
    struct vt_verify_result *result = verify->result;
    VT_ASSERT(result->n_checks < VT_VERIFY_CHECKS_MAX);
    verify->check = &result->checks[result->n_checks++];
    *verify->check = (struct vt_verify_check){.name = name};
}

static void count_row(struct vt__verify *verify)
{
    verify->check->rows++;
    if (++verify->result->rows % PROGRESS_ROWS == 0 && verify->options->progress != NULL)
        verify->options->progress(verify->options->ctx, verify->result->rows, verify->estimate);
}

/* ---- the walk ---- */

static struct vt_err walk_rows(struct vt__verify *verify, struct vt_store_iter *rows,
                               vt__verify_row_fn row, struct vt_diag *diag)
{
    bool more = false;
    for (;;) {
        VT_TRY(vt_store_iter_next(rows, diag, &more));
        if (!more)
            return vt_ok();
        count_row(verify);
        vt_arena_reset(&verify->arena);
        if (row != NULL)
            row(verify, vt_store_iter_key(rows), vt_store_iter_value(rows));
        VT_TRY(verify->failure);
    }
}

void vt__verify_walk(struct vt__verify *verify, const char *name, enum vt__family family,
                     vt__verify_row_fn row)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    struct vt_diag diag = {0};
    if (vt_failed(verify->failure))
        return;
    begin_check(verify, name);
    verify->last_sequence = 0;
    struct vt_err err = vt_store_iter_open(verify->profile->store, family, all, all, &rows);
    if (!vt_failed(err))
        err = walk_rows(verify, rows, row, &diag);
    vt_store_iter_close(rows);
    if (err.code == VT_EXHAUSTED)
        verify->failure = err;
    else if (vt_failed(err))
        vt__verify_tell(verify, vt__todo_restore, "unreadable after row %" PRIu64 ": %s",
                        verify->check->rows, diag.text[0] != '\0' ? diag.text : err.what);
}

/* ---- the whole ---- */

static void check_state(struct vt__verify *verify)
{
    const struct vt__state *state = &verify->profile->state;
    begin_check(verify, "state");
    verify->check->rows = 1;
    verify->result->rows++;
    if (verify->options->acknowledged > state->sequence)
        vt__verify_tell(verify, vt__todo_restore,
                        "the store ends at sequence %" PRIu64
                        ", and was acknowledged up to %" PRIu64,
                        state->sequence, verify->options->acknowledged);
}

/* The first block of the log says from where on its sequences must be there. */
static struct vt_err find_oldest_block(struct vt__verify *verify, uint64_t *ret_sequence)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    *ret_sequence = verify->profile->state.sequence + 1;
    verify->oldest_day = UINT32_MAX;
    VT_TRY(vt_store_iter_open(verify->profile->store, VT__EVENTS, all, all, &rows));
    struct vt_err err = vt_store_iter_next(rows, NULL, &more);
    if (!vt_failed(err) && more)
        (void)vt__parse_block(vt_store_iter_key(rows), &verify->oldest_day, ret_sequence);
    vt_store_iter_close(rows);
    return vt_ok(); /* damage is told by the walk */
}

static struct vt_err make_bits(struct vt__verify *verify)
{
    const struct vt__state *state = &verify->profile->state;
    uint64_t oldest = 0;
    VT_TRY(find_oldest_block(verify, &oldest));
    VT_TRY(vt__bits_init(&verify->items, 0, state->next_item));
    VT_TRY(vt__bits_init(&verify->customers, 0, state->next_customer));
    VT_TRY(vt__bits_init(&verify->denied, 0, state->next_customer));
    VT_TRY(vt__bits_init(&verify->merged, 0, state->next_customer));
    VT_TRY(vt__bits_init(&verify->channels, 0, state->next_channel));
    return vt__bits_init(&verify->sequences, oldest, state->sequence + 1);
}

/* What is referred to before what refers to it. */
static const enum vt__family first_families[] = {VT__NAMES, VT__ITEMS, VT__ALIAS, VT__PROFILE,
                                                 VT__EVENTS};

static bool comes_first(enum vt__family family)
{
    for (size_t i = 0; i < sizeof first_families / sizeof first_families[0]; i++)
        if (first_families[i] == family)
            return true;
    return false;
}

static void walk_family(struct vt__verify *verify, enum vt__family family)
{
    vt__verify_walk(verify, verify->profile->families[family].name, family,
                    vt__verify_row_of(family));
}

static void walk_all(struct vt__verify *verify)
{
    check_state(verify);
    for (size_t i = 0; i < sizeof first_families / sizeof first_families[0]; i++)
        walk_family(verify, first_families[i]);
    for (unsigned family = 0; family < VT__FAMILY_COUNT; family++)
        if (family != VT__STATE && !comes_first((enum vt__family)family))
            walk_family(verify, (enum vt__family)family);
    vt__verify_pairs(verify);
}

struct vt_err vt_profile_verify(struct vt_profile *profile, const struct vt_verify_options *options,
                                struct vt_verify_result *ret_result)
{
    struct vt__verify verify = {.profile = profile, .options = options, .result = ret_result};
    *ret_result = (struct vt_verify_result){.sequence = profile->state.sequence};
    for (unsigned i = 0; i < VT__FAMILY_COUNT; i++)
        verify.estimate += vt_store_estimate_rows(profile->store, i);
    verify.failure = vt_arena_init_owned(&verify.arena, ROW_ARENA_BYTES)
                         ? make_bits(&verify)
                         : VT_ERR(VT_EXHAUSTED, "out of memory");
    if (!vt_failed(verify.failure))
        walk_all(&verify);
    vt__bits_fini(&verify.items);
    vt__bits_fini(&verify.customers);
    vt__bits_fini(&verify.denied);
    vt__bits_fini(&verify.merged);
    vt__bits_fini(&verify.channels);
    vt__bits_fini(&verify.sequences);
    vt_arena_fini(&verify.arena);
    return verify.failure;
}
