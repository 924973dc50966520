#ifndef VT_NODE_EVENT_WEIGHTS_H
#define VT_NODE_EVENT_WEIGHTS_H

#include "models/dataset/dataset.h"
#include "services/common/base/options.h"

/* `--weight purchase=5`: what an event of that type counts, for train and evaluate alike. A weight
 * is a number from -VT_EVENT_WEIGHT_MAX to VT_EVENT_WEIGHT_MAX; 0 leaves the type out. VT_INVALID
 * with the nearest type's name, or the range, in `diag`; then nothing is set. */
enum { VT_EVENT_WEIGHT_MAX = 1000 };
VT_MUST_USE struct vt_err vt_event_weights_set(const struct vt_option_list *list,
                                               struct vt_diag *diag,
                                               struct vt_dataset_options *dataset);

/* `--value purchase=0.5`: an event of that type counts its value to that power as often (quantity
 * of purchases and returns, stars of ratings, of others what the storefront sent). 0 to 1; as
 * above. */
VT_MUST_USE struct vt_err vt_value_exponents_set(const struct vt_option_list *list,
                                                 struct vt_diag *diag,
                                                 struct vt_dataset_options *dataset);

/* VT_INVALID when any of the three was said of an adjacency file, where it could mean nothing. */
VT_MUST_USE struct vt_err vt_event_weights_check_file(const struct vt_option_list *weights,
                                                      const struct vt_option_list *values,
                                                      double half_life_days, struct vt_diag *diag);

#endif
