/*
 * Anonymous visitors expire. Most cookies come once: without an end they are most of the customers
 * and none of the business. Somebody expires who is known by ids of a browser or a device only,
 * whose log rows and history are all older than the expiry time. A member, a card or an e-mail hash
 * never does, and neither does a refusal: forgetting "no" would be taking it for "yes" when the
 * cookie comes back.
 *
 * The chores' thread looks through the customers by number, a bounded piece each minute, and leaves
 * what it found to the writer, which looks again: a visitor who came back in between stays. What
 * the log recorded under the number stays until its retention ends; the number means nobody then.
 */
#include "services/profile/ageing.h"
#include "services/profile/ageing_internal.h"
#include "services/profile/forget.h"
#include "services/profile/history.h"
#include "services/profile/who.h"

enum {
    MS_PER_DAY = 24 * 3600 * 1000,
    ROWS_PER_RUN = 20000,
    ROWS_PER_STEP = 2000, /* an iterator is open for a few milliseconds */
    CUSTOMERS_PER_JOB = 64,
    ARENA_BYTES = 256 * 1024, /* one record */
    CONSENT_DENIED = 2,
};

/* Customers to look at again on the writer thread. */
struct idle_list {
    int64_t before_ms; /* nothing happened since */
    uint64_t customers[CUSTOMERS_PER_JOB];
    uint32_t n;
    uint32_t n_expired; /* by the job */
};

static bool is_of_a_browser(enum vt_identity_type type)
{
    return type == VT_IDENTITY_VISITOR || type == VT_IDENTITY_DEVICE;
}

static bool may_expire(const struct vt__customer_record *record, int64_t before_ms)
{
    return is_of_a_browser(record->type) && record->customer.consent != CONSENT_DENIED &&
           record->customer.first_seen_ms < before_ms && record->customer.last_seen_ms < before_ms;
}

/* ---- is there anything since? ---- */

static struct vt_err has_log_rows(struct vt_profile *profile, uint64_t customer, int64_t since_ms,
                                  bool *ret_has)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer_day(customer, (uint32_t)(since_ms / MS_PER_DAY));
    struct vt__key end = vt__key_customer(customer + 1);
    VT_TRY(vt_store_iter_open(profile->store, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    struct vt_err err = vt_store_iter_next(rows, NULL, ret_has);
    vt_store_iter_close(rows);
    return err;
}

/* Of either row; 0: there is none. */
static struct vt_err newest_of_history(struct vt_profile *profile, struct vt__key key,
                                       int64_t *ret_time_ms)
{
    struct vt_store_value value = {0};
    struct vt_history_event newest = {.time_ms = 0};
    size_t n = 0;
    bool found = false;
    VT_TRY(vt_store_get(profile->store, VT__HISTORY, vt__key_slice(&key), NULL, &value, &found));
    bool whole = !found || vt__history_count(value.bytes, &n);
    if (whole && n != 0)
        vt__history_unpack(value.bytes, &newest, 1);
    vt_store_value_release(&value);
    VT_CHECK(whole, VT_CORRUPT, "a history of the store is malformed");
    *ret_time_ms = newest.time_ms;
    return vt_ok();
}

static struct vt_err note_type(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)time_ms;
    bool *only_browsers = ctx;
    *only_browsers = *only_browsers && is_of_a_browser(identity->type);
    return vt_ok();
}

/* Log rows by day of acceptance, so that no sender's clock keeps anybody; the history besides,
 * because retention may be shorter than expiry. */
static struct vt_err is_idle(struct vt_profile *profile, uint64_t customer, int64_t before_ms,
                             bool *ret_idle)
{
    bool active = false, only_browsers = true;
    int64_t newest_ms = 0, newest_shown_ms = 0;
    *ret_idle = false;
    VT_TRY(has_log_rows(profile, customer, before_ms, &active));
    if (active)
        return vt_ok();
    VT_TRY(newest_of_history(profile, vt__key_customer(customer), &newest_ms));
    VT_TRY(newest_of_history(profile, vt__key_shown(customer), &newest_shown_ms));
    if (newest_ms >= before_ms || newest_shown_ms >= before_ms)
        return vt_ok();
    VT_TRY(vt__each_identity(profile, customer, note_type, &only_browsers));
    *ret_idle = only_browsers;
    return vt_ok();
}

/* ---- on the writer thread ---- */

