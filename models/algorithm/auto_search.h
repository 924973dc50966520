#ifndef VT_ALGORITHM_AUTO_SEARCH_H
#define VT_ALGORITHM_AUTO_SEARCH_H

#include "models/algorithm/blend_parts.h"

/* auto's search, shared by auto.c (what is done), auto_search.c (who is tried next, and one try),
 * auto_axes.c (which settings are tried) and auto_cost.c (what a try costs). */

enum { VT__AUTO_FACTORS_MAX = 512, VT__AUTO_TRIES_MAX = 24 /* of a family */ };

/* One family on its way uphill. */
struct vt__auto_climb {
    enum vt_blend_family family;
    struct vt_algorithm_options best;
    double value;                 /* of `best`: the mean of recall and ndcg; below 0: not tried */
    double spent;                 /* core seconds */
    struct vt__blend_parts model; /* of `best`, trained on `fit`: one part, or none */
    bool is_done, is_told;        /* told: that there is something it cannot pay */
    uint32_t axis, n_idle;        /* the axis at hand; axes since the last that was better */
    uint32_t n_tried;
    uint64_t tried[VT__AUTO_TRIES_MAX]; /* hashes of the settings */
};

struct vt__auto_search {
    struct vt_algorithm_options options; /* in the end the best of every family */
    struct vt_sparse fit, held;
    struct vt__auto_climb climbs[VT_BLEND_FAMILIES];
    uint32_t n_climbs;
    double core_seconds_max, core_seconds_spent;
    uint64_t memory_max; /* of one training and the models that are kept beside it */
};

/* Climbs until nobody can go on: the budget is spent, or no axis makes any family better. A family
 * for which there is no memory has no model then. */
VT_MUST_USE struct vt_err vt__auto_climb_all(struct vt__auto_search *search, struct vt_diag *diag);

/* ---- auto_axes.c ---- */

/* Where a family begins: `options` with what the data suggest, as a text of six digits has it. */
VT_MUST_USE struct vt_err vt__auto_begin(enum vt_blend_family family, const struct vt_sparse *fit,
                                         struct vt_diag *diag,
                                         struct vt_algorithm_options *options);
/* The options that this climb tries next, and how they differ from its best, " key=value"; false
 * when none are left. Moves climb->axis on to them. */
enum { VT__AUTO_WHAT_BYTES = 96 };
bool vt__auto_next(struct vt__auto_climb *climb, const struct vt_shape *shape,
                   struct vt_algorithm_options *ret_options, char ret_what[VT__AUTO_WHAT_BYTES]);
/* Goes on along the axis at hand, or from the next. */
void vt__auto_took(struct vt__auto_climb *climb, bool was_better);
/* The settings of the chosen blend. */
void vt__auto_settle(const struct vt_algorithm_options *chosen, struct vt_settled *settled);

/* ---- auto_cost.c ---- */

/* Seconds of one core of the machine that the numbers were measured on, to train one family and to
 * measure it for n_held users: a count, the same on any machine. */
double vt__auto_core_seconds(enum vt_blend_family family, const struct vt_shape *shape,
                             uint32_t n_held, const struct vt_algorithm_options *options);
/* The same of a family as it is trained by itself: EASE with the tries of a regularization that was
 * not given, a blend with the finding of its weights. 0: none of a blend's families, and no blend;
 * iALS alone, whose arithmetic is its time. */
double vt__core_seconds(const struct vt__family *family, const struct vt_shape *shape,
                        const struct vt_algorithm_options *options);

#endif
