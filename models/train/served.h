#ifndef VT_TRAIN_SERVED_H
#define VT_TRAIN_SERVED_H

#include "models/bundle/bundle.h"
#include "models/eval/recommender.h"

#include <stdint.h>

/*
 * The content of a bundle as evaluation sees it, for the gate: what a version would answer to a
 * history, over the columns of a matrix that may have other items than the version. Items that the
 * version does not know are never recommended, and their events in a history are passed over.
 */
struct vt_served {
    const struct vt_bundle_view *view; /* borrowed */
    struct vt_bundle_mix mix;          /* of the view, or what stands for it in format 1 */
    uint32_t n_columns;
    uint32_t *row_of; /* owned: n_columns, UINT32_MAX where the version has no row */
};

/* Which members there are; the mix of the whole, or one of them alone. */
enum vt_served_part {
    VT_SERVED_WHOLE,
    VT_SERVED_FACTOR,
    VT_SERVED_KERNEL,
    VT_SERVED_NEIGHBOR,
    VT_SERVED_PARTS
};
/* "the model", "factors" …; a literal. */
const char *vt_served_part_name(enum vt_served_part part);
/* Whether the view has what the part needs. */
bool vt_served_has(const struct vt_bundle_view *view, enum vt_served_part part);

/* `item_ids`: the matrix's columns, ascending item numbers. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_served_init(struct vt_served *served,
                                         const struct vt_bundle_view *view,
                                         enum vt_served_part part, const uint32_t *item_ids,
                                         uint32_t n_columns);
void vt_served_fini(struct vt_served *served); /* zeroed is allowed */
/* score(i) = Σ over the members of weight · (s(i) − mean) / deviation, as
 * models/algorithm/algorithm.h says; one member alone is not scaled, which ranks the same. Borrows
 * `served`; any thread. */
struct vt_recommender vt_served_recommender(const struct vt_served *served);

#endif
