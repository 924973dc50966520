/*
 * An export is read in parts: what is known of the person in one look, then the log block by block,
 * then the audit log. Each part appends lines to a buffer, which is told before the next is read.
 * Places in the store are kept as keys and copies, never as iterators: between two lines minutes
 * may pass, and a pinned row would keep the store from being opened again and an erased one on the
 * disk. Instead each line looks first whether the customer is still there.
 */
#include "services/profile/export.h"

#include "services/profile/alias.h"
#include "services/profile/channel_names.h"
#include "services/profile/customer_log.h"
#include "services/profile/export_lines.h"
#include "services/profile/history.h"
#include "services/profile/link.h"
#include "services/profile/who.h"

#include <stdlib.h>
#include <string.h>

enum {
    SCRATCH_BYTES = 512 << 10, /* a record, an item, or a history as large as they may be */
    LINES_BYTES = 64 << 10,    /* of one part, and no more are added */
    AUDIT_LINES = 64,          /* in one pass over the audit log */
};

enum part { PART_EVENTS, PART_AUDIT, PART_END, PART_OVER };

struct vt_export {
    struct vt_profile *profile; /* borrowed */
    uint64_t customer;
    struct vt__channel_names channels;
    struct vt_arena scratch; /* owned; of one row */

    struct vt__buffer lines; /* owned */
    size_t told;             /* bytes of `lines` */
    uint64_t n_told;         /* lines of all parts */
    enum part part;          /* that comes after `lines` */

    struct vt__customer_log log;

    uint64_t audit_told; /* number of the last entry */
};

/* ---- who, and that they are still there ---- */

static struct vt_err take_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    struct vt_export *export = ctx;
    VT_TRY(vt__customer_log_add(&export->log, merged));
    return vt__line_of_merged(merged, time_ms, &export->lines);
}

static struct vt_err take_identity(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    struct vt_export *export = ctx;
    const struct vt_identity named = {
        identity->type, vt__channel_name(&export->channels, identity->channel), identity->id};
    return vt__line_of_identity(&named, time_ms, &export->lines);
}

static struct vt_err check_there(struct vt_export *export, struct vt_diag *diag)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_customer(export->customer);
    bool found = false;
    VT_TRY(vt_store_get(export->profile->store, VT__PROFILE, vt__key_slice(&key), diag, &value,
                        &found));
    vt_store_value_release(&value);
    VT_CHECK(found, VT_UNAVAILABLE,
             "the customer was erased or became part of another meanwhile: export again");
    return vt_ok();
}

/* The reads are apart, and a merge may be committed between the first two: then look again. */
static struct vt_err find_record(struct vt_export *export, const struct vt__identity *identity,
                                 struct vt_diag *diag, struct vt__customer_record *ret_record)
{
    bool found = false;
    for (int i = 0; i < VT__LOOKS_MAX && !found; i++) {
        VT_TRY(vt__find_customer(export->profile, identity, diag, &export->customer, &found));
        VT_CHECK(found, VT_NOT_FOUND, "nobody is known by this id");
        vt_arena_reset(&export->scratch);
        VT_TRY(vt__read_customer(export->profile, export->customer, &export->scratch, diag,
                                 ret_record, &found));
    }
    VT_CHECK(found, VT_CORRUPT, "a customer of the store has no record");
    return vt__customer_log_add(&export->log, export->customer);
}

static struct vt_err find(struct vt_export *export, const struct vt_identity *who,
                          struct vt_diag *diag, struct vt__customer_record *ret_record)
{
    struct vt__identity identity;
    bool known = false;
    VT_CHECK(vt_identity_valid(who, diag), VT_INVALID, "a customer is named by a valid id");
    VT_TRY(vt__who_find(export->profile, who, diag, &identity, &known));
    VT_CHECK(known, VT_NOT_FOUND, "nobody is known by this id");
    return find_record(export, &identity, diag, ret_record);
}

/* ---- the first part: the person ---- */

