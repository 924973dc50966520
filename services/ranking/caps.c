/* Groups are hashes of the text that names them: lists are short, so counting is a scan over the
 * places, and a set of counters would cost more to find than this costs to read. */
#include "services/ranking/caps.h"

/* FNV-1a of 64 bits; never 0, which means no group. */
static uint64_t hash_text(struct vt_slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return hash != 0 ? hash : 1;
}

static uint64_t group_of_text(struct vt_slice text)
{
    return text.len > 0 ? hash_text(text) : 0;
}

static uint64_t tier_of(const struct vt_cap *cap, double price)
{
    uint32_t tier = 0;
    while (tier < cap->n_tiers && price >= cap->tiers[tier])
        tier++;
    return tier + UINT64_C(1);
}

static uint64_t group_of(const struct vt__caps *caps, uint32_t c, const struct vt_item *item)
{
    const struct vt_cap *cap = &caps->caps[c];
    if (!vt_match_item(&cap->match, caps->sight->items, item, caps->now_ms))
        return 0;
    switch (cap->per) {
    case VT_CAP_BRAND:
        return group_of_text(item->brand);
    case VT_CAP_CATEGORY:
        return item->n_categories > 0 ? group_of_text(item->categories[item->n_categories - 1]) : 0;
    case VT_CAP_ATTRIBUTE:
        return group_of_text(vt_item_attribute(item, cap->attribute));
    case VT_CAP_PRICE:
        return tier_of(cap, item->price);
    case VT_CAP_ALL:
    default:
        return 1;
    }
}

/* Of every cap; an item that is not described is in no group. */
static void groups_of(const struct vt__caps *caps, uint32_t number, uint64_t *ret_groups)
{
    struct vt_item item;
    bool looked = false, known = false;
    for (uint32_t c = 0; c < caps->n_caps; c++) {
        if (vt_sight_tells_u64(caps->sight, &ret_groups[c]))
            continue;
        known = looked ? known : vt_item_table_get(caps->sight->items, number, &item);
        looked = true;
        ret_groups[c] = known ? group_of(caps, c, &item) : 0;
        vt_sight_note_u64(caps->sight, ret_groups[c]);
    }
}

struct vt_err vt__caps_init(struct vt__caps *caps, const struct vt_placement *placement,
                            struct vt_sight *sight, int64_t now_ms, uint32_t capacity,
                            struct vt_arena *arena)
{
    *caps = (struct vt__caps){.caps = placement->caps,
                              .sight = sight,
                              .n_caps = placement->n_caps,
                              .capacity = capacity,
                              .now_ms = now_ms};
    if (caps->n_caps == 0)
        return vt_ok();
    caps->groups = vt_arena_array(arena, (size_t)capacity * caps->n_caps + 1, sizeof *caps->groups);
    VT_CHECK(caps->groups != NULL, VT_EXHAUSTED, "the request's memory is full");
    return vt_ok();
}

static uint32_t count_group(const struct vt__caps *caps, uint32_t cap, uint64_t group)
{
    uint32_t count = 0;
    for (uint32_t place = 0; place < caps->n; place++)
        count += caps->groups[(size_t)place * caps->n_caps + cap] == group;
    return count;
}

bool vt__caps_admit(const struct vt__caps *caps, uint32_t number, uint32_t *ret_cap)
{
    uint64_t groups[VT_CAPS_MAX];
    groups_of(caps, number, groups);
    for (uint32_t c = 0; c < caps->n_caps; c++)
        if (groups[c] != 0 && count_group(caps, c, groups[c]) >= caps->caps[c].at_most) {
            *ret_cap = c;
            return false;
        }
    return true;
}

void vt__caps_add(struct vt__caps *caps, uint32_t number)
{
    if (caps->n_caps == 0 || caps->n == caps->capacity)
        return;
    groups_of(caps, number, &caps->groups[(size_t)caps->n * caps->n_caps]);
    caps->n++;
}
