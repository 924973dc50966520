/*
 * A bundle's answer, in the plainest form: every item is scored by every member and the scores are
 * added. Serving finds the best items with an index and scores only those; the scores are the same
 * up to how mean and deviation are rounded. Used by the gate on a few thousand customers.
 */
#include "models/train/served.h"

#include "models/factor/fold_in.h"
#include "models/kernels/kernels.h"
#include "models/neighbor/item_kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_ROW UINT32_MAX

static const char *const part_names[VT_SERVED_PARTS] = {
    [VT_SERVED_WHOLE] = "the model",
    [VT_SERVED_FACTOR] = "the factors alone",
    [VT_SERVED_KERNEL] = "the item kernel alone",
    [VT_SERVED_NEIGHBOR] = "the item neighbours alone",
};

const char *vt_served_part_name(enum vt_served_part part)
{
    return part_names[part];
}

bool vt_served_has(const struct vt_bundle_view *view, enum vt_served_part part)
{
    switch (part) {
    case VT_SERVED_FACTOR:
        return view->dim > 0;
    case VT_SERVED_KERNEL:
        return view->kernel.n_rows > 0;
    case VT_SERVED_NEIGHBOR:
        return view->neighbors.n_rows > 0;
    case VT_SERVED_WHOLE:
    case VT_SERVED_PARTS:
        break;
    }
    return part == VT_SERVED_WHOLE;
}

/* Format 1 says nothing of a mix: it ranked by its factors, where it had them. */
static struct vt_bundle_mix whole_mix(const struct vt_bundle_view *view)
{
    const struct vt_bundle_mix *mix = &view->mix;
    if (mix->factor > 0 || mix->kernel > 0 || mix->neighbor > 0 || mix->popular > 0)
        return *mix;
    if (view->dim > 0)
        return (struct vt_bundle_mix){.factor = 1};
    return strcmp(view->algorithm, "itemcf") == 0 && view->neighbors.n_rows > 0
               ? (struct vt_bundle_mix){.neighbor = 1}
               : (struct vt_bundle_mix){.popular = 1};
}

static struct vt_bundle_mix mix_of(const struct vt_bundle_view *view, enum vt_served_part part)
{
    return (struct vt_bundle_mix[VT_SERVED_PARTS]){
        [VT_SERVED_WHOLE] = whole_mix(view),
        [VT_SERVED_FACTOR] = {.factor = 1},
        [VT_SERVED_KERNEL] = {.kernel = 1},
        [VT_SERVED_NEIGHBOR] = {.neighbor = 1},
    }[part];
}

struct vt_err vt_served_init(struct vt_served *served, const struct vt_bundle_view *view,
                             enum vt_served_part part, const uint32_t *item_ids, uint32_t n_columns)
{
    *served = (struct vt_served){.view = view, .mix = mix_of(view, part), .n_columns = n_columns};
    served->row_of = malloc(((size_t)n_columns + 1) * sizeof *served->row_of);
    VT_CHECK(served->row_of != NULL, VT_EXHAUSTED, "out of memory for the gate");
    /* Both lists ascend: one walk. */
    uint32_t row = 0;
    for (uint32_t column = 0; column < n_columns; column++) {
        while (row < view->n_items && view->item_numbers[row] < item_ids[column])
            row++;
        bool known = row < view->n_items && view->item_numbers[row] == item_ids[column];
        served->row_of[column] = known ? row : NO_ROW;
    }
    return vt_ok();
}

void vt_served_fini(struct vt_served *served)
{
    free(served->row_of);
    *served = (struct vt_served){0};
}

/* ---- scoring one history ---- */

/* A thread's scratch, cut up: see scratch_bytes. */
struct buffers {
    double *total, *member; /* n_items each */
    void *fold_in;
    float *vector; /* dim */
    uint32_t *rows;
    float *weights; /* of the history's known items, at most n_columns */
};

static size_t rounded(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

static size_t scratch_bytes(const struct vt_served *served)
{
    const struct vt_bundle_view *view = served->view;
    size_t fold_in = view->dim > 0 ? vt_fold_in_scratch_bytes(view->dim) : 0;
    return 2 * rounded(view->n_items * sizeof(double)) + rounded(fold_in) +
           rounded(view->dim * sizeof(float)) + 2 * rounded(served->n_columns * sizeof(float));
}

static void *take(char **at, size_t bytes)
{
    void *part = *at;
    *at += rounded(bytes);
    return part;
}

static struct buffers cut_scratch(const struct vt_served *served, void *scratch)
{
    const struct vt_bundle_view *view = served->view;
    char *at = scratch;
    struct buffers buffers;
    buffers.total = take(&at, view->n_items * sizeof(double));
    buffers.member = take(&at, view->n_items * sizeof(double));
    buffers.fold_in = take(&at, view->dim > 0 ? vt_fold_in_scratch_bytes(view->dim) : 0);
    buffers.vector = take(&at, view->dim * sizeof(float));
    buffers.rows = take(&at, served->n_columns * sizeof(uint32_t));
    buffers.weights = take(&at, served->n_columns * sizeof(float));
    return buffers;
}

static uint32_t translate(const struct vt_served *served, const struct vt_weighted_history *history,
                          const struct buffers *buffers)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < history->n; i++) {
        uint32_t row = served->row_of[history->columns[i]];
        if (row == NO_ROW)
            continue;
        buffers->rows[n] = row;
        buffers->weights[n++] = history->weights[i];
    }
    return n;
}