static struct vt_err expire_one(struct vt_profile *profile, uint64_t customer,
                                struct idle_list *idle)
{
    struct vt__customer_record record;
    bool found = false, is_still_idle = false;
    vt_arena_reset(&profile->arena);
    VT_TRY(vt__read_customer(profile, customer, &profile->arena, NULL, &record, &found));
    if (!found || !may_expire(&record, idle->before_ms))
        return vt_ok();
    VT_TRY(is_idle(profile, customer, idle->before_ms, &is_still_idle));
    if (!is_still_idle)
        return vt_ok();
    VT_TRY(vt__forget_rows(profile, customer));
    idle->n_expired++;
    return vt_ok();
}

static struct vt_err apply_expiry(struct vt_profile *profile, struct vt__job *job)
{
    struct idle_list *idle = job->result;
    for (uint32_t i = 0; i < idle->n; i++)
        VT_TRY(expire_one(profile, idle->customers[i], idle));
    if (idle->n_expired != 0)
        profile->state.sequence++; /* the commit has something to make durable */
    return vt_ok();
}

/* ---- the scan ---- */

struct scan {
    struct vt_profile *profile;
    struct vt_arena arena;
    struct idle_list idle;
    uint32_t n_rows;
    bool at_end;
};

static struct vt_err look_at_row(struct scan *scan, const struct vt_store_iter *rows)
{
    struct vt__customer_record record;
    uint64_t customer = 0;
    bool idle = false;
    VT_CHECK(vt__parse_customer(vt_store_iter_key(rows), &customer), VT_CORRUPT,
             "a customer's key is malformed");
    vt_arena_reset(&scan->arena);
    VT_TRY(vt__customer_decode(vt_store_iter_value(rows), &scan->arena, &record));
    if (may_expire(&record, scan->idle.before_ms))
        VT_TRY(is_idle(scan->profile, customer, scan->idle.before_ms, &idle));
    if (idle)
        scan->idle.customers[scan->idle.n++] = customer;
    scan->profile->ageing->next_customer = customer + 1;
    scan->n_rows++;
    return vt_ok();
}

/* Until the rows of a step are looked at, a job is full, or there are no more. */
static struct vt_err look_for_idle(struct scan *scan)
{
    struct vt_profile *profile = scan->profile;
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer(profile->ageing->next_customer);
    uint32_t end = scan->n_rows + ROWS_PER_STEP;
    bool more = true;
    struct vt_err err = vt_ok();
    VT_TRY(vt_store_iter_open(profile->store, VT__PROFILE, vt__key_slice(&first), vt_slice(NULL, 0),
                              &rows));
    while (!vt_failed(err) && scan->n_rows < end && scan->idle.n < CUSTOMERS_PER_JOB) {
        err = vt_store_iter_next(rows, NULL, &more);
        if (vt_failed(err) || !more)
            break;
        err = look_at_row(scan, rows);
    }
    vt_store_iter_close(rows);
    scan->at_end = !more;
    return err;
}

static struct vt_err run_scan(struct scan *scan)
{
    struct vt__ageing *ageing = scan->profile->ageing;
    while (!scan->at_end && scan->n_rows < ROWS_PER_RUN) {
        scan->idle.n = 0;
        scan->idle.n_expired = 0;
        VT_TRY(look_for_idle(scan));
        if (scan->idle.n != 0)
            VT_TRY(vt__writer_run(scan->profile, apply_expiry, NULL, &scan->idle));
        vt_counter_add(ageing->n_visitors, scan->idle.n_expired);
    }
    if (scan->at_end)
        ageing->next_customer = 0;
    return vt_ok();
}

struct vt_err vt__expire_visitors(struct vt_profile *profile)
{
    int64_t expiry_ms = profile->ageing->visitor_expiry_ms;
    struct scan scan = {.profile = profile};
    if (expiry_ms == 0 || !vt__ageing_clock_is_sound(profile))
        return vt_ok();
    scan.idle.before_ms = vt_clock_unix_ms(profile->clock) - expiry_ms;
    VT_CHECK(vt_arena_init_owned(&scan.arena, ARENA_BYTES), VT_EXHAUSTED, "out of memory");
    struct vt_err err = scan.idle.before_ms > 0 ? run_scan(&scan) : vt_ok();
    vt_arena_fini(&scan.arena);
    return err;
}
