/* The few messages that the generator needs, made and read as cheaply as it can be done. */
#include "loadtest/wire.h"

#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "services/common/pb/pb.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/event.pb-c.h"
#include "vitrine/v1/profile.pb-c.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <string.h>

enum { DEGRADED_FIELD = 4 };
static char placement[] = "load";

struct vt_err load_wire_recommend(const char *customer, uint32_t n, struct vt_arena *arena,
                                  struct vt_slice *ret_bytes)
{
    Vitrine__V1__RecommendRequest request = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    request.customer_id = (char *)(uintptr_t)customer;
    request.placement = placement;
    request.n = n;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_rank(const char *customer, const char *const *items, size_t n_items,
                             struct vt_arena *arena, struct vt_slice *ret_bytes)
{
    Vitrine__V1__RankRequest request = VITRINE__V1__RANK_REQUEST__INIT;
    request.customer_id = (char *)(uintptr_t)customer;
    request.placement = placement;
    request.n_item_ids = n_items;
    request.item_ids = (char **)(uintptr_t)items;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_similar(const char *item, uint32_t n, struct vt_arena *arena,
                                struct vt_slice *ret_bytes)
{
    char *items[] = {(char *)(uintptr_t)item};
    Vitrine__V1__SimilarItemsRequest request = VITRINE__V1__SIMILAR_ITEMS_REQUEST__INIT;
    request.item_ids = items;
    request.n_item_ids = 1;
    request.n = n;
    request.placement = placement;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_event(const struct load_event *event, struct vt_arena *arena,
                              struct vt_slice *ret_bytes)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Vitrine__V1__Event message = VITRINE__V1__EVENT__INIT;
    Vitrine__V1__Event *events[] = {&message};
    Vitrine__V1__WriteEventsRequest request = VITRINE__V1__WRITE_EVENTS_REQUEST__INIT;
    time.seconds = event->time_s;
    message.event_id = (char *)(uintptr_t)event->event_id;
    message.type = VITRINE__V1__EVENT_TYPE__EVENT_TYPE_VIEW;
    message.customer_id = (char *)(uintptr_t)event->customer;
    message.item_id = (char *)(uintptr_t)event->item;
    message.time = &time;
    request.events = events;
    request.n_events = 1;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_list_items(uint32_t n, const char *token, struct vt_arena *arena,
                                   struct vt_slice *ret_bytes)
{
    Vitrine__V1__ListItemsRequest request = VITRINE__V1__LIST_ITEMS_REQUEST__INIT;
    request.page_size = n < LOAD_PAGE_ITEMS_MAX ? n : LOAD_PAGE_ITEMS_MAX;
    request.page_token = (char *)(uintptr_t)token;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_read_items(struct vt_slice answer, struct vt_arena *arena,
                                   struct vt_diag *diag, struct load_item_page *ret_page)
{
    Vitrine__V1__ListItemsResponse *message;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__list_items_response__descriptor, answer, arena, diag, &message));
    const char **ids = vt_arena_array(arena, message->n_items + 1, sizeof *ids);
    VT_CHECK(ids != NULL, VT_EXHAUSTED, "no memory for a page of items");
    for (size_t i = 0; i < message->n_items; i++)
        ids[i] = message->items[i]->id;
    VT_CHECK(strlen(message->next_page_token) < LOAD_TOKEN_BYTES_MAX, VT_INVALID,
             "a page token too long");
    *ret_page = (struct load_item_page){ids, message->n_items, message->next_page_token};
    return vt_ok();
}

struct vt_err load_wire_profile(const char *customer, uint32_t n, struct vt_arena *arena,
                                struct vt_slice *ret_bytes)
{
    Vitrine__V1__GetProfileRequest request = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
    request.customer_id = (char *)(uintptr_t)customer;
    request.max_events = n;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

static bool read_varint(struct vt_slice *rest, uint64_t *ret_value)
{
    *ret_value = 0;
    for (unsigned shift = 0; rest->len > 0 && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)rest->data[0];
        *rest = vt_slice(rest->data + 1, rest->len - 1);
        *ret_value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

bool load_wire_is_degraded(struct vt_slice response)
{
    uint64_t tag = 0, value = 0;
    while (read_varint(&response, &tag) && ((tag & 7) == 0 || (tag & 7) == 2)) {
        if (!read_varint(&response, &value))
            return false;
        if (tag == DEGRADED_FIELD << 3)
            return value != 0;
        if ((tag & 7) == 0)
            continue;
        if (value > response.len)
            return false;
        response = vt_slice(response.data + value, response.len - (size_t)value);
    }
    return false;
}

/* Each number of a million updates gives an item and a price of its own (splitmix64's mixer). */
static uint64_t mix(uint64_t bits)
{
    bits += 0x9E3779B97F4A7C15u;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}

struct vt_err load_wire_prices(uint64_t first, uint32_t n, uint32_t n_items, struct vt_arena *arena,
                               struct vt_slice *ret_bytes)
{
    static char price[] = "price";
    char *paths[] = {price};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    Vitrine__V1__UpsertItemsRequest request = VITRINE__V1__UPSERT_ITEMS_REQUEST__INIT;
    Vitrine__V1__Item *items = vt_arena_array(arena, n, sizeof *items);
    request.items = vt_arena_array(arena, n, sizeof *request.items);
    VT_CHECK(items != NULL && request.items != NULL, VT_EXHAUSTED, "no memory for a request");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bits = mix(first + i);
        struct vt_slice id = vt_arena_printf(arena, "SKU%06u", (unsigned)(bits % n_items));
        vitrine__v1__item__init(&items[i]);
        items[i].id = (char *)(uintptr_t)id.data;
        items[i].price = (double)(bits >> 48) / 100;
        request.items[i] = &items[i];
    }
    mask.n_paths = 1;
    mask.paths = paths;
    request.n_items = n;
    request.update_mask = &mask;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}
