#ifndef VT_TUNE_SPACE_H
#define VT_TUNE_SPACE_H

#include <stdint.h>

/*
 * What `vitrine tune` tries, by family: axes with values, docs/models.md lists them. Trial 0 is the
 * defaults; every other takes a seeded value of each axis.
 */
enum { VT_TUNE_AXES_MAX = 8, VT_TUNE_SETTING_BYTES = 64 };

struct vt_tune_axis {
    const char *key;    /* as --set takes it */
    const char *values; /* "a|b|c" */
};
/* The axes end with a NULL key; NULL: this family has nothing to tune. */
const struct vt_tune_axis *vt_tune_space(const char *family);

/* "key=value" of trial `trial` on each axis; returns how many (0 for trial 0). */
uint32_t vt_tune_trial(const struct vt_tune_axis *axes, uint32_t trial, uint64_t seed,
                       char ret_settings[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES]);

#endif
