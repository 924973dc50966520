#ifndef VT_TRAIN_IMPORT_H
#define VT_TRAIN_IMPORT_H

#include "models/bundle/npy_read.h"
#include "models/train/train.h"

/*
 * Item factors from elsewhere (PyTorch, implicit, …) as the content of a version: whatever made
 * them, a customer's vector is the ridge solution over the factors of the history, so any factors
 * whose inner products mean liking serve. Popularity and item neighbours come from the events.
 */
struct vt_import_options {
    double regularization;             /* of the fold-in, above 0 */
    double regularization_exponent;    /* 0 to 2 */
    double unobserved_weight;          /* 0: 5 × the density, at most 1, as iALS has it */
    struct vt_dataset_options dataset; /* event weights and decay */
    struct vt_neighbor_options neighbor;
    uint32_t threads;
};
/* iALS's: 0.01, 1, by density. */
void vt_import_options_default(struct vt_import_options *ret_options);

/* Borrowed. Row r of `factors` belongs to the item numbers[r]; any order. */
struct vt_import_input {
    const struct vt_npy *factors;
    const uint32_t *numbers; /* factors->rows */
    const struct vt_interaction *interactions;
    uint64_t n;
};

/* Fills a result as training does, without metrics, for vt_train_store. VT_INVALID with what and
 * where in `diag`: more than VT_BUNDLE_DIM_MAX columns, a number that is not finite as float32, an
 * item twice, options out of range; VT_PRECONDITION: no event is of any of the items;
 * VT_EXHAUSTED. Pass `ret_result` zeroed; after a failure it is zeroed again. Same input, same
 * arrays, for any thread count. */
VT_MUST_USE struct vt_err vt_import_run(const struct vt_import_input *input,
                                        const struct vt_import_options *options,
                                        struct vt_diag *diag, struct vt_train_result *ret_result);

#endif
