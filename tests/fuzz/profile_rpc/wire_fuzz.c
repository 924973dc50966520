/*
 * Any bytes, as each request that the profile service takes and each answer that its callers take.
 * Of calls whose two ends are both ours, what was decoded is encoded by the other end and has to
 * come through unchanged. The cases keep their places: corpus files begin with one.
 */
#include "services/profile/wire_admin.h"
#include "services/profile/wire_change.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_event.h"
#include "services/profile/wire_item.h"
#include "services/profile/wire_link.h"
#include "services/profile/wire_outcomes.h"
#include "tests/testlib/fuzz.h"

/* ---- events ---- */

/* Every event accepted by the domain: the answer has a result for each, and the caller reads it. */
static struct vt_err answer_events(const struct vt_wire_write_events *request,
                                   struct vt_arena *arena, struct vt_diag *diag)
{
    static struct vt_event_result results[VT_EVENT_BATCH_MAX];
    struct vt_slice body;
    for (uint32_t i = 0; i < request->n_events; i++)
        request->domain_results[i] =
            (struct vt_event_result){.outcome = VT_EVENT_ACCEPTED, .sequence = i};
    VT_TRY(vt_wire_write_events_encode(request, arena, &body));
    struct vt_err err =
        vt_wire_write_events_response_decode(body, request->n_total, arena, diag, results);
    vt_fuzz_expect(err.code == VT_OK || err.code == VT_EXHAUSTED);
    return err;
}

static struct vt_err write_events(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_wire_write_events request;
    VT_TRY(vt_wire_write_events_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.n_total >= 1 && request.n_total <= VT_EVENT_BATCH_MAX);
    vt_fuzz_expect(request.n_events <= request.n_total);
    for (uint32_t i = 0; i < request.n_events; i++)
        vt_fuzz_expect(request.places[i] < request.n_total);
    VT_TRY(answer_events(&request, arena, diag));
    for (uint32_t i = 0; i < request.n_events; i++)
        if (request.events[i].time_ms == 0)
            return vt_ok(); /* a caller of ours sends it without a time, which wire refuses */
    return vt_wire_write_events_request_encode(request.events, request.n_events, arena, ret_again);
}

static struct vt_err write_events_response(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    enum { N = 2 };
    struct vt_event_result results[N];
    VT_TRY(vt_wire_write_events_response_decode(body, N, arena, diag, results));
    for (int i = 0; i < N; i++)
        vt_fuzz_read(&results[i].reason, 1);
    return vt_ok();
}

/* ---- items ---- */

static struct vt_err upsert_items(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_wire_upsert_items request;
    VT_TRY(vt_wire_upsert_items_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.n_items >= 1 && request.n_items <= VT_ITEM_BATCH_MAX);
    if (request.mask != 0)
        return vt_ok(); /* callers of ours send whole entries */
    return vt_wire_upsert_items_request_encode(request.items, request.n_items, arena, ret_again);
}

static struct vt_err upsert_items_response(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_upsert_result result;
    VT_TRY(vt_wire_upsert_items_response_decode(body, arena, diag, &result));
    return vt_wire_upsert_items_encode(&result, arena, ret_again);
}

static struct vt_err get_items(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                               struct vt_slice *ret_again)
{
    (void)ret_again;
    static struct vt_item items[VT_ITEM_BATCH_MAX];
    static const bool found[VT_ITEM_BATCH_MAX];
    struct vt_wire_get_items request;
    struct vt_slice answer;
    VT_TRY(vt_wire_get_items_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.n_ids <= VT_ITEM_BATCH_MAX);
    vt_fuzz_expect(request.n_numbers <= VT_ITEM_BATCH_MAX - request.n_ids);
    return vt_wire_get_items_encode(&request, items, found, arena, &answer);
}

static struct vt_err list_items(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                                struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_list_items request;
    VT_TRY(vt_wire_list_items_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.page_size >= 1 && request.page_size <= 1000);
    return vt_ok();
}

