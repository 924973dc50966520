/* The few messages that the generator needs, made and read as cheaply as it can be done. */
#include "loadtest/wire.h"

#include "google/protobuf/field_mask.pb-c.h"
#include "services/common/pb/pb.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/profile.pb-c.h"
#include "vitrine/v1/recommendation.pb-c.h"

enum { DEGRADED_FIELD = 4 };

struct vt_err load_wire_recommend(const char *customer, uint32_t n, struct vt_arena *arena,
                                  struct vt_slice *ret_bytes)
{
    static char placement[] = "load";
    Vitrine__V1__RecommendRequest request = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    request.customer_id = (char *)(uintptr_t)customer;
    request.placement = placement;
    request.n = n;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

struct vt_err load_wire_profile(const char *customer, uint32_t n, struct vt_arena *arena,
                                struct vt_slice *ret_bytes)
{
    Vitrine__V1__GetProfileRequest request = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
    request.customer_id = (char *)(uintptr_t)customer;
    request.max_events = n;
    return vt_pb_encode(&request.base, arena, ret_bytes);
}

bool load_wire_never_degraded(struct vt_slice response)
{
    (void)response;
    return false;
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
