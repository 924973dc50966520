#ifndef VT_RANKING_SIGHT_H
#define VT_RANKING_SIGHT_H

#include "services/common/catalog/filter.h"
#include "services/common/catalog/item_table.h"
#include "services/ranking/match.h"
#include "services/ranking/pack.h"

/*
 * The catalog as one answer sees it. Everything that decides about a list and can change until
 * somebody asks why it was so (price, stock, counts, texts that rules look at) is read through
 * here: from the item table, and where the answer is recorded, each value is noted in the order it
 * was asked for. A replay asks the same in the same order, and gets the notes instead of the table.
 * Without a record a sight costs a comparison a read.
 */
struct vt_sight {
    const struct vt_item_table *items; /* entered; borrowed */
    struct vt_pack *notes;             /* what is seen is noted here; NULL: not */
    struct vt_unpack *told;            /* nothing is read, these notes tell; NULL: it is read */
};

/* What was noted; false: look yourself, and note it. */
bool vt_sight_tells_flag(struct vt_sight *sight, bool *ret_seen);
bool vt_sight_tells_u32(struct vt_sight *sight, uint32_t *ret_seen);
bool vt_sight_tells_u64(struct vt_sight *sight, uint64_t *ret_seen);
bool vt_sight_tells_f64(struct vt_sight *sight, double *ret_seen);
void vt_sight_note_flag(struct vt_sight *sight, bool seen);
void vt_sight_note_u32(struct vt_sight *sight, uint32_t seen);
void vt_sight_note_u64(struct vt_sight *sight, uint64_t seen);
void vt_sight_note_f64(struct vt_sight *sight, double seen);

/* As the functions of the item table with these names. */
bool vt_sight_recommendable(struct vt_sight *sight, uint32_t item, int64_t now_ms);
double vt_sight_price(struct vt_sight *sight, uint32_t item);
int64_t vt_sight_create_time_ms(struct vt_sight *sight, uint32_t item);
double vt_sight_count(struct vt_sight *sight, uint32_t item);
uint32_t vt_sight_number(struct vt_sight *sight, struct vt_slice id);
/* As vt_sku_number and vt_filter_matches. */
uint32_t vt_sight_sku(struct vt_sight *sight, struct vt_sku *sku);
bool vt_sight_passes(struct vt_sight *sight, const struct vt_filter *filter, uint32_t item,
                     int64_t now_ms);

#endif