static struct vt_err delete_items(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_delete_items request;
    VT_TRY(vt_wire_delete_items_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.n_ids >= 1 && request.n_ids <= VT_ITEM_BATCH_MAX);
    vt_fuzz_read(request.ids, request.n_ids);
    return vt_ok();
}

/* ---- customers ---- */

static struct vt_err get_profile(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                                 struct vt_slice *ret_again)
{
    struct vt_wire_get_profile request;
    VT_TRY(vt_wire_get_profile_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.max_events >= 1 && request.max_events <= VT_HISTORY_MAX);
    return vt_wire_get_profile_encode(&request, arena, ret_again);
}

static struct vt_err batch_get_profiles(struct vt_slice body, struct vt_arena *arena,
                                        struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    const struct vt_wire_get_profile *requests;
    uint32_t n;
    VT_TRY(vt_wire_batch_get_profiles_decode(body, arena, diag, &requests, &n));
    vt_fuzz_expect(n >= 1 && n <= VT_PROFILE_BATCH_MAX);
    for (uint32_t i = 0; i < n; i++) {
        vt_fuzz_read(&requests[i].key.customer_id, 1);
        vt_fuzz_read(&requests[i].key.visitor_id, 1);
        vt_fuzz_read(&requests[i].key.identity.id, 1);
    }
    return vt_ok();
}

static struct vt_err profile(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                             struct vt_slice *ret_again)
{
    struct vt_profile_view view;
    VT_TRY(vt_wire_profile_decode(body, arena, diag, &view));
    vt_fuzz_expect(view.n_events <= VT_HISTORY_MAX);
    for (uint32_t i = 0; i < view.n_events; i++)
        vt_fuzz_expect(view.events[i].type < VT_EVENT_TYPE_COUNT);
    return vt_wire_profile_encode(&view, NULL, arena, ret_again);
}

static struct vt_err upsert_customers(struct vt_slice body, struct vt_arena *arena,
                                      struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_wire_upsert_customers request;
    VT_TRY(vt_wire_upsert_customers_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.n_customers >= 1 && request.n_customers <= VT_CUSTOMER_BATCH_MAX);
    return vt_wire_upsert_customers_request_encode(request.customers, request.n_customers, arena,
                                                   ret_again);
}

static struct vt_err upsert_customers_response(struct vt_slice body, struct vt_arena *arena,
                                               struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_upsert_result result;
    VT_TRY(vt_wire_upsert_customers_response_decode(body, arena, diag, &result));
    return vt_wire_upsert_customers_encode(&result, arena, ret_again);
}

static struct vt_err list_customers(struct vt_slice body, struct vt_arena *arena,
                                    struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_list_customers request;
    VT_TRY(vt_wire_list_customers_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.page_size >= 1 && request.page_size <= 1000);
    return vt_ok();
}

static struct vt_err link_identities(struct vt_slice body, struct vt_arena *arena,
                                     struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_link request;
    const struct vt_link_result result = {.changed = true};
    struct vt_slice answer;
    VT_TRY(vt_wire_link_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.link.n_identities >= 1);
    vt_fuzz_expect(request.link.n_identities <= VT_LINK_IDENTITIES_MAX);
    for (uint32_t i = 0; i < request.link.n_identities; i++) {
        vt_fuzz_read(&request.link.identities[i].id, 1);
        vt_fuzz_read(&request.link.identities[i].channel, 1);
    }
    return vt_wire_link_encode(&request, &result, arena, &answer);
}

/* ---- following, and keeping ---- */

static struct vt_err watch_request(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_slice *ret_again)
{
    uint64_t since_sequence;
    VT_TRY(vt_wire_watch_request_decode(body, arena, diag, &since_sequence));
    return vt_wire_watch_request_encode(since_sequence, arena, ret_again);
}

static struct vt_err changes(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                             struct vt_slice *ret_again)
{
    const struct vt_change *list;
    uint32_t n;
    VT_TRY(vt_wire_changes_decode(body, arena, diag, &list, &n));
    return vt_wire_changes_encode(list, n, arena, ret_again);
}

