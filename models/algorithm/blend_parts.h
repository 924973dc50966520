#ifndef VT_ALGORITHM_BLEND_PARTS_H
#define VT_ALGORITHM_BLEND_PARTS_H

#include "models/algorithm/algorithm_internal.h"
#include "models/blend/table.h"

/*
 * The families of a blend, trained. A part that goes into the served kernel has `in_kernel`.
 */
struct vt__blend_parts {
    uint32_t n;
    enum vt_blend_family family[VT_BLEND_FAMILIES];
    struct vt_trained trained[VT_BLEND_FAMILIES];
    struct vt_blend_part parts[VT_BLEND_FAMILIES]; /* borrow `trained` */
};

const struct vt__family *vt__blend_family(enum vt_blend_family family);
bool vt__blend_in_kernel(enum vt_blend_family family);

/* Trains one more part on `matrix`; popularity as ln(1 + popularity). */
VT_MUST_USE struct vt_err vt__blend_parts_add(enum vt_blend_family family,
                                              const struct vt_sparse *matrix,
                                              const struct vt_algorithm_options *options,
                                              struct vt_diag *diag, struct vt__blend_parts *parts);
void vt__blend_parts_free(struct vt__blend_parts *parts); /* zeroed is allowed */

/* Puts the parts together to the served form, with weight[family]; takes them over, whatever
 * happens. Kernels are scaled by the histories of `matrix`. */
VT_MUST_USE struct vt_err vt__blend_assemble(struct vt__blend_parts *parts,
                                             const struct vt_sparse *matrix,
                                             const struct vt_algorithm_options *options,
                                             struct vt_trained *ret_trained);

/* The weights that are best for these parts, which were trained on `fit`, into weight[family];
 * `measured` may be NULL. */
struct vt_blend_weights;
VT_MUST_USE struct vt_err vt__blend_find(const struct vt__blend_parts *parts,
                                         const struct vt_sparse *fit, const struct vt_sparse *held,
                                         const struct vt_algorithm_options *options,
                                         double *ret_weight, struct vt_blend_weights *ret_measured);

/* Tells a line, where anybody listens. */
void vt__tell(const struct vt_algorithm_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
