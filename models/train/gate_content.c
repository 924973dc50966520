/*
 * What the gate sees without asking the model anything: a content that contradicts itself, its data
 * or the version before it. Cheap beside training: one pass over the arrays, n_items · dim² for the
 * Gram matrix.
 */
#include "models/train/factor_gram.h"
#include "models/train/gate_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAM_TOLERANCE 1e-3        /* of the norm: factors are float, sums are double */
#define POPULARITY_CORRELATION 0.5 /* of popularity with the events' weights, both logarithms */
#define ZERO_FACTORS_SHARE 0.01    /* of the items with events */
#define TIMES_BEGIN_MS                                                                             \
    100000000000 /* below, a time is a place in a file (dataset/interactions.h) */

static struct vt_err refuse(struct vt_diag *diag, const char *field, const char *what)
{
    vt_diag_set(diag, field, "%s. The model was not made from these data; train again", what);
    return VT_ERR(VT_PRECONDITION, "the content contradicts itself or its data");
}

static struct vt_err check_metrics(const struct vt_bundle_view *content, struct vt_diag *diag)
{
    for (uint32_t i = 0; i < content->n_metrics; i++)
        if (!isfinite(content->metrics[i].value)) {
            vt_diag_set(diag, content->metrics[i].name, "the metric is not a number");
            return VT_ERR(VT_PRECONDITION, "a metric is not finite");
        }
    return vt_ok();
}

/* ---- against its data ---- */

/* Σ of what is wanted, for each item. */
static double *item_weights(const struct vt_sparse *matrix)
{
    double *weights = calloc((size_t)matrix->n_cols + 1, sizeof *weights);
    for (uint64_t e = 0; weights != NULL && e < matrix->n_entries; e++)
        if (matrix->values[e] > 0)
            weights[matrix->columns[e]] += (double)matrix->values[e];
    return weights;
}

struct moments {
    double x, y, xx, yy, xy;
};

/* Pearson's r of popularity and events; 1 where the events are spread evenly. */
static double popularity_correlation(const struct vt_bundle_view *content, const double *weights)
{
    struct moments sum = {0};
    double n = (double)content->n_items;
    for (uint32_t row = 0; row < content->n_items; row++) {
        double x = log1p((double)content->popularity[row]), y = log1p(weights[row]);
        sum.x += x;
        sum.y += y;
        sum.xx += x * x;
        sum.yy += y * y;
        sum.xy += x * y;
    }
    double var_x = sum.xx - sum.x * sum.x / n, var_y = sum.yy - sum.y * sum.y / n;
    if (var_y <= 1e-6 * sum.yy) /* nothing to correlate with */
        return 1;
    return var_x > 0 ? (sum.xy - sum.x * sum.y / n) / sqrt(var_x * var_y) : 0;
}

static bool is_zero_row(const struct vt_bundle_view *content, uint32_t row)
{
    const float *factors = content->item_factors + (size_t)row * content->factor_stride;
    for (uint32_t d = 0; d < content->dim; d++)
        if (fpclassify(factors[d]) != FP_ZERO)
            return false;
    return true;
}

static double zero_factors_share(const struct vt_bundle_view *content, const double *weights)
{
    uint32_t n_with_events = 0, n_zero = 0;
    for (uint32_t row = 0; row < content->n_items; row++) {
        if (weights[row] <= 0)
            continue;
        n_with_events++;
        n_zero += is_zero_row(content, row);
    }
    return n_with_events > 0 ? (double)n_zero / (double)n_with_events : 0;
}

static struct vt_err check_against_weights(const struct vt_bundle_view *content,
                                           const double *weights, struct vt_diag *diag)
{
    if (popularity_correlation(content, weights) < POPULARITY_CORRELATION)
        return refuse(diag, "popularity", "popularity does not follow the events");
    if (content->dim > 0 && zero_factors_share(content, weights) > ZERO_FACTORS_SHARE)
        return refuse(diag, "item_factors", "items with events have no factors: all are zero");
    return vt_ok();
}

