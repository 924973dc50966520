/* Notes carry no keys: who asks is a function of what was given and what was seen before, so the
 * order says what each is about. A replay that asks for more than is there gets zeros, and its
 * notes have failed: replay.c looks at that, and that none are left. */
#include "services/ranking/sight.h"

bool vt_sight_tells_flag(struct vt_sight *sight, bool *ret_seen)
{
    if (sight->told == NULL)
        return false;
    *ret_seen = vt_unpack_u8(sight->told) != 0;
    return true;
}

bool vt_sight_tells_u32(struct vt_sight *sight, uint32_t *ret_seen)
{
    if (sight->told == NULL)
        return false;
    *ret_seen = vt_unpack_u32(sight->told);
    return true;
}

bool vt_sight_tells_u64(struct vt_sight *sight, uint64_t *ret_seen)
{
    if (sight->told == NULL)
        return false;
    *ret_seen = vt_unpack_u64(sight->told);
    return true;
}

bool vt_sight_tells_f64(struct vt_sight *sight, double *ret_seen)
{
    if (sight->told == NULL)
        return false;
    *ret_seen = vt_unpack_f64(sight->told);
    return true;
}

void vt_sight_note_flag(struct vt_sight *sight, bool seen)
{
    if (sight->notes != NULL)
        vt_pack_u8(sight->notes, seen);
}

void vt_sight_note_u32(struct vt_sight *sight, uint32_t seen)
{
    if (sight->notes != NULL)
        vt_pack_u32(sight->notes, seen);
}

void vt_sight_note_u64(struct vt_sight *sight, uint64_t seen)
{
    if (sight->notes != NULL)
        vt_pack_u64(sight->notes, seen);
}

void vt_sight_note_f64(struct vt_sight *sight, double seen)
{
    if (sight->notes != NULL)
        vt_pack_f64(sight->notes, seen);
}

bool vt_sight_recommendable(struct vt_sight *sight, uint32_t item, int64_t now_ms)
{
    bool seen;
    if (vt_sight_tells_flag(sight, &seen))
        return seen;
    seen = vt_item_table_recommendable(sight->items, item, now_ms);
    vt_sight_note_flag(sight, seen);
    return seen;
}

double vt_sight_price(struct vt_sight *sight, uint32_t item)
{
    double seen;
    if (vt_sight_tells_f64(sight, &seen))
        return seen;
    seen = vt_item_table_price(sight->items, item);
    vt_sight_note_f64(sight, seen);
    return seen;
}

int64_t vt_sight_create_time_ms(struct vt_sight *sight, uint32_t item)
{
    uint64_t seen;
    if (vt_sight_tells_u64(sight, &seen))
        return (int64_t)seen;
    seen = (uint64_t)vt_item_table_create_time_ms(sight->items, item);
    vt_sight_note_u64(sight, seen);
    return (int64_t)seen;
}

double vt_sight_count(struct vt_sight *sight, uint32_t item)
{
    double seen;
    if (vt_sight_tells_f64(sight, &seen))
        return seen;
    seen = (double)vt_item_table_count(sight->items, item);
    vt_sight_note_f64(sight, seen);
    return seen;
}

uint32_t vt_sight_number(struct vt_sight *sight, struct vt_slice id)
{
    uint32_t seen;
    if (vt_sight_tells_u32(sight, &seen))
        return seen;
    seen = vt_item_table_number(sight->items, id);
    vt_sight_note_u32(sight, seen);
    return seen;
}

uint32_t vt_sight_sku(struct vt_sight *sight, struct vt_sku *sku)
{
    uint32_t seen;
    if (vt_sight_tells_u32(sight, &seen))
        return seen;
    seen = vt_sku_number(sku, sight->items);
    vt_sight_note_u32(sight, seen);
    return seen;
}

bool vt_sight_passes(struct vt_sight *sight, const struct vt_filter *filter, uint32_t item,
                     int64_t now_ms)
{
    bool seen;
    if (vt_sight_tells_flag(sight, &seen))
        return seen;
    seen = vt_filter_matches(filter, sight->items, item, now_ms);
    vt_sight_note_flag(sight, seen);
    return seen;
}
