#ifndef VT_TRAIN_RECIPE_H
#define VT_TRAIN_RECIPE_H

#include "models/train/train.h"

/*
 * How a version was made, from its manifest: the family and its settings, without what a refresh
 * may change (iterations, seed, the share held out).
 */

/* Whether `b` was made as `a` was. */
bool vt__recipe_same(const struct vt_bundle_view *a, const struct vt_bundle_view *b);

/* Whether this training makes what `view` was made by; `settled`: what its search came to. */
bool vt__recipe_is(const struct vt_bundle_view *view, const struct vt_settled *settled,
                   const struct vt_train_options *options);

/* Family and settings to make it again with; false: they are not known well enough, or its events
 * were weighed otherwise. Seed, threads and memory are those of `options`. */
bool vt__recipe_of(const struct vt_bundle_view *view, const struct vt_train_options *options,
                   const struct vt_algorithm **ret_algorithm,
                   struct vt_algorithm_options *ret_options);

#endif
