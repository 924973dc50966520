/*
 * The first step of an erasure, and who is pending. The commit is a job of the writer, so that
 * events of the customer stand either before it (and are pending with the rest) or after it (and
 * belong to somebody new). The audit log is written inside the job, after everything that may be
 * refused and before the commit: nothing is ever erased without a line about it.
 */
#include "services/profile/erase.h"

#include "services/profile/alias.h"
#include "services/profile/channel_names.h"
#include "services/profile/link.h"
#include "services/profile/profile_internal.h"
#include "services/profile/who.h"

#include <stdlib.h>
#include <string.h>

/* ---- the pending set ---- */

static struct vt_err pending_add(struct vt__pending_set *set, uint64_t number)
{
    if (set->n == set->capacity) {
        size_t capacity = set->capacity != 0 ? set->capacity * 2 : 64;
        uint64_t *numbers = realloc(set->numbers, capacity * sizeof *numbers);
        VT_CHECK(numbers != NULL, VT_EXHAUSTED, "out of memory");
        set->numbers = numbers;
        set->capacity = capacity;
    }
    set->numbers[set->n++] = number;
    return vt_ok();
}

static struct vt_err take_pending(struct vt__pending_set *set, struct vt_slice key,
                                  struct vt_slice value)
{
    enum vt__erased_kind kind;
    uint64_t number = 0;
    int64_t time_ms = 0;
    VT_CHECK(vt__parse_erased(key, &kind, &number), VT_CORRUPT, "an erasure's key is malformed");
    VT_TRY(vt__erased_decode(value, &time_ms));
    set->oldest_ms = time_ms < set->oldest_ms ? time_ms : set->oldest_ms;
    return pending_add(set, number);
}

struct vt_err vt__pending_load(struct vt_profile *profile, struct vt__pending_set *set)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_erased(VT__ERASED_PENDING, 0);
    struct vt__key end = vt__key_erased(VT__ERASED_PENDING + 1, 0);
    bool more = false;
    set->n = 0;
    set->oldest_ms = INT64_MAX;
    VT_TRY(vt_store_iter_open(profile->store, VT__ERASED, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = take_pending(set, vt_store_iter_key(rows), vt_store_iter_value(rows));
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

void vt__pending_fini(struct vt__pending_set *set)
{
    free(set->numbers);
    *set = (struct vt__pending_set){0};
}

bool vt__is_pending(const struct vt__pending_set *set, uint64_t customer)
{
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->numbers[middle] < customer)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->n && set->numbers[low] == customer;
}

/* ---- what is held of the customer ---- */

/* The job's input, on the heap: it is large. */
struct forget {
    struct vt_profile *profile;
    struct vt_identity who;
    const struct vt_erasure *erasure;
    struct vt_erasure_result *result;
    struct vt__channel_names channels;
    uint64_t numbers[VT__CUSTOMER_MERGED_MAX + 1]; /* the customer's, then the merged ones' */
    uint32_t n_numbers;
    struct vt_audit_subject subjects[VT__CUSTOMER_IDENTITIES_MAX];
    uint32_t n_subjects;
};

static struct vt_err take_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    (void)time_ms;
    struct forget *forget = ctx;
    VT_CHECK(forget->n_numbers <= VT__CUSTOMER_MERGED_MAX, VT_CORRUPT,
             "a customer has more merged numbers than linking allows");
    forget->numbers[forget->n_numbers++] = merged;
    return vt_ok();
}

static struct vt_err take_subject(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)time_ms;
    struct forget *forget = ctx;
    VT_CHECK(forget->n_subjects < VT__CUSTOMER_IDENTITIES_MAX, VT_CORRUPT,
             "a customer has more ids than linking allows");
    vt_audit_subject(forget->profile->audit_key, vt_identity_type_name(identity->type),
                     vt__channel_name(&forget->channels, identity->channel), identity->id,
                     &forget->subjects[forget->n_subjects++]);
    return vt_ok();
}

static struct vt_err gather(struct forget *forget, struct vt_diag *diag)
{
    struct vt_profile *profile = forget->profile;
    struct vt__identity identity;
    uint64_t number = 0;
    bool found = false;
    VT_TRY(vt__who_find(profile, &forget->who, diag, &identity, &found));
    if (found)
        VT_TRY(vt__find_customer(profile, &identity, diag, &number, &found));
    VT_CHECK(found, VT_NOT_FOUND, "nobody is known by this id");
    forget->numbers[0] = number;
    forget->n_numbers = 1;
    VT_TRY(vt__each_merged(profile, number, take_merged, forget));
    return vt__each_identity(profile, number, take_subject, forget);
}

