#ifndef VT_PROFILE_ID_MAP_H
#define VT_PROFILE_ID_MAP_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Every SKU's number in memory (about 12 bytes an item and the SKU's own), so that the writer
 * numbers an event without asking the store. One thread. Zero it first. */
struct vt__id_map {
    struct vt__id_slot *slots; /* owned */
    size_t n_slots, n_used;
    char *texts; /* owned: length byte and bytes of every id, one after the other */
    size_t texts_len, texts_capacity;
};
void vt__id_map_fini(struct vt__id_map *map);
/* 0 when unknown. */
uint32_t vt__id_map_find(const struct vt__id_map *map, struct vt_slice id);
/* The id must be unknown and at most VT_ID_BYTES_MAX long. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__id_map_add(struct vt__id_map *map, struct vt_slice id,
                                         uint32_t number);

#endif
