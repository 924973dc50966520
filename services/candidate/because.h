#ifndef VT_CANDIDATE_BECAUSE_H
#define VT_CANDIDATE_BECAUSE_H

#include "services/candidate/sources.h"

/* The item of the taste whose own factors speak most for the given ones, of that norm or below; 0:
 * none does. Of the first VT__SPEAKERS_MAX of the taste. O(speakers · dim) at most, a quarter of it
 * mostly. */
uint32_t vt__because(const struct vt__gathering *gathering, const float *factors, float norm);

#endif
