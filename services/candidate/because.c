/*
 * The taste item whose factors speak most for a candidate's. What one can say at most follows from
 * the norms (Cauchy-Schwarz), so the taste's first items stand sorted by that, and most candidates
 * are done after the first few of them. The same item is named as by asking all: ties go to the
 * first of the taste.
 */
#include "services/candidate/because.h"

#include "models/kernels/kernels.h"

#include <math.h>
#include <string.h>

/* The largest share that a speaker can have in what has a norm of one. */
static double reach_of(const float *factors, uint32_t dim, float weight)
{
    return (double)weight * sqrt(vt_kernels()->dot(factors, factors, dim));
}

static void copy_speaker(const struct vt__gathering *gathering, uint32_t at,
                         const struct vt__speaker *speaker)
{
    struct vt__scratch *scratch = gathering->scratch;
    uint32_t dim = gathering->view->dim;
    scratch->speakers[at] = *speaker;
    memcpy(scratch->speaker_factors + (size_t)at * dim,
           vt__row_factors(gathering->view, gathering->taste->rows[speaker->place]),
           dim * sizeof(float));
}

/* Side by side, so that a candidate meets several of them in one pass of the kernel; whoever can
 * say most comes first. */
static void gather_speakers(const struct vt__gathering *gathering)
{
    const struct vt__taste *taste = gathering->taste;
    struct vt__speaker sorted[VT__SPEAKERS_MAX];
    uint32_t n = taste->n < VT__SPEAKERS_MAX ? taste->n : VT__SPEAKERS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const float *factors = vt__row_factors(gathering->view, taste->rows[i]);
        struct vt__speaker speaker = {
            .place = i,
            .reach = reach_of(factors, gathering->view->dim, taste->weights[i]),
        };
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1].reach < speaker.reach; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = speaker;
    }
    for (uint32_t i = 0; i < n; i++)
        copy_speaker(gathering, i, &sorted[i]);
    gathering->scratch->n_speakers = n;
}

/* Of the speakers from `first` on; the place of the best so far and its share come and go. */
static void hear_speakers(const struct vt__gathering *gathering, uint32_t first, uint32_t n,
                          const float *factors, uint32_t *best, double *most)
{
    const struct vt__scratch *scratch = gathering->scratch;
    double dots[VT__SPEAKERS_AT_ONCE];
    uint32_t dim = gathering->view->dim;
    vt_kernels()->dots(scratch->speaker_factors + (size_t)first * dim, n, dim, factors, dim, dots);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = scratch->speakers[first + i].place;
        double share = (double)gathering->taste->weights[place] * dots[i];
        bool ties = !(share < *most) && !(share > *most) && place < *best;
        if (share > *most || (share > 0 && ties)) {
            *most = share;
            *best = place;
        }
    }
}

/* By Cauchy-Schwarz most candidates need not ask all: who comes later can not say more than was
 * heard. */
uint32_t vt__because(const struct vt__gathering *gathering, const float *factors, float norm)
{
    const struct vt__scratch *scratch = gathering->scratch;
    uint32_t best = UINT32_MAX;
    double most = 0, at_most = (double)norm * (1 + 0x1p-30);
    if (scratch->n_speakers == 0)
        gather_speakers(gathering);
    for (uint32_t i = 0; i < scratch->n_speakers && !(scratch->speakers[i].reach * at_most < most);
         i += VT__SPEAKERS_AT_ONCE) {
        uint32_t left = scratch->n_speakers - i;
        hear_speakers(gathering, i, left < VT__SPEAKERS_AT_ONCE ? left : VT__SPEAKERS_AT_ONCE,
                      factors, &best, &most);
    }
    return best != UINT32_MAX ? gathering->taste->items[best] : 0;
}
