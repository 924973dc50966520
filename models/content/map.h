#ifndef VT_CONTENT_MAP_H
#define VT_CONTENT_MAP_H

#include "models/content/space.h"

/*
 * From content to factors, so that an item nobody has touched has a place among the others: the W
 * that minimises
 *
 *   Σ_i c_i |y_i - x_i W|² + ridge |W|²
 *
 * with x_i the item's content vector, y_i its factor, and c_i in [0, 1] how sure the factor is
 * (Gantner et al. 2010 learn such a map; the certainties are ours). The ridge makes the equations
 * solvable whatever the texts are: all alike, or more terms than items.
 */
struct vt_content_map_input {
    const struct vt_sparse *content; /* items × terms */
    const float *factors;            /* items × row_stride */
    uint32_t dim, row_stride;
    const float *certainties; /* one an item */
};

struct vt_content_map {
    float *rows;      /* n_terms × row_stride, owned; padding is zero */
    double ridge;     /* as used */
    double explained; /* of the factors' squares, the share on items that were held out; at most 1,
                         below 0 when nothing is learned; NaN when the ridge was given */
};
void vt_content_map_free(struct vt_content_map *map); /* NULL or zeroed is allowed */

/* How sure a factor is that came from `n_events`: n / (n + 10). */
float vt_content_certainty(double n_events);

/* `options`: ridge (0: chosen among .03 … 100 by the error on every tenth item) and threads.
 * VT_INVALID: the ridge is below 0 or not finite; VT_CORRUPT: factors that are not finite;
 * VT_EXHAUSTED. The same bytes for any number of threads. 2 · entries · dim multiply-adds for each
 * of up to 100 steps, ten times over where the ridge is chosen. */
VT_MUST_USE struct vt_err vt_content_map_train(const struct vt_content_map_input *input,
                                               const struct vt_content_options *options,
                                               struct vt_diag *diag,
                                               struct vt_content_map *ret_map);

/* Σ over terms of weight · row of the map: the factor that the content speaks for. `ret_factor`:
 * dim floats. */
void vt_content_factor(const float *map_rows, uint32_t dim, uint32_t row_stride,
                       const struct vt_content_term *terms, uint32_t n, float *ret_factor);

#endif
