/* Open addressing, at most half full; the ids lie in one text, so that a million of them are two
 * allocations. Nothing is ever removed: numbers are permanent. */
#include "services/profile/id_map.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct vt__id_slot {
    uint32_t hash, number; /* number 0: free */
    size_t offset;         /* into texts */
};

enum { SLOTS_MIN = 1024, TEXTS_MIN = 16 * 1024 };

void vt__id_map_fini(struct vt__id_map *map)
{
    free(map->slots);
    free(map->texts);
    *map = (struct vt__id_map){0};
}

static uint32_t hash_of(struct vt_slice id)
{
    return (uint32_t)XXH3_64bits(id.data, id.len);
}

static struct vt_slice text_at(const struct vt__id_map *map, size_t offset)
{
    return vt_slice(map->texts + offset + 1, (unsigned char)map->texts[offset]);
}

uint32_t vt__id_map_find(const struct vt__id_map *map, struct vt_slice id)
{
    uint32_t hash = hash_of(id);
    for (size_t i = hash & (map->n_slots - 1); map->n_slots != 0;
         i = (i + 1) & (map->n_slots - 1)) {
        const struct vt__id_slot *slot = &map->slots[i];
        if (slot->number == 0)
            return 0;
        if (slot->hash == hash && vt_slice_equal(text_at(map, slot->offset), id))
            return slot->number;
    }
    return 0;
}

static void place(struct vt__id_slot *slots, size_t n_slots, struct vt__id_slot slot)
{
    size_t i = slot.hash & (n_slots - 1);
    while (slots[i].number != 0)
        i = (i + 1) & (n_slots - 1);
    slots[i] = slot;
}

static struct vt_err reserve_slot(struct vt__id_map *map)
{
    if ((map->n_used + 1) * 2 <= map->n_slots)
        return vt_ok();
    size_t n_slots = map->n_slots != 0 ? map->n_slots * 2 : SLOTS_MIN;
    struct vt__id_slot *slots = calloc(n_slots, sizeof *slots);
    VT_CHECK(slots != NULL, VT_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < map->n_slots; i++)
        if (map->slots[i].number != 0)
            place(slots, n_slots, map->slots[i]);
    free(map->slots);
    map->slots = slots;
    map->n_slots = n_slots;
    return vt_ok();
}

static struct vt_err reserve_text(struct vt__id_map *map, size_t len)
{
    if (map->texts_capacity - map->texts_len >= len)
        return vt_ok();
    size_t capacity = map->texts_capacity != 0 ? map->texts_capacity * 2 : TEXTS_MIN;
    char *texts = realloc(map->texts, capacity);
    VT_CHECK(texts != NULL, VT_EXHAUSTED, "out of memory");
    map->texts = texts;
    map->texts_capacity = capacity;
    return vt_ok();
}

struct vt_err vt__id_map_add(struct vt__id_map *map, struct vt_slice id, uint32_t number)
{
    VT_CHECK(id.len <= UINT8_MAX, VT_INVALID, "an id is too long");
    VT_TRY(reserve_slot(map));
    VT_TRY(reserve_text(map, id.len + 1));
    struct vt__id_slot slot = {hash_of(id), number, map->texts_len};
    map->texts[map->texts_len] = (char)(unsigned char)id.len;
    if (id.len != 0)
        memcpy(map->texts + map->texts_len + 1, id.data, id.len);
    map->texts_len += id.len + 1;
    place(map->slots, map->n_slots, slot);
    map->n_used++;
    return vt_ok();
}
