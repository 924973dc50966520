/*
 * The parameters: one block, its first values, and the model it becomes.
 */
#include "models/dataset/mix.h"
#include "models/deep/deep_internal.h"

#include <math.h>
#include <stdlib.h>

enum { STRIDE_FLOATS = 16 };

/* Uniform in [-limit, limit): integer and exact double arithmetic only. */
static void fill_rows(float *rows, uint32_t n_rows, const struct vt__network *network,
                      uint64_t seed)
{
    const double limit = sqrt(6.0 / ((double)network->n_items + network->hidden));
    for (uint32_t row = 0; row < n_rows; row++)
        for (uint32_t i = 0; i < network->hidden; i++) {
            uint64_t place = (uint64_t)row * network->hidden + i + 1;
            double uniform = (double)(vt_mix64(seed + place * VT_MIX64_STEP) >> 11) * 0x1p-53;
            rows[(size_t)row * network->row_stride + i] = (float)(limit * (2 * uniform - 1));
        }
}

static void fill_bias(const struct vt_sparse *matrix, float *bias)
{
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        bias[matrix->columns[e]] += matrix->values[e] > 0 ? 1.0F : 0.0F;
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        bias[item] = (float)log(((double)bias[item] + 1) / ((double)matrix->n_rows + 1));
}

struct vt_err vt__network_init(const struct vt_sparse *matrix, uint32_t hidden, uint64_t seed,
                               struct vt__network *ret_network)
{
    const uint32_t stride = (hidden + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS;
    const size_t side = (size_t)matrix->n_cols * stride;
    struct vt__network network = {.n_items = matrix->n_cols,
                                  .hidden = hidden,
                                  .row_stride = stride,
                                  .out_at = side,
                                  .in_bias_at = 2 * side,
                                  .out_bias_at = 2 * side + stride,
                                  .n_parameters = 2 * side + stride + matrix->n_cols};
    network.parameters = calloc(network.n_parameters, sizeof *network.parameters);
    VT_CHECK(network.parameters != NULL, VT_EXHAUSTED, "out of memory for the network");
    fill_rows(network.parameters, network.n_items, &network, vt_mix64(seed));
    fill_rows(network.parameters + network.out_at, network.n_items, &network,
              vt_mix64(seed + VT_MIX64_STEP));
    fill_bias(matrix, network.parameters + network.out_bias_at);
    *ret_network = network;
    return vt_ok();
}

struct vt_autoencoder vt__network_view(const struct vt__network *network)
{
    return (struct vt_autoencoder){.n_items = network->n_items,
                                   .hidden = network->hidden,
                                   .row_stride = network->row_stride,
                                   .in = network->parameters,
                                   .out = network->parameters + network->out_at,
                                   .in_bias = network->parameters + network->in_bias_at,
                                   .out_bias = network->parameters + network->out_bias_at,
                                   .validation_ndcg = (double)NAN};
}

void vt__network_finish(struct vt__network *network, struct vt_autoencoder *ret_model)
{
    *ret_model = vt__network_view(network);
    ret_model->memory = network->parameters;
    *network = (struct vt__network){0};
}
