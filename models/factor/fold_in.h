#ifndef VT_FACTOR_FOLD_IN_H
#define VT_FACTOR_FOLD_IN_H

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { VT_FACTORS_MAX = 1024 };

/* What turns a history into a user vector: borrowed from a bundle or from training; immutable. */
struct vt_fold_in_model {
    const float *item_factors; /* n_items × row_stride */
    const double *gram; /* dim × dim: unobserved_weight · Σ y yᵀ; the lower triangle is read */
    uint32_t n_items, dim, row_stride; /* 0 < dim ≤ VT_FACTORS_MAX, row_stride ≥ dim */
    double regularization, regularization_exponent, unobserved_weight;
};

/* Bytes of scratch (8-byte aligned) that vt_fold_in wants for this dim. */
size_t vt_fold_in_scratch_bytes(uint32_t dim);

/*
 * The user vector of a history, in closed form: the x that minimises
 *   Σ |w_e| (p_e − x·y_e)² + unobserved_weight Σ_items (x·y)² + λ x·x,
 *   λ = regularization · (Σ |w_e| + unobserved_weight · n_items) ^ regularization_exponent,
 * with p_e = 1 where w_e > 0 (wanted) and 0 where w_e < 0: a dislike is a confident "no", as an
 * unobserved item is a faint one. `rows` and `weights` are n events; each row < n_items; a weight
 * of 0 or NaN is left out; a row may repeat. Nothing wanted: the zero vector. Double inside,
 * rounded to float at the end. No allocation; any thread, scratch is the caller's. The same input
 * gives the same bytes. VT_CORRUPT when factors or Gram are not finite or not positive definite.
 * `ret_vector`: dim floats. Cost n·dim² + dim³/3 multiply-adds: tens of microseconds at dim 64 and
 * 50 events.
 */
VT_MUST_USE struct vt_err vt_fold_in(const struct vt_fold_in_model *model, const uint32_t *rows,
                                     const float *weights, uint32_t n, void *scratch,
                                     float *ret_vector);

#endif
