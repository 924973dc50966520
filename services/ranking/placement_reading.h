#ifndef VT_RANKING_PLACEMENT_READING_H
#define VT_RANKING_PLACEMENT_READING_H

#include "services/common/base/yaml.h"
#include "services/ranking/placement.h"

/* Between the two files that read placements; nobody else includes it. One thread. */

/* The placement being read, and the set whose campaigns it may name: the target of its fields. */
struct vt__placement_reading {
    const struct vt_placements *set;
    struct vt_placement *placement;
};

/* Fields of a placement; the target is a struct vt__placement_reading. */
VT_MUST_USE struct vt_err vt__read_pins(const struct vt_yaml_reader *reader,
                                        const struct vt_yaml_node *node, void *target);
VT_MUST_USE struct vt_err vt__read_boosts(const struct vt_yaml_reader *reader,
                                          const struct vt_yaml_node *node, void *target);
VT_MUST_USE struct vt_err vt__read_caps(const struct vt_yaml_reader *reader,
                                        const struct vt_yaml_node *node, void *target);
VT_MUST_USE struct vt_err vt__read_variants(const struct vt_yaml_reader *reader,
                                            const struct vt_yaml_node *node, void *target);

/* At most `max` SKUs, their numbers not looked up. */
VT_MUST_USE struct vt_err vt__read_skus(const struct vt_yaml_reader *reader,
                                        const struct vt_yaml_node *node, uint32_t max,
                                        struct vt_sku **ret_skus, uint32_t *ret_n);
VT_MUST_USE struct vt_err vt__reading_full(void);

#endif
