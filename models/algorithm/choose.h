#ifndef VT_ALGORITHM_CHOOSE_H
#define VT_ALGORITHM_CHOOSE_H

#include "models/algorithm/algorithm.h"

/*
 * What is trained where nobody said what: a family and its main settings by the size and density of
 * the data and by the memory, without training anything. `--algorithm` overrides it.
 */

enum { VT_CHOICE_LINE_BYTES = 512, VT_CHOICE_NOTE_BYTES = 96 };

struct vt_choice {
    struct vt_settled recipe; /* for vt_settled_apply */
    double core_seconds; /* of a measured and a final training, as vt_algorithm_need counts them */
    uint64_t memory_bytes;           /* as vt_algorithm_need counts it */
    char line[VT_CHOICE_LINE_BYTES]; /* what was chosen and why, for people */
    char note[VT_CHOICE_NOTE_BYTES]; /* the same in short, for a manifest */
};

/* What the choice counts with: what was stated, else what is available but no more than 4 GiB, a
 * number that most machines have, so that they choose alike. */
uint64_t vt_choice_memory_bytes(uint64_t stated_bytes, uint64_t available_bytes);

/* By the data: `shape` counts distinct pairs; training may take memory_bytes in all. A function of
 * its arguments alone: the same for any number of threads and on any machine. Microseconds. */
void vt_choose_by_data(const struct vt_shape *shape, uint64_t memory_bytes,
                       struct vt_choice *ret_choice);

/* By what was said, and sets it in `options`: the family of that name, or, where `name` is NULL,
 * the first that serves and has all these settings. *ret_algorithm is NULL when nothing was said:
 * then the data choose. VT_INVALID for an unknown name or setting, with the nearest in `diag`. */
VT_MUST_USE struct vt_err vt_choose_by_words(const char *name, const char *const *settings,
                                             size_t n_settings, struct vt_diag *diag,
                                             struct vt_algorithm_options *options,
                                             const struct vt_algorithm **ret_algorithm);

#endif