static struct vt_err name_of(struct vt_export *export, const struct vt_history_event *event,
                             struct vt_diag *diag, struct vt__line_names *ret_names)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_item(event->item);
    struct vt_item item = {0};
    enum vt__item_state state;
    bool found = false;
    vt_arena_reset(&export->scratch);
    VT_TRY(
        vt_store_get(export->profile->store, VT__ITEMS, vt__key_slice(&key), diag, &value, &found));
    struct vt_err err =
        found ? vt__item_decode(value.bytes, &export->scratch, &state, &item) : vt_ok();
    vt_store_value_release(&value);
    ret_names->item_id = item.id;
    ret_names->channel = vt__channel_name(&export->channels, event->channel);
    return err;
}

/* Copied first: the names of an event take the scratch memory. */
static struct vt_err tell_history(struct vt_export *export, const char *record,
                                  struct vt_slice packed, struct vt_diag *diag)
{
    struct vt_history_event events[VT__HISTORY_LIMIT];
    size_t n = 0;
    VT_CHECK(vt__history_count(packed, &n) && n <= VT__HISTORY_LIMIT, VT_CORRUPT,
             "a history of the store is malformed");
    vt__history_unpack(packed, events, n);
    for (size_t i = 0; i < n; i++) {
        struct vt__line_names names;
        VT_TRY(name_of(export, &events[i], diag, &names));
        VT_TRY(vt__line_of_history(record, &events[i], &names, &export->lines));
    }
    return vt_ok();
}

static struct vt_err read_history(struct vt_export *export, const char *record, struct vt__key key,
                                  struct vt_diag *diag)
{
    struct vt_store_value value = {0};
    bool found = false;
    VT_TRY(vt_store_get(export->profile->store, VT__HISTORY, vt__key_slice(&key), diag, &value,
                        &found));
    struct vt_err err = found ? tell_history(export, record, value.bytes, diag) : vt_ok();
    vt_store_value_release(&value);
    return err;
}

static struct vt_err write_audit(struct vt_export *export, const struct vt_identity *who,
                                 const char *actor, int64_t now_ms,
                                 char ret_receipt[VT_AUDIT_RECEIPT_BYTES])
{
    struct vt_profile *profile = export->profile;
    struct vt_audit_subject subject;
    vt_audit_subject(profile->audit_key, vt_identity_type_name(who->type), who->channel, who->id,
                     &subject);
    const struct vt_audit_entry entry = {.time_ms = now_ms,
                                         .action = "export",
                                         .actor = actor,
                                         .customer = export->customer,
                                         .subjects = &subject,
                                         .n_subjects = 1};
    return vt_audit_append(profile->audit, &entry, ret_receipt);
}

static struct vt_err tell_person(struct vt_export *export, const struct vt_identity *who,
                                 const char *actor, struct vt_diag *diag)
{
    struct vt_profile *profile = export->profile;
    struct vt__customer_record record;
    char store_id[VT_STORE_ID_HEX_BYTES], receipt[VT_AUDIT_RECEIPT_BYTES];
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    VT_TRY(vt__channel_names_load(profile, &export->channels));
    VT_TRY(find(export, who, diag, &record));
    VT_TRY(write_audit(export, who, actor, now_ms, receipt));
    vt_profile_store_id(profile, store_id);
    const struct vt__line_head head = {now_ms, store_id, receipt, export->customer};
    VT_TRY(vt__line_of_head(&head, &export->lines));
    VT_TRY(vt__line_of_customer(export->customer, &record, &export->lines));
    VT_TRY(vt__each_identity(profile, export->customer, take_identity, export));
    VT_TRY(vt__each_merged(profile, export->customer, take_merged, export));
    VT_TRY(read_history(export, "history", vt__key_customer(export->customer), diag));
    return read_history(export, "shown", vt__key_shown(export->customer), diag);
}

/* ---- the second part: the log ---- */

static struct vt_err tell_row(struct vt_export *export, struct vt_diag *diag, bool *ret_more)
{
    struct vt__log_row row;
    struct vt__line_names names;
    uint64_t sequence = 0;
    VT_TRY(vt__customer_log_next(&export->log, diag, &row, &sequence, ret_more));
    if (!*ret_more)
        return vt_ok();
    VT_TRY(name_of(export, &row.event, diag, &names));
    return vt__line_of_event(sequence, &row, &names, &export->lines);
}

