#ifndef VT_ALGORITHM_BLEND_OPTIONS_H
#define VT_ALGORITHM_BLEND_OPTIONS_H

#include <stdint.h>

/* The families that a blend is made of, in the order in which they are trained and added. */
enum vt_blend_family {
    VT_BLEND_IALS,
    VT_BLEND_EASE,
    VT_BLEND_SHARPENED,
    VT_BLEND_GRAPH,
    VT_BLEND_ITEMCF,
    VT_BLEND_POPULARITY,
    VT_BLEND_FAMILIES
};

enum vt_blend_weights_from {
    VT_BLEND_FOUND, /* on a validation part, beginning from weight[] */
    VT_BLEND_GIVEN, /* weight[] as it is */
};

struct vt_blend_options {
    double weight[VT_BLEND_FAMILIES]; /* 0: takes no part; ≥ 0 but of popularity */
    uint32_t weights;                 /* enum vt_blend_weights_from */
    uint32_t neighbors;               /* kept of a row of the kernels' sum */
    double held_share;                /* of a user's items: the validation part */
    uint32_t held_users;              /* at most so many users are asked */
    uint32_t k;                       /* length of the lists that weights are found for */
};
/* iALS, EASE and the sharpened filter from equal weights; 10 % of 6,000 users, lists of 20. */
void vt_blend_options_default(struct vt_blend_options *ret_options);

#endif