static struct vt_err check_data(const struct vt_bundle_view *content,
                                const struct vt_dataset *dataset, struct vt_diag *diag)
{
    const struct vt_sparse *matrix = &dataset->matrix;
    if (content->n_items != matrix->n_cols ||
        memcmp(content->item_numbers, dataset->item_ids,
               content->n_items * sizeof *dataset->item_ids) != 0)
        return refuse(diag, "item_numbers", "the items are not those of the events");
    if (content->n_interactions != matrix->n_entries || content->n_users != matrix->n_rows)
        return refuse(diag, "interactions", "the counts are not those of the events");
    if (content->last_time_ms != dataset->last_time_ms)
        return refuse(diag, "last_time", "the newest event is not that of the data");
    double *weights = item_weights(matrix);
    VT_CHECK(weights != NULL, VT_EXHAUSTED, "out of memory for the gate");
    struct vt_err err = check_against_weights(content, weights, diag);
    free(weights);
    return err;
}

/* ---- the Gram matrix ---- */

/* |G − α Σ y yᵀ| / |α Σ y yᵀ| */
static double gram_error(const struct vt_bundle_view *content, const double *wanted)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < (size_t)content->dim * content->dim; i++) {
        error += (content->gram[i] - wanted[i]) * (content->gram[i] - wanted[i]);
        norm += wanted[i] * wanted[i];
    }
    return sqrt(error) / (norm > 0 ? sqrt(norm) : 1);
}

static struct vt_err check_gram(const struct vt_bundle_view *content, struct vt_diag *diag)
{
    const struct vt_factor_rows rows = {content->item_factors, content->n_items, content->dim,
                                        content->factor_stride};
    double *wanted;
    if (content->dim == 0)
        return vt_ok();
    VT_TRY(vt__factor_gram(&rows, content->unobserved_weight, &wanted));
    const bool same = gram_error(content, wanted) <= GRAM_TOLERANCE;
    free(wanted);
    return same ? vt_ok() : refuse(diag, "gram", "the Gram matrix is not that of the factors");
}

/* ---- against the version before ---- */

static struct vt_err check_age(const struct vt_bundle_view *content,
                               const struct vt_bundle_view *parent, int64_t older_max_ms,
                               struct vt_diag *diag)
{
    if (parent->last_time_ms < TIMES_BEGIN_MS || content->last_time_ms < TIMES_BEGIN_MS ||
        content->last_time_ms >= parent->last_time_ms - older_max_ms)
        return vt_ok();
    vt_diag_set(diag, "last_time",
                "the newest event is %.1f days older than the serving version's %s: are these the "
                "right data? If events were removed on purpose, publish with --no-gate",
                (double)(parent->last_time_ms - content->last_time_ms) / 86400e3, parent->version);
    return VT_ERR(VT_PRECONDITION, "the data are older than the serving version's");
}

/* Both lists ascend: one walk. */
static double share_of_items_kept(const struct vt_bundle_view *content,
                                  const struct vt_bundle_view *parent)
{
    uint32_t kept = 0, at = 0;
    for (uint32_t row = 0; row < parent->n_items; row++) {
        while (at < content->n_items && content->item_numbers[at] < parent->item_numbers[row])
            at++;
        kept += at < content->n_items && content->item_numbers[at] == parent->item_numbers[row];
    }
    return (double)kept / (double)parent->n_items;
}

static struct vt_err check_coverage(const struct vt_bundle_view *content,
                                    const struct vt_bundle_view *parent, double coverage_min,
                                    struct vt_diag *diag)
{
    double share = share_of_items_kept(content, parent);
    if (share >= coverage_min)
        return vt_ok();
    vt_diag_set(diag, "items",
                "only %.0f %% of the serving version's items are in the new one (%.0f %% wanted). "
                "Look at the data, or publish all the same with --no-gate",
                share * 100, coverage_min * 100);
    return VT_ERR(VT_PRECONDITION, "too many items are lost");
}

struct vt_err vt__gate_check_content(const struct vt_gate_input *input,
                                     const struct vt_gate_options *options, struct vt_diag *diag)
{
    const struct vt_bundle_view *content = input->content, *parent = input->parent;
    VT_CHECK(content->n_items > 0, VT_PRECONDITION, "the model has no items");
    VT_TRY(check_metrics(content, diag));
    if (parent != NULL) {
        VT_TRY(check_age(content, parent, options->older_max_ms, diag));
        VT_TRY(check_coverage(content, parent, options->coverage_min, diag));
    }
    if (input->dataset != NULL)
        VT_TRY(check_data(content, input->dataset, diag));
    return check_gram(content, diag);
}
