/* WhoWouldLike on the wire. */
#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "services/ranking/wire.h"
#include "vitrine/v1/recommendation.pb-c.h"

struct vt_err vt_wire_who_would_like_decode(struct vt_slice body, struct vt_arena *arena,
                                            struct vt_diag *diag,
                                            struct vt_wire_who_would_like *ret_request)
{
    Vitrine__V1__WhoWouldLikeRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__who_would_like_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(vt_check_count(message->n_item_ids, 1, VT_FANS_ITEMS_MAX, VT_FIELD("item_ids"), diag));
    VT_TRY(vt_check_range(message->n, 1, VT_FANS_MAX, VT_FIELD("n"), diag));
    struct vt_wire_who_would_like request = {
        .n_items = (uint32_t)message->n_item_ids,
        .n = message->n,
        .include_buyers = message->include_buyers,
    };
    VT_TRY(vt_wire_ids(arena, message->item_ids, message->n_item_ids, "item_ids", diag,
                       &request.item_ids));
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_who_would_like_encode(uint64_t n_customers, struct vt_slice version,
                                            const struct vt_wire_fan *fans, uint32_t n,
                                            struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__WhoWouldLikeResponse message = VITRINE__V1__WHO_WOULD_LIKE_RESPONSE__INIT;
    message.customers = n_customers;
    message.model_version = vt_wire_text(arena, version);
    message.interested = vt_wire_messages(arena, &vitrine__v1__interested_customer__descriptor, n);
    if (message.interested == NULL)
        return vt_wire_full();
    message.n_interested = n;
    for (uint32_t i = 0; i < n; i++) {
        Vitrine__V1__InterestedCustomer *interested = message.interested[i];
        interested->customer_number = fans[i].fan->customer_number;
        interested->customer_id = vt_wire_text(arena, vt_slice_str(fans[i].fan->customer_id));
        interested->score = fans[i].fan->score;
        interested->item_id = vt_wire_text(arena, fans[i].item_id);
    }
    return vt_wire_encode(&message.base, arena, ret_body);
}