/* ---- the commit ---- */

static struct vt_err drop_identity(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)time_ms;
    struct vt_profile *profile = ctx;
    struct vt__key key = vt__key_identity(identity);
    vt_store_batch_delete(profile->batch, VT__IDENTITY, vt__key_slice(&key));
    vt__customer_cache_drop(profile->customers, &key);
    return vt_ok();
}

static void drop_customer(struct vt_profile *profile, uint64_t number)
{
    static const enum vt__family of_prefix[] = {VT__CUSTOMER_IDS, VT__ALIAS};
    struct vt__key key = vt__key_customer(number), next = vt__key_customer(number + 1);
    vt_store_batch_delete(profile->batch, VT__PROFILE, vt__key_slice(&key));
    vt__delete_history(profile, number);
    for (size_t i = 0; i < sizeof of_prefix / sizeof of_prefix[0]; i++)
        vt_store_batch_delete_range(profile->batch, of_prefix[i], vt__key_slice(&key),
                                    vt__key_slice(&next));
}

static struct vt_err write_audit(struct forget *forget, int64_t now_ms)
{
    const struct vt_audit_entry entry = {
        .time_ms = now_ms,
        .action = "erase_requested",
        .actor = forget->erasure->actor,
        .customer = forget->numbers[0],
        .subjects = forget->subjects,
        .n_subjects = forget->n_subjects,
        .detail = forget->erasure->now ? "at once" : NULL,
    };
    return vt_audit_append(forget->profile->audit, &entry, forget->result->receipt);
}

static struct vt_err apply_forget(struct vt_profile *profile, struct vt__job *job)
{
    struct forget *forget = (struct forget *)(uintptr_t)job->input;
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    VT_TRY(gather(forget, job->write.request->diag));
    forget->result->customer_number = forget->numbers[0];
    forget->result->n_customers = forget->n_numbers;
    forget->result->complete_by_ms = now_ms + profile->erase_within_ms;
    if (forget->erasure->validate_only)
        return vt_ok();
    VT_TRY(write_audit(forget, now_ms));
    VT_TRY(vt__each_identity(profile, forget->numbers[0], drop_identity, profile));
    for (uint32_t i = 0; i < forget->n_numbers; i++) {
        drop_customer(profile, forget->numbers[i]);
        vt__erased_encode(now_ms, &profile->value);
        vt__put(profile, VT__ERASED, vt__key_erased(VT__ERASED_PENDING, forget->numbers[i]));
    }
    profile->state.sequence++; /* the commit has something to make durable */
    return vt_ok();
}

/* ---- the call ---- */

static struct vt_err check_call(struct vt_profile *profile, const struct vt_identity *who,
                                struct vt_diag *diag)
{
    VT_CHECK(profile->audit != NULL, VT_PRECONDITION,
             "this store was opened without the key of its audit log");
    VT_CHECK(vt_identity_valid(who, diag), VT_INVALID, "a customer is named by a valid id");
    return vt_ok();
}

static struct vt_err forget_customer(struct vt_profile *profile, const struct vt_identity *who,
                                     const struct vt_erasure *erasure,
                                     struct vt_erasure_result *ret_result)
{
    struct forget *forget = calloc(1, sizeof *forget);
    VT_CHECK(forget != NULL, VT_EXHAUSTED, "out of memory");
    forget->profile = profile;
    forget->who = *who;
    forget->erasure = erasure;
    forget->result = ret_result;
    struct vt_err err = vt__channel_names_load(profile, &forget->channels);
    if (!vt_failed(err))
        err = vt__writer_run(profile, apply_forget, forget, NULL);
    vt__channel_names_fini(&forget->channels);
    free(forget);
    return err;
}

struct vt_err vt_profile_erase(struct vt_profile *profile, struct vt_request *request,
                               const struct vt_identity *who, const struct vt_erasure *erasure,
                               struct vt_erasure_result *ret_result)
{
    struct vt_erasure_result result = {.done = false};
    VT_TRY(check_call(profile, who, request->diag));
    VT_TRY(forget_customer(profile, who, erasure, &result));
    if (erasure->now && !erasure->validate_only)
        result.done = !vt_failed(vt__erase_pass(profile, NULL));
    *ret_result = result;
    return vt_ok();
}

/* ---- again, after a restore ---- */

struct reapply {
    struct vt_profile *profile;
    int64_t since_ms;
    struct vt__channel_names channels;
    struct vt_audit_subject *subjects; /* owned, sorted before the pass */
    size_t n_subjects, capacity;
};

