/* The few messages that the generator needs, made and read as cheaply as it can be done. */
#include "loadtest/wire.h"

#include "services/common/pb/pb.h"
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
