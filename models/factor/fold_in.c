/*
 * Fold-in: the customer's side of one iALS half-step, run at request time on the customer's own
 * newest events. Nothing per customer is stored, so a click changes the next answer. Training
 * (ials.c) solves the same equations in float for speed; here everything is double, because one
 * vector is cheap and its bits must not depend on how many events were gathered at once.
 */
#include "models/factor/fold_in.h"

#include "models/kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { GATHER_ROWS = 32 }; /* events per rank-k update: 16 KiB at dim 64 stays in the first cache */

struct fold_in_scratch {
    double *normal;   /* dim × dim */
    double *rhs;      /* dim */
    double *gathered; /* GATHER_ROWS × dim */
};

size_t vt_fold_in_scratch_bytes(uint32_t dim)
{
    return ((size_t)dim + 1 + GATHER_ROWS) * dim * sizeof(double);
}

static struct fold_in_scratch scratch_split(void *scratch, uint32_t dim)
{
    double *memory = scratch;
    return (struct fold_in_scratch){
        .normal = memory,
        .rhs = memory + (size_t)dim * dim,
        .gathered = memory + (size_t)dim * dim + dim,
    };
}

/* gathered row = √|w|·y, so that its rank-one product is |w|·y·yᵀ; rhs += w·y for what is wanted: a
 * dislike's target is 0. */
static void gather_event(const float *factors, double weight, uint32_t dim, double *gathered,
                         double *rhs)
{
    double root = sqrt(fabs(weight)), pull = weight > 0 ? weight : 0;
    for (uint32_t d = 0; d < dim; d++) {
        double y = (double)factors[d];
        gathered[d] = root * y;
        rhs[d] += pull * y;
    }
}

/* Confidences of both kinds: λ counts how much is known of a customer, not what. */
struct known {
    double wanted, unwanted;
};

/* Adds every event to the normal equations. */
static struct known accumulate(const struct vt_fold_in_model *model, const uint32_t *rows,
                               const float *weights, uint32_t n,
                               const struct fold_in_scratch *scratch)
{
    const struct vt_kernels *kernels = vt_kernels();
    uint32_t dim = model->dim, n_gathered = 0;
    struct known known = {0, 0};
    for (uint32_t e = 0; e < n; e++) {
        if (!(weights[e] > 0) && !(weights[e] < 0))
            continue;
        VT_ASSERT(rows[e] < model->n_items);
        gather_event(model->item_factors + (size_t)rows[e] * model->row_stride, (double)weights[e],
                     dim, scratch->gathered + (size_t)n_gathered * dim, scratch->rhs);
        *(weights[e] > 0 ? &known.wanted : &known.unwanted) += fabs((double)weights[e]);
        if (++n_gathered == GATHER_ROWS) {
            kernels->gram_add_f64(scratch->gathered, n_gathered, dim, scratch->normal);
            n_gathered = 0;
        }
    }
    if (n_gathered > 0)
        kernels->gram_add_f64(scratch->gathered, n_gathered, dim, scratch->normal);
    return known;
}

static bool round_to_float(const double *vector, uint32_t dim, float *ret_vector)
{
    for (uint32_t d = 0; d < dim; d++)
        if (!isfinite((float)vector[d]))
            return false;
    for (uint32_t d = 0; d < dim; d++)
        ret_vector[d] = (float)vector[d];
    return true;
}

struct vt_err vt_fold_in(const struct vt_fold_in_model *model, const uint32_t *rows,
                         const float *weights, uint32_t n, void *scratch, float *ret_vector)
{
    uint32_t dim = model->dim;
    struct fold_in_scratch parts = scratch_split(scratch, dim);
    memcpy(parts.normal, model->gram, (size_t)dim * dim * sizeof *parts.normal);
    memset(parts.rhs, 0, dim * sizeof *parts.rhs);
    struct known known = accumulate(model, rows, weights, n, &parts);
    double weight_sum = known.wanted + known.unwanted;
    if (!(known.wanted > 0)) {
        memset(ret_vector, 0, dim * sizeof *ret_vector);
        return vt_ok();
    }
    double lambda =
        model->regularization * pow(weight_sum + model->unobserved_weight * (double)model->n_items,
                                    model->regularization_exponent);
    for (uint32_t d = 0; d < dim; d++)
        parts.normal[(size_t)d * dim + d] += lambda;
    VT_CHECK(vt_kernels()->solve_f64(parts.normal, dim, parts.rhs), VT_CORRUPT,
             "a customer's equations have no single solution: a regularization above 0 gives one");
    VT_CHECK(round_to_float(parts.rhs, dim, ret_vector), VT_CORRUPT,
             "the fold-in's vector is not finite");
    return vt_ok();
}
