/*
 * The trained network at request time: a weighted sum of rows, a tanh, and the defined score
 * against every item. Sums in double and in the order of the history, so that evaluation and
 * serving agree to the bit.
 */
#include "models/deep/deep_internal.h"
#include "models/kernels/kernels.h"

#include <math.h>
#include <stdlib.h>

enum { STRIDE_FLOATS = 16 };

size_t vt_autoencoder_scratch_bytes(uint32_t hidden)
{
    size_t stride = (size_t)(hidden + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS;
    return stride * (sizeof(double) + sizeof(float));
}

void vt_autoencoder_encode(const struct vt_autoencoder *model, const uint32_t *columns,
                           const float *weights, uint32_t n, void *scratch, float *ret_hidden)
{
    double *sums = scratch, squares = 0;
    for (uint32_t e = 0; e < n; e++)
        squares += pow(vt__input_of(weights[e]), 2);
    for (uint32_t i = 0; i < model->row_stride; i++)
        sums[i] = (double)model->in_bias[i];
    for (uint32_t e = 0; e < n && squares > 0; e++) {
        const double input = vt__input_of(weights[e]) / sqrt(squares);
        const float *in = model->in + (size_t)columns[e] * model->row_stride;
        for (uint32_t i = 0; i < model->hidden; i++)
            sums[i] += input * (double)in[i];
    }
    for (uint32_t i = 0; i < model->row_stride; i++)
        ret_hidden[i] = (float)tanh(sums[i]);
}

void vt_autoencoder_score(const struct vt_autoencoder *model, const uint32_t *columns,
                          const float *weights, uint32_t n, void *scratch, double *ret_scores)
{
    float *hidden = (float *)(void *)((double *)scratch + model->row_stride);
    vt_autoencoder_encode(model, columns, weights, n, scratch, hidden);
    vt_kernels()->dots(model->out, model->n_items, model->row_stride, hidden, model->hidden,
                       ret_scores);
    for (uint32_t item = 0; item < model->n_items; item++)
        ret_scores[item] += (double)model->out_bias[item];
}

void vt_autoencoder_free(struct vt_autoencoder *model)
{
    free(model->memory);
    *model = (struct vt_autoencoder){0};
}
