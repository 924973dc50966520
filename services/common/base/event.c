/*
 * What each event type is called and how much it says. One table, so that the importer, the wire,
 * the client and training can not drift apart. Immutable; any thread.
 */
#include "services/common/base/event.h"

/*
 * Weights are on the scale of a purchase, 1. They are priors, to be tuned per shop with
 * `vitrine tune`, not measurements of ours; only their order is claimed. The order is that of
 * commitment: showing costs the customer nothing, clicking little, putting into the cart some,
 * paying most (Hu, Koren, Volinsky 2008 treat such counts as confidence in a preference). Ordering
 * without paying may still be cancelled, so it stays below a purchase. What takes a step back is
 * negative and cancels the step it answers: a return nearly a purchase, a removal most of a cart.
 */
static const struct {
    const char *name;
    float default_weight;
} types[VT_EVENT_TYPE_COUNT] = {
    [VT_EVENT_UNSPECIFIED] = {"unspecified", 0.0f},
    [VT_EVENT_IMPRESSION] = {"impression", 0.0f}, /* our choice, not the customer's */
    [VT_EVENT_CLICK] = {"click", 0.1f},
    [VT_EVENT_VIEW] = {"view", 0.15f},    /* a click that stayed */
    [VT_EVENT_SEARCH] = {"search", 0.0f}, /* names no item */
    [VT_EVENT_FAVOURITE] = {"favourite", 0.6f},
    [VT_EVENT_LIKE] = {"like", 0.5f},
    [VT_EVENT_DISLIKE] = {"dislike", -0.8f},
    [VT_EVENT_RATING] = {"rating", 0.5f}, /* of three stars; readers scale it by the value */
    [VT_EVENT_COMMENT] = {"comment", 0.3f},
    [VT_EVENT_SHARE] = {"share", 0.5f},
    [VT_EVENT_CART] = {"cart", 0.5f},
    [VT_EVENT_CART_REMOVE] = {"cart_remove", -0.4f},
    [VT_EVENT_RESERVATION] = {"reservation", 0.7f},
    [VT_EVENT_ORDER] = {"order", 0.9f},
    [VT_EVENT_PURCHASE] = {"purchase", 1.0f},
    [VT_EVENT_RETURN] = {"return", -0.9f},
    [VT_EVENT_CUSTOM] = {"custom", 0.1f}, /* unknown meaning counts as a click */
};

const char *vt_event_type_name(unsigned type)
{
    return type < VT_EVENT_TYPE_COUNT ? types[type].name : NULL;
}

enum vt_event_type vt_event_type_parse(struct vt_slice name)
{
    for (unsigned type = 1; type < VT_EVENT_TYPE_COUNT; type++)
        if (vt_slice_equal(name, vt_slice_str(types[type].name)))
            return (enum vt_event_type)type;
    return VT_EVENT_UNSPECIFIED;
}

float vt_event_type_default_weight(unsigned type)
{
    return type < VT_EVENT_TYPE_COUNT ? types[type].default_weight : 0.0f;
}

int vt_event_opinion(unsigned type, float value)
{
    if (type == VT_EVENT_RATING)
        return value <= VT_RATING_LOW ? -1 : 1;
    if (type == VT_EVENT_DISLIKE)
        return -1;
    return type == VT_EVENT_LIKE || type == VT_EVENT_FAVOURITE ? 1 : 0;
}
