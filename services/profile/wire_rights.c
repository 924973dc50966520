/* What a customer may ask for, as protobuf: both requests name one person, in the same two ways. */
#include "services/profile/wire_rights.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/identity.h"
#include "services/common/wire/parts.h"
#include "services/profile/profile.h"
#include "vitrine/v1/profile.pb-c.h"

static struct vt_err decode_who(const char *customer_id, const Vitrine__V1__Identity *identity,
                                struct vt_diag *diag, struct vt_identity *ret_who)
{
    struct vt_slice customer = vt_slice_str(customer_id), none = vt_slice(NULL, 0);
    struct vt_identity other = {.type = VT_IDENTITY_UNSPECIFIED};
    VT_TRY(vt_check_optional_id(customer, VT_FIELD("customer_id"), diag));
    VT_TRY(vt_wire_identity_decode(identity, VT_FIELD("identity"), diag, &other));
    struct vt_identity who = vt_identity_choose(customer, none, other);
    if (!vt_identity_given(&who))
        return vt_check_failed(VT_FIELD("customer_id"), diag,
                               "empty, and identity too: give one of them");
    *ret_who = who;
    return vt_ok();
}

struct vt_err vt_wire_export_decode(struct vt_slice body, struct vt_arena *arena,
                                    struct vt_diag *diag, struct vt_identity *ret_who)
{
    Vitrine__V1__ExportCustomerRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__export_customer_request__descriptor, body, arena, diag,
                        &message));
    return decode_who(message->customer_id, message->identity, diag, ret_who);
}

struct vt_err vt_wire_export_line_encode(struct vt_slice line, struct vt_arena *arena,
                                         struct vt_slice *ret_body)
{
    Vitrine__V1__ExportCustomerResponse response = VITRINE__V1__EXPORT_CUSTOMER_RESPONSE__INIT;
    response.json_line = vt_wire_text(arena, line);
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_erase_decode(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_wire_erase *ret_request)
{
    Vitrine__V1__EraseCustomerRequest *message = NULL;
    struct vt_identity who;
    VT_TRY(vt_pb_decode(&vitrine__v1__erase_customer_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(decode_who(message->customer_id, message->identity, diag, &who));
    *ret_request = (struct vt_wire_erase){who, message->now, message->validate_only};
    return vt_ok();
}

struct vt_err vt_wire_erase_encode(const struct vt_erasure_result *result, struct vt_arena *arena,
                                   struct vt_slice *ret_body)
{
    Vitrine__V1__EraseCustomerResponse response = VITRINE__V1__ERASE_CUSTOMER_RESPONSE__INIT;
    response.receipt_id = vt_wire_text(arena, vt_slice_str(result->receipt));
    response.done = result->done;
    response.complete_by_time = vt_wire_time_encode(arena, result->complete_by_ms);
    response.customer_number = result->customer_number;
    response.customers = result->n_customers;
    return vt_wire_encode(&response.base, arena, ret_body);
}

/* ---- ListForgotten ---- */

struct vt_err vt_wire_forgotten_request_encode(int64_t since_ms, struct vt_arena *arena,
                                               struct vt_slice *ret_body)
{
    Vitrine__V1__ListForgottenRequest message = VITRINE__V1__LIST_FORGOTTEN_REQUEST__INIT;
    message.since_time = vt_wire_time_encode(arena, since_ms);
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_forgotten_request_decode(struct vt_slice body, struct vt_arena *arena,
                                               struct vt_diag *diag, int64_t *ret_since_ms)
{
    Vitrine__V1__ListForgottenRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__list_forgotten_request__descriptor, body, arena, diag,
                        &message));
    return vt_wire_time_decode(message->since_time, VT_FIELD("since_time"), diag, ret_since_ms);
}

struct vt_err vt_wire_forgotten_encode(const struct vt_wire_forgotten *forgotten,
                                       struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__ListForgottenResponse message = VITRINE__V1__LIST_FORGOTTEN_RESPONSE__INIT;
    message.time = vt_wire_time_encode(arena, forgotten->time_ms);
    message.customer_numbers = forgotten->numbers;
    message.n_customer_numbers = forgotten->n;
    message.more = forgotten->more;
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_forgotten_decode(struct vt_slice body, struct vt_arena *arena,
                                       struct vt_wire_forgotten *ret_forgotten)
{
    Vitrine__V1__ListForgottenResponse *message = NULL;
    struct vt_wire_forgotten forgotten;
    VT_TRY(vt_pb_decode(&vitrine__v1__list_forgotten_response__descriptor, body, arena, NULL,
                        &message));
    VT_CHECK(message->n_customer_numbers <= VT_FORGOTTEN_MAX, VT_INVALID,
             "more forgotten customers than an answer has");
    VT_TRY(vt_wire_time_decode(message->time, VT_FIELD("time"), NULL, &forgotten.time_ms));
    forgotten.numbers = message->customer_numbers;
    forgotten.n = (uint32_t)message->n_customer_numbers;
    forgotten.more = message->more;
    *ret_forgotten = forgotten;
    return vt_ok();
}