static struct vt_err tell_events(struct vt_export *export, struct vt_diag *diag)
{
    bool more = true;
    while (more && export->lines.len < LINES_BYTES)
        VT_TRY(tell_row(export, diag, &more));
    if (!more)
        export->part = PART_AUDIT;
    return vt_ok();
}

/* ---- the last parts ---- */

struct audit_pass {
    struct vt_export *export;
    unsigned n_lines;
};

static struct vt_err take_entry(void *ctx, const struct vt_audit_entry *entry)
{
    struct audit_pass *pass = ctx;
    struct vt_export *export = pass->export;
    if (entry->number <= export->audit_told || pass->n_lines == AUDIT_LINES)
        return vt_ok();
    for (uint32_t i = 0; i < export->log.n_numbers; i++)
        if (entry->customer == export->log.numbers[i]) {
            export->audit_told = entry->number;
            pass->n_lines++;
            return vt__line_of_audit(entry, &export->lines);
        }
    return vt_ok();
}

static struct vt_err tell_audit(struct vt_export *export, struct vt_diag *diag)
{
    struct audit_pass pass = {.export = export};
    uint64_t n_entries = 0;
    VT_TRY(
        vt_audit_read(vt_audit_path(export->profile->audit), diag, take_entry, &pass, &n_entries));
    if (pass.n_lines < AUDIT_LINES)
        export->part = PART_END;
    return vt_ok();
}

static struct vt_err tell_end(struct vt_export *export, struct vt_diag *diag)
{
    (void)diag;
    export->part = PART_OVER;
    return vt__line_of_end(export->n_told, &export->lines);
}

/* ---- the line at a time ---- */

struct vt_err vt_export_open(struct vt_profile *profile, const struct vt_identity *who,
                             const char *actor, struct vt_diag *diag, struct vt_export **ret_export)
{
    VT_CHECK(profile->audit != NULL, VT_PRECONDITION,
             "this store was opened without the key of its audit log");
    struct vt_export *export = calloc(1, sizeof *export);
    VT_CHECK(export != NULL, VT_EXHAUSTED, "out of memory");
    export->profile = profile;
    export->log.profile = profile;
    struct vt_err err = vt_arena_init_owned(&export->scratch, SCRATCH_BYTES)
                            ? tell_person(export, who, actor, diag)
                            : VT_ERR(VT_EXHAUSTED, "out of memory");
    if (vt_failed(err)) {
        vt_export_close(export);
        return err;
    }
    *ret_export = export;
    return vt_ok();
}

void vt_export_close(struct vt_export *export)
{
    if (export == NULL)
        return;
    vt__customer_log_fini(&export->log);
    vt__buffer_fini(&export->lines);
    vt__channel_names_fini(&export->channels);
    vt_arena_fini(&export->scratch);
    free(export);
}

static struct vt_err refill(struct vt_export *export, struct vt_diag *diag)
{
    static struct vt_err (*const tell[])(struct vt_export * export, struct vt_diag * diag) = {
        [PART_EVENTS] = tell_events, [PART_AUDIT] = tell_audit, [PART_END] = tell_end};
    export->lines.len = 0;
    export->told = 0;
    while (export->lines.len == 0 && export->part != PART_OVER)
        VT_TRY(tell[export->part](export, diag));
    return vt_ok();
}

struct vt_err vt_export_next(struct vt_export *export, struct vt_diag *diag,
                             struct vt_slice *ret_line, bool *ret_more)
{
    VT_TRY(check_there(export, diag));
    if (export->told == export->lines.len)
        VT_TRY(refill(export, diag));
    *ret_more = export->told < export->lines.len;
    if (!*ret_more)
        return vt_ok();
    const char *line = (const char *)export->lines.data + export->told;
    const char *end = memchr(line, '\n', export->lines.len - export->told);
    *ret_line = vt_slice(line, (size_t)(end - line));
    export->told += ret_line->len + 1;
    export->n_told++;
    return vt_ok();
}
