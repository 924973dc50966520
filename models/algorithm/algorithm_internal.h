#ifndef VT_ALGORITHM_ALGORITHM_INTERNAL_H
#define VT_ALGORITHM_ALGORITHM_INTERNAL_H

#include "models/algorithm/algorithm.h"

/* What a file of this folder says of its family; algorithm.c lists them all. */

enum vt__setting_kind { VT__SETTING_U32, VT__SETTING_F64, VT__SETTING_CHOICE };

struct vt__setting {
    const char *key;
    enum vt__setting_kind kind;
    size_t offset;       /* in struct vt_algorithm_options; of a choice: a uint32_t */
    double min, max;     /* of numbers */
    const char *choices; /* of a choice: "a|b|c", kept as the place in this list */
};

enum { VT__SETTINGS_MAX = 32 };

struct vt__family {
    const char *name, *summary;
    const struct vt__setting *settings; /* ends with a NULL key */
    bool composed; /* of other families, whose settings it takes as "family.key" */
    bool serves;   /* a bundle can carry it; else it is for evaluation */
    struct vt_err (*train)(const struct vt_sparse *matrix,
                           const struct vt_algorithm_options *options, struct vt_diag *diag,
                           struct vt_trained *ret_trained);
    /* Of training itself: the caller's matrix is not counted. From above. */
    struct vt_need (*need)(const struct vt_shape *shape,
                           const struct vt_algorithm_options *options);
};

extern const struct vt__family vt__family_ials, vt__family_ease, vt__family_graph,
    vt__family_sharpened, vt__family_boosted, vt__family_autoencoder, vt__family_itemcf,
    vt__family_usercf, vt__family_popularity, vt__family_content, vt__family_blend, vt__family_auto;

#endif