static struct vt_err checkpoint(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                                struct vt_slice *ret_again)
{
    const char *directory;
    VT_TRY(vt_wire_checkpoint_decode(body, arena, diag, &directory));
    vt_fuzz_expect(directory[0] == '/');
    return vt_wire_checkpoint_request_encode(directory, arena, ret_again);
}

/* ---- a stream of events ---- */

static struct vt_err answer_stream(const struct vt_wire_stream_events *message,
                                   struct vt_arena *arena, struct vt_diag *diag)
{
    const struct vt_wire_acknowledged *acknowledged;
    struct vt_slice body;
    uint64_t last = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < message->batch.n_events; i++)
        message->batch.domain_results[i] =
            (struct vt_event_result){.outcome = VT_EVENT_DUPLICATE, .sequence = i};
    VT_TRY(vt_wire_stream_events_encode(message, arena, &body));
    VT_TRY(vt_wire_stream_events_response_decode(body, arena, diag, &last, &acknowledged, &n));
    vt_fuzz_expect(n == 1 && last == message->sequence);
    vt_fuzz_expect(acknowledged[0].n_results == message->batch.n_total);
    return vt_ok();
}

static struct vt_err stream_events(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_slice *ret_again)
{
    enum { AFTER = 3 };
    struct vt_wire_stream_events message;
    VT_TRY(vt_wire_stream_events_decode(body, AFTER, arena, diag, &message));
    vt_fuzz_expect(message.sequence > AFTER);
    vt_fuzz_expect(message.batch.n_total >= 1 && message.batch.n_total <= VT_EVENT_BATCH_MAX);
    struct vt_err err = answer_stream(&message, arena, diag);
    vt_fuzz_expect(err.code == VT_OK || err.code == VT_EXHAUSTED);
    VT_TRY(err);
    if (message.batch.n_events == 0)
        return vt_ok(); /* all rejected: there is no such message */
    return vt_wire_stream_events_request_encode(message.sequence, message.batch.events,
                                                message.batch.n_events, arena, ret_again);
}

static struct vt_err stream_events_response(struct vt_slice body, struct vt_arena *arena,
                                            struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    const struct vt_wire_acknowledged *acknowledged;
    uint64_t last;
    uint32_t n;
    VT_TRY(vt_wire_stream_events_response_decode(body, arena, diag, &last, &acknowledged, &n));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < acknowledged[i].n_results; j++)
            vt_fuzz_read(&acknowledged[i].results[j].reason, 1);
    return vt_ok();
}

/* ---- what came of an answer ---- */

static struct vt_err list_outcomes(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_slice *ret_again)
{
    struct vt_outcomes_query query;
    VT_TRY(vt_wire_list_outcomes_decode(body, arena, diag, &query));
    vt_fuzz_expect(query.customer_number != 0 && query.token.len != 0);
    return vt_wire_list_outcomes_encode(&query, arena, ret_again);
}

static struct vt_err outcomes(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                              struct vt_slice *ret_again)
{
    struct vt_outcomes told;
    VT_TRY(vt_wire_outcomes_decode(body, arena, diag, &told));
    vt_fuzz_expect(told.n <= VT_OUTCOMES_MAX);
    for (uint32_t i = 0; i < told.n; i++)
        vt_fuzz_expect(told.outcomes[i].event.type < VT_EVENT_TYPE_COUNT);
    return vt_wire_outcomes_encode(&told, arena, ret_again);
}

static const vt_fuzz_case_fn cases[] = {
    write_events,
    write_events_response,
    upsert_items,
    upsert_items_response,
    get_items,
    list_items,
    delete_items,
    get_profile,
    batch_get_profiles,
    profile,
    upsert_customers,
    upsert_customers_response,
    list_customers,
    watch_request,
    changes,
    checkpoint,
    link_identities,
    stream_events,
    stream_events_response,
    list_outcomes,
    outcomes,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return vt_fuzz_run(cases, sizeof cases / sizeof cases[0], data, size);
}
