#ifndef VT_TRAIN_GOODS_H
#define VT_TRAIN_GOODS_H

#include "models/content/map.h"
#include "models/dataset/catalog.h"
#include "models/popularity/groups.h"
#include "models/popularity/rebuy.h"
#include "models/rules/bought_together.h"
#include "services/common/base/diag.h"

/*
 * What a version knows of its goods beside the model of its customers: what is bought together,
 * what is gaining, what is wanted where, what is bought again, and what the texts say. Each is a
 * source of candidates of its own, and each is left out where the data have nothing for it.
 */
struct vt_train_goods {
    struct vt_bought_together together;
    float *trending; /* n_items; NULL: nothing trends */
    struct vt_groups groups;
    struct vt_rebuy rebuy;
    struct vt_content_model content;
    struct vt_content_map map;
    uint32_t n_trending;
};
void vt_train_goods_free(struct vt_train_goods *goods); /* zeroed is allowed */

struct vt_train_input;
struct vt_train_options;
struct vt_train_result;

/* Fills result->goods, and the view's parts, parameters and metrics from it. The dataset, and the
 * view's factors where there are some, must be there already. VT_EXHAUSTED; errors of the parts.
 * Same bytes for any number of threads. */
VT_MUST_USE struct vt_err vt__train_goods(const struct vt_train_input *input,
                                          const struct vt_train_options *options,
                                          struct vt_diag *diag, struct vt_train_result *result);

/* Bytes in use at the peak of the above, from above: of n interactions, n_items items and `dim`
 * factors, on so many threads. */
uint64_t vt_train_goods_memory_bytes(uint64_t n, uint64_t n_items, uint64_t dim, uint64_t threads);

#endif
