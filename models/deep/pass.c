/*
 * One minibatch, forward and back, in two sweeps over fixed blocks. The first goes over blocks of
 * users: encode, scores of all items, softmax, and the error brought back to the hidden layer. The
 * second goes over blocks of items: the gradients of their rows are whole sums over the batch, made
 * by one matrix product, and are applied at once while they are in cache. So no gradient is ever
 * a sum over threads, and any thread count gives the same bytes. Arithmetic is float (OpenBLAS);
 * the loss and the logarithm of the softmax's sum are double.
 */
#include "models/dataset/mix.h"
#include "models/deep/deep_internal.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_AT_ONCE = 32, ITEMS_AT_ONCE = 256 };

struct vt__pass {
    const struct vt__network *network;
    const struct vt_sparse *matrix;
    const struct vt__pass_options *options;
    const uint32_t *users;
    uint32_t batch, n;
    uint64_t *starts; /* batch + 1: where the inputs of a user begin */
    float *inputs;    /* with what is dropped as 0; inputs_capacity long */
    uint64_t inputs_capacity;
    float *hidden;   /* batch × stride */
    float *backed;   /* batch × stride: the gradient before tanh */
    float *errors;   /* batch × n_items: the scores, then their gradient */
    float *gradient; /* threads × 2 · ITEMS_AT_ONCE · stride + ITEMS_AT_ONCE */
    double *losses;  /* batch */
};

double vt__input_of(float weight)
{
    return copysign(log1p(fabs((double)weight)), (double)weight);
}

static size_t gradient_floats(uint64_t row_stride)
{
    return (size_t)(2 * ITEMS_AT_ONCE * row_stride + ITEMS_AT_ONCE);
}

uint64_t vt__pass_bytes(uint64_t n_items, uint64_t row_stride, uint64_t batch, uint64_t threads)
{
    return sizeof(float) * (batch * (n_items + 2 * row_stride + 4) +
                            threads * (uint64_t)gradient_floats(row_stride));
}

/* ---- the inputs of a batch ---- */

/* The length that a user's inputs are divided by; 0: nothing there. */
static double length_of(const struct vt_sparse *matrix, uint32_t user)
{
    double squares = 0;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        squares += pow(vt__input_of(matrix->values[e]), 2);
    return sqrt(squares);
}

/* Whether the input stays, by a hash of who and what: no order, no state. */
static bool is_kept(const struct vt__pass_options *options, uint32_t user, uint32_t item)
{
    uint64_t hash = vt_mix64(vt_mix64(options->seed ^ user) + item);
    return (double)(hash >> 11) * 0x1p-53 >= options->dropout;
}

static void fill_inputs(struct vt__pass *pass, uint32_t row)
{
    const struct vt_sparse *matrix = pass->matrix;
    uint32_t user = pass->users[row];
    double length = length_of(matrix, user);
    double scale = length > 0 ? 1 / (length * (1 - pass->options->dropout)) : 0;
    float *inputs = pass->inputs + pass->starts[row];
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        *inputs++ = is_kept(pass->options, user, matrix->columns[e])
                        ? (float)(vt__input_of(matrix->values[e]) * scale)
                        : 0;
}

/* ---- users ---- */

static void encode(const struct vt__pass *pass, uint32_t row)
{
    const struct vt__network *network = pass->network;
    const uint32_t stride = network->row_stride;
    const uint64_t begin = pass->starts[row], n = pass->starts[row + 1] - begin;
    const uint32_t *columns = pass->matrix->columns + pass->matrix->starts[pass->users[row]];
    float *hidden = pass->hidden + (size_t)row * stride;
    memcpy(hidden, network->parameters + network->in_bias_at, stride * sizeof *hidden);
    for (uint64_t e = 0; e < n; e++) {
        const float input = pass->inputs[begin + e];
        const float *in = network->parameters + (size_t)columns[e] * stride;
        for (uint32_t i = 0; i < stride; i++)
            hidden[i] += input * in[i];
    }
    for (uint32_t i = 0; i < network->hidden; i++)
        hidden[i] = tanhf(hidden[i]);
}

/* scores → softmax, not yet divided by its sum; returns the logarithm of Σ e^score. */
static double exponentiate(float *scores, const float *bias, uint32_t n, double *ret_sum)
{
    float highest = -INFINITY;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        scores[i] += bias[i];
        highest = scores[i] > highest ? scores[i] : highest;
    }
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = expf(scores[i] - highest);
        sum += (double)scores[i];
    }
    *ret_sum = sum;
    return log(sum) + (double)highest;
}

