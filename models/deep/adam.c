/*
 * Adam with decoupled weight decay, as in Loshchilov and Hutter (2019) but for one thing: the
 * corrections of both moments are folded into the rate, as Kingma and Ba propose at the end of
 * their section 2. Element by element, so that any cut into ranges gives the same bytes.
 */
#include "models/deep/deep_internal.h"

#include <math.h>
#include <stdlib.h>

/* Of the paper. */
#define MEAN_KEPT 0.9F
#define SQUARE_KEPT 0.999F
#define EPSILON 1e-8F

struct vt_err vt__adam_init(const struct vt__network *network, struct vt__adam *ret_adam)
{
    float *moments = calloc(network->n_parameters, 2 * sizeof *moments);
    VT_CHECK(moments != NULL, VT_EXHAUSTED, "out of memory for the moments of training");
    *ret_adam = (struct vt__adam){.parameters = network->parameters,
                                  .mean = moments,
                                  .square = moments + network->n_parameters};
    return vt_ok();
}

void vt__adam_fini(struct vt__adam *adam)
{
    free(adam->mean);
    *adam = (struct vt__adam){0};
}

void vt__adam_begin(struct vt__adam *adam, uint64_t step, double learning_rate, double weight_decay)
{
    const double mean_weight = 1 - pow((double)MEAN_KEPT, (double)step);
    const double square_weight = 1 - pow((double)SQUARE_KEPT, (double)step);
    adam->rate = (float)(learning_rate / mean_weight);
    adam->square_scale = (float)(1 / square_weight);
    adam->decay = (float)(learning_rate * weight_decay);
}

void vt__adam_apply(void *ctx, size_t first, const float *gradient, size_t n)
{
    const struct vt__adam *adam = ctx;
    float *restrict parameters = adam->parameters + first;
    float *restrict mean = adam->mean + first, *restrict square = adam->square + first;
    const float rate = adam->rate, decay = adam->decay, scale = adam->square_scale;
    for (size_t i = 0; i < n; i++) {
        float g = gradient[i];
        mean[i] = MEAN_KEPT * mean[i] + (1 - MEAN_KEPT) * g;
        square[i] = SQUARE_KEPT * square[i] + (1 - SQUARE_KEPT) * g * g;
        parameters[i] -=
            rate * mean[i] / (sqrtf(square[i] * scale) + EPSILON) + decay * parameters[i];
    }
}