static struct vt_err take_entry(void *ctx, const struct vt_audit_entry *entry)
{
    struct reapply *reapply = ctx;
    if (strcmp(entry->action, "erase_requested") != 0 || entry->time_ms < reapply->since_ms)
        return vt_ok();
    if (reapply->n_subjects + entry->n_subjects > reapply->capacity) {
        size_t capacity = 2 * (reapply->n_subjects + entry->n_subjects);
        struct vt_audit_subject *subjects = realloc(reapply->subjects, capacity * sizeof *subjects);
        VT_CHECK(subjects != NULL, VT_EXHAUSTED, "out of memory");
        reapply->subjects = subjects;
        reapply->capacity = capacity;
    }
    memcpy(reapply->subjects + reapply->n_subjects, entry->subjects,
           entry->n_subjects * sizeof *entry->subjects);
    reapply->n_subjects += entry->n_subjects;
    return vt_ok();
}

static int compare_subjects(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vt_audit_subject));
}

static bool is_erased(const struct reapply *reapply, const struct vt_identity *named)
{
    struct vt_audit_subject subject;
    vt_audit_subject(reapply->profile->audit_key, vt_identity_type_name(named->type),
                     named->channel, named->id, &subject);
    return bsearch(&subject, reapply->subjects, reapply->n_subjects, sizeof subject,
                   compare_subjects) != NULL;
}

/* The next identity behind `key` that was erased; its id stays in `key`. */
static struct vt_err find_erased(const struct reapply *reapply, struct vt__key *key,
                                 struct vt_identity *ret_named, bool *ret_found)
{
    struct vt_store_iter *rows = NULL;
    bool more = false;
    *ret_found = false;
    VT_TRY(vt_store_iter_open(reapply->profile->store, VT__IDENTITY, vt__key_slice(key),
                              vt_slice(NULL, 0), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more && !*ret_found) {
        struct vt_slice row = vt_store_iter_key(rows);
        struct vt__identity identity;
        if (!vt__parse_identity(row, &identity)) {
            err = VT_ERR(VT_CORRUPT, "an identity's key is malformed");
            break;
        }
        memcpy(key->bytes, row.data, row.len);
        key->len = (uint16_t)row.len;
        *ret_named = (struct vt_identity){
            identity.type, vt__channel_name(&reapply->channels, identity.channel),
            vt_slice(key->bytes + row.len - identity.id.len, identity.id.len)};
        *ret_found = is_erased(reapply, ret_named);
    }
    vt_store_iter_close(rows);
    return err;
}

static struct vt_err erase_found(struct reapply *reapply, uint64_t *ret_n_erased)
{
    const struct vt_erasure erasure = {.actor = "restore"};
    struct vt__key key = {.len = 0};
    for (bool found = true; found;) {
        struct vt_identity named;
        struct vt_erasure_result result;
        VT_TRY(find_erased(reapply, &key, &named, &found));
        if (!found)
            return vt_ok();
        VT_TRY(forget_customer(reapply->profile, &named, &erasure, &result));
        ++*ret_n_erased;
    }
    return vt_ok();
}

static struct vt_err reapply_all(struct reapply *reapply, const char *audit_path,
                                 struct vt_diag *diag, uint64_t *ret_n_erased)
{
    uint64_t n_entries = 0;
    VT_TRY(vt__channel_names_load(reapply->profile, &reapply->channels));
    VT_TRY(vt_audit_read(audit_path, diag, take_entry, reapply, &n_entries));
    if (reapply->n_subjects == 0)
        return vt_ok();
    qsort(reapply->subjects, reapply->n_subjects, sizeof reapply->subjects[0], compare_subjects);
    VT_TRY(erase_found(reapply, ret_n_erased));
    return vt__erase_pass(reapply->profile, diag);
}

struct vt_err vt_profile_reapply_erasures(struct vt_profile *profile, const char *audit_path,
                                          int64_t since_ms, struct vt_diag *diag,
                                          uint64_t *ret_n_erased)
{
    struct reapply reapply = {.profile = profile, .since_ms = since_ms};
    *ret_n_erased = 0;
    VT_CHECK(profile->audit != NULL, VT_PRECONDITION,
             "this store was opened without the key of its audit log");
    struct vt_err err = reapply_all(&reapply, audit_path, diag, ret_n_erased);
    vt__channel_names_fini(&reapply.channels);
    free(reapply.subjects);
    return err;
}
