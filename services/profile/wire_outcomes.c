/* ListOutcomes as protobuf: the service decodes what ranking encodes, and the other way round. */
#include "services/profile/wire_outcomes.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/profile.pb-c.h"

#include <math.h>
#include <string.h>

struct vt_err vt_wire_list_outcomes_encode(const struct vt_outcomes_query *query,
                                           struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__ListOutcomesRequest message = VITRINE__V1__LIST_OUTCOMES_REQUEST__INIT;
    message.customer_number = query->customer_number;
    message.attribution_token = vt_wire_text(arena, query->token);
    message.since_time = vt_wire_time_encode(arena, query->since_ms);
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_list_outcomes_decode(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag,
                                           struct vt_outcomes_query *ret_query)
{
    Vitrine__V1__ListOutcomesRequest *message = NULL;
    struct vt_outcomes_query query;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__list_outcomes_request__descriptor, body, arena, diag, &message));
    query.customer_number = message->customer_number;
    query.token = vt_slice_str(message->attribution_token);
    if (query.customer_number == 0)
        return vt_check_failed(VT_FIELD("customer_number"), diag, "missing: whose answer it was");
    if (query.token.len == 0 || query.token.len > VT_TEXT_BYTES_MAX)
        return vt_check_failed(VT_FIELD("attribution_token"), diag, "empty, or over %d bytes",
                               VT_TEXT_BYTES_MAX);
    VT_TRY(vt_wire_time_decode(message->since_time, VT_FIELD("since_time"), diag, &query.since_ms));
    *ret_query = query;
    return vt_ok();
}

struct vt_err vt_wire_outcomes_encode(const struct vt_outcomes *outcomes, struct vt_arena *arena,
                                      struct vt_slice *ret_body)
{
    Vitrine__V1__ListOutcomesResponse message = VITRINE__V1__LIST_OUTCOMES_RESPONSE__INIT;
    message.outcomes = vt_wire_messages(arena, &vitrine__v1__outcome__descriptor, outcomes->n);
    if (message.outcomes == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < outcomes->n; i++)
        vt_wire_outcome_fill(arena, &outcomes->outcomes[i], message.outcomes[i]);
    message.n_outcomes = outcomes->n;
    message.more = outcomes->more;
    return vt_wire_encode(&message.base, arena, ret_body);
}

static struct vt_err decode_outcome(const Vitrine__V1__Outcome *message, struct vt_field place,
                                    struct vt_diag *diag, struct vt_outcome *ret_outcome)
{
    size_t n_currency = strlen(message->currency_code);
    if (vt_event_type_name(message->type) == NULL)
        return vt_check_failed(place, diag, "%d is no event type", (int)message->type);
    if (!isfinite(message->quantity) || !isfinite(message->revenue))
        return vt_check_failed(place, diag, "an amount that is not finite");
    if (n_currency >= sizeof ret_outcome->currency)
        return vt_check_failed(place, diag, "a currency code of %zu bytes", n_currency);
    *ret_outcome = (struct vt_outcome){
        .event = {.item = message->item_number, .type = (uint16_t)message->type},
        .quantity = message->quantity,
        .revenue = message->revenue,
    };
    memcpy(ret_outcome->currency, message->currency_code, n_currency);
    return vt_wire_time_decode(message->time, place, diag, &ret_outcome->event.time_ms);
}

struct vt_err vt_wire_outcomes_decode(struct vt_slice body, struct vt_arena *arena,
                                      struct vt_diag *diag, struct vt_outcomes *ret_outcomes)
{
    Vitrine__V1__ListOutcomesResponse *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__list_outcomes_response__descriptor, body, arena, diag,
                        &message));
    size_t n = message->n_outcomes;
    if (n > VT_OUTCOMES_MAX)
        return vt_check_failed(VT_FIELD("outcomes"), diag, "%zu: at most %d are answered", n,
                               VT_OUTCOMES_MAX);
    struct vt_outcome *outcomes = vt_arena_array(arena, n, sizeof *outcomes);
    if (outcomes == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < n; i++)
        VT_TRY(decode_outcome(message->outcomes[i], VT_FIELD_AT("outcomes", i, NULL), diag,
                              &outcomes[i]));
    *ret_outcomes = (struct vt_outcomes){outcomes, (uint32_t)n, message->more};
    return vt_ok();
}