/* errors: scores → d loss / d score, divided by the users of the batch. Returns the loss. */
static double judge(const struct vt__pass *pass, uint32_t row)
{
    const struct vt_sparse *matrix = pass->matrix;
    const struct vt__network *network = pass->network;
    const uint32_t user = pass->users[row], n_items = network->n_items;
    float *errors = pass->errors + (size_t)row * n_items;
    const float *bias = network->parameters + network->out_bias_at;
    double wanted = 0, wanted_score = 0, sum;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
        if (!(matrix->values[e] > 0))
            continue;
        wanted++;
        wanted_score += (double)(errors[matrix->columns[e]] + bias[matrix->columns[e]]);
    }
    double log_sum = exponentiate(errors, bias, n_items, &sum);
    double weight = wanted > 0 ? pow(wanted, -pass->options->user_exponent) : 0;
    float per_item = (float)(weight * wanted / (sum * pass->n));
    for (uint32_t i = 0; i < n_items; i++)
        errors[i] *= per_item;
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        if (matrix->values[e] > 0)
            errors[matrix->columns[e]] -= (float)(weight / pass->n);
    return weight * (wanted * log_sum - wanted_score);
}

static void run_users(void *ctx, uint32_t block, uint32_t thread)
{
    struct vt__pass *pass = ctx;
    const struct vt__network *network = pass->network;
    const uint32_t stride = network->row_stride, n_items = network->n_items;
    const uint32_t first = block * USERS_AT_ONCE;
    const uint32_t n = pass->n - first < USERS_AT_ONCE ? pass->n - first : USERS_AT_ONCE;
    const float *out = network->parameters + network->out_at;
    float *hidden = pass->hidden + (size_t)first * stride;
    float *backed = pass->backed + (size_t)first * stride;
    float *errors = pass->errors + (size_t)first * n_items;
    (void)thread;
    for (uint32_t row = first; row < first + n; row++) {
        fill_inputs(pass, row);
        encode(pass, row);
    }
    vt_kernels()->matmul_nt_f32(hidden, n, stride, out, n_items, stride, stride, errors, n_items);
    for (uint32_t row = first; row < first + n; row++)
        pass->losses[row] = judge(pass, row);
    vt_kernels()->matmul_nn_f32(errors, n, n_items, out, stride, stride, n_items, backed, stride);
    for (size_t i = 0; i < (size_t)n * stride; i++)
        backed[i] *= 1 - hidden[i] * hidden[i];
}

/* ---- items ---- */