static struct vt_err score_factor(const struct vt_bundle_view *view, const struct buffers *buffers,
                                  uint32_t n)
{
    const struct vt_fold_in_model model = {
        .item_factors = view->item_factors,
        .gram = view->gram,
        .n_items = view->n_items,
        .dim = view->dim,
        .row_stride = view->factor_stride,
        .regularization = view->regularization,
        .regularization_exponent = view->regularization_exponent,
        .unobserved_weight = view->unobserved_weight,
    };
    VT_TRY(
        vt_fold_in(&model, buffers->rows, buffers->weights, n, buffers->fold_in, buffers->vector));
    vt_kernels()->dots(view->item_factors, view->n_items, view->factor_stride, buffers->vector,
                       view->dim, buffers->member);
    return vt_ok();
}

static void score_csr(const struct vt_csr *csr, const struct buffers *buffers, uint32_t n)
{
    memset(buffers->member, 0, csr->n_rows * sizeof *buffers->member);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = buffers->rows[i];
        for (uint64_t e = csr->starts[row]; e < csr->starts[row + 1]; e++)
            buffers->member[csr->columns[e]] +=
                (double)buffers->weights[i] * (double)csr->values[e];
    }
}

static void score_popular(const struct vt_bundle_view *view, const struct buffers *buffers)
{
    for (uint32_t row = 0; row < view->n_items; row++)
        buffers->member[row] = log1p((double)view->popularity[row]);
}

/* total += weight · z of the member. A member without a deviation has nothing to say. */
static void add_scaled(const struct buffers *buffers, uint32_t n_items, double weight)
{
    double mean = 0, variance = 0;
    for (uint32_t row = 0; row < n_items; row++)
        mean += buffers->member[row];
    mean /= (double)n_items;
    for (uint32_t row = 0; row < n_items; row++)
        variance += (buffers->member[row] - mean) * (buffers->member[row] - mean);
    double deviation = sqrt(variance / (double)n_items);
    if (deviation <= 0)
        return;
    for (uint32_t row = 0; row < n_items; row++)
        buffers->total[row] += weight * (buffers->member[row] - mean) / deviation;
}

static struct vt_err score_members(const struct vt_served *served, const struct buffers *buffers,
                                   uint32_t n)
{
    const struct vt_bundle_view *view = served->view;
    memset(buffers->total, 0, view->n_items * sizeof *buffers->total);
    if (served->mix.factor > 0) {
        VT_TRY(score_factor(view, buffers, n));
        add_scaled(buffers, view->n_items, (double)served->mix.factor);
    }
    if (served->mix.kernel > 0) {
        score_csr(&view->kernel, buffers, n);
        add_scaled(buffers, view->n_items, (double)served->mix.kernel);
    }
    if (served->mix.neighbor > 0) {
        score_csr(&view->neighbors, buffers, n);
        add_scaled(buffers, view->n_items, (double)served->mix.neighbor);
    }
    if (view->popularity != NULL && (served->mix.popular > 0 || n == 0)) {
        score_popular(view, buffers);
        add_scaled(buffers, view->n_items, n == 0 ? 1 : (double)served->mix.popular);
    }
    return vt_ok();
}

static struct vt_err score(const void *self, const struct vt_weighted_history *history,
                           void *scratch, double *ret_scores)
{
    const struct vt_served *served = self;
    const struct buffers buffers = cut_scratch(served, scratch);
    uint32_t n = translate(served, history, &buffers);
    VT_TRY(score_members(served, &buffers, n));
    for (uint32_t column = 0; column < served->n_columns; column++) {
        uint32_t row = served->row_of[column];
        ret_scores[column] = row != NO_ROW ? buffers.total[row] : (double)NAN;
    }
    return vt_ok();
}

struct vt_recommender vt_served_recommender(const struct vt_served *served)
{
    return (struct vt_recommender){.name = served->view->algorithm,
                                   .self = served,
                                   .scratch_bytes = scratch_bytes(served),
                                   .score = score};
}