/* Where the columns of a row that are at least `item` begin. */
static uint64_t lower_bound(const struct vt_sparse *matrix, uint32_t user, uint32_t item)
{
    uint64_t low = matrix->starts[user], high = matrix->starts[user + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (matrix->columns[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Σ over the batch of input · what came back, for the items [first, first + n). */
static void in_gradient(const struct vt__pass *pass, uint32_t first, uint32_t n, float *ret)
{
    const struct vt_sparse *matrix = pass->matrix;
    const uint32_t stride = pass->network->row_stride;
    memset(ret, 0, (size_t)n * stride * sizeof *ret);
    for (uint32_t row = 0; row < pass->n; row++) {
        const uint32_t user = pass->users[row];
        const float *backed = pass->backed + (size_t)row * stride;
        for (uint64_t e = lower_bound(matrix, user, first);
             e < matrix->starts[user + 1] && matrix->columns[e] < first + n; e++) {
            const float input = pass->inputs[pass->starts[row] + e - matrix->starts[user]];
            float *gradient = ret + (size_t)(matrix->columns[e] - first) * stride;
            for (uint32_t i = 0; i < stride; i++)
                gradient[i] += input * backed[i];
        }
    }
}

static void out_bias_gradient(const struct vt__pass *pass, uint32_t first, uint32_t n, float *ret)
{
    memset(ret, 0, n * sizeof *ret);
    for (uint32_t row = 0; row < pass->n; row++) {
        const float *errors = pass->errors + (size_t)row * pass->network->n_items + first;
        for (uint32_t i = 0; i < n; i++)
            ret[i] += errors[i];
    }
}

static void run_items(void *ctx, uint32_t block, uint32_t thread)
{
    struct vt__pass *pass = ctx;
    const struct vt__network *network = pass->network;
    const struct vt__pass_options *options = pass->options;
    const uint32_t stride = network->row_stride, first = block * ITEMS_AT_ONCE;
    const uint32_t n =
        network->n_items - first < ITEMS_AT_ONCE ? network->n_items - first : ITEMS_AT_ONCE;
    float *out = pass->gradient + thread * gradient_floats(stride);
    float *in = out + (size_t)ITEMS_AT_ONCE * stride, *bias = in + (size_t)ITEMS_AT_ONCE * stride;
    vt_kernels()->matmul_tn_f32(pass->errors + first, n, network->n_items, pass->hidden, stride,
                                stride, pass->n, out, stride);
    in_gradient(pass, first, n, in);
    out_bias_gradient(pass, first, n, bias);
    options->apply(options->apply_ctx, (size_t)first * stride, in, (size_t)n * stride);
    options->apply(options->apply_ctx, network->out_at + (size_t)first * stride, out,
                   (size_t)n * stride);
    options->apply(options->apply_ctx, network->out_bias_at + first, bias, n);
}

static void apply_in_bias(struct vt__pass *pass)
{
    const uint32_t stride = pass->network->row_stride;
    float *sum = pass->gradient;
    memset(sum, 0, stride * sizeof *sum);
    for (uint32_t row = 0; row < pass->n; row++)
        for (uint32_t i = 0; i < stride; i++)
            sum[i] += pass->backed[(size_t)row * stride + i];
    pass->options->apply(pass->options->apply_ctx, pass->network->in_bias_at, sum, stride);
}

/* ---- the batch ---- */

static void place_inputs(struct vt__pass *pass)
{
    const struct vt_sparse *matrix = pass->matrix;
    for (uint32_t row = 0; row < pass->n; row++)
        pass->starts[row + 1] = pass->starts[row] + matrix->starts[pass->users[row] + 1] -
                                matrix->starts[pass->users[row]];
    VT_ASSERT(pass->starts[pass->n] <= pass->inputs_capacity);
}

double vt__pass_run(struct vt__pass *pass, const uint32_t *users, uint32_t n,
                    const struct vt__pass_options *options)
{
    double loss = 0;
    VT_ASSERT(n <= pass->batch);
    pass->users = users;
    pass->n = n;
    pass->options = options;
    place_inputs(pass);
    vt_parallel((n + USERS_AT_ONCE - 1) / USERS_AT_ONCE, options->threads, run_users, pass);
    vt_parallel((pass->network->n_items + ITEMS_AT_ONCE - 1) / ITEMS_AT_ONCE, options->threads,
                run_items, pass);
    apply_in_bias(pass);
    for (uint32_t row = 0; row < n; row++)
        loss += pass->losses[row];
    return loss;
}

/* From above: the longest rows, as many as a batch has; users are distinct in a batch. */
static uint64_t inputs_of_batch(const struct vt_sparse *matrix, uint32_t batch)
{
    uint64_t longest = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        uint64_t n = matrix->starts[user + 1] - matrix->starts[user];
        longest = n > longest ? n : longest;
    }
    return longest * batch < matrix->n_entries ? longest * batch : matrix->n_entries;
}

struct vt_err vt__pass_new(const struct vt__network *network, const struct vt_sparse *matrix,
                           uint32_t batch, uint32_t threads, struct vt__pass **ret_pass)
{
    const size_t stride = network->row_stride, n_inputs = inputs_of_batch(matrix, batch);
    struct vt__pass *pass = calloc(1, sizeof *pass);
    VT_CHECK(pass != NULL, VT_EXHAUSTED, "out of memory for a batch");
    *pass = (struct vt__pass){
        .network = network,
        .matrix = matrix,
        .batch = batch,
        .inputs_capacity = n_inputs,
        .starts = calloc((size_t)batch + 1, sizeof *pass->starts),
        .inputs = calloc(n_inputs + 1, sizeof *pass->inputs),
        .hidden = calloc(batch * stride, sizeof *pass->hidden),
        .backed = calloc(batch * stride, sizeof *pass->backed),
        .errors = calloc((size_t)batch * network->n_items, sizeof *pass->errors),
        .gradient = calloc(threads * gradient_floats(stride), sizeof *pass->gradient),
        .losses = calloc(batch, sizeof *pass->losses),
    };
    if (pass->starts == NULL || pass->inputs == NULL || pass->hidden == NULL ||
        pass->backed == NULL || pass->errors == NULL || pass->gradient == NULL ||
        pass->losses == NULL) {
        vt__pass_free(pass);
        return VT_ERR(VT_EXHAUSTED, "out of memory for a batch");
    }
    *ret_pass = pass;
    return vt_ok();
}

void vt__pass_free(struct vt__pass *pass)
{
    if (pass == NULL)
        return;
    free(pass->starts);
    free(pass->inputs);
    free(pass->hidden);
    free(pass->backed);
    free(pass->errors);
    free(pass->gradient);
    free(pass->losses);
    free(pass);
}
