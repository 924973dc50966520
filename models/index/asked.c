/*
 * The query as bytes, and what they lose. That is measured in double, as the rows' is (blocks.c),
 * so the bound holds for any query. docs/numerics.md, "Exact retrieval", has the proof.
 */
#include "models/index/index_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { QUERY_LEVELS = 63 };   /* of struct vt_scan */
#define GROUP_QUERY_MIN 1e-15 /* of a norm: outside, float could not hold its shares well */
#define GROUP_QUERY_MAX 1e15

static double norm_of(const float *vector, uint32_t dim)
{
    double square = 0;
    for (uint32_t d = 0; d < dim; d++)
        square += (double)vector[d] * (double)vector[d];
    return sqrt(square) * (1 + 0x1p-40);
}

static void put_bytes(struct vt__asked *asked, const float *vector, uint32_t dim)
{
    double largest = 0, lost_square = 0;
    for (uint32_t d = 0; d < dim; d++)
        largest = fmax(largest, fabs((double)vector[d]));
    asked->scale = largest / QUERY_LEVELS;
    for (uint32_t d = 0; d < dim && largest > 0; d++) {
        double level = nearbyint((double)vector[d] / asked->scale);
        double lost = (double)vector[d] - asked->scale * level;
        asked->bytes[d] = (int8_t)level;
        lost_square += lost * lost;
    }
    asked->error = sqrt(lost_square) * (1 + 0x1p-40);
}

void vt__ask(struct vt__asked *asked, const float *vector, uint32_t dim)
{
    asked->norm = norm_of(vector, dim);
    if (!isfinite(asked->norm))
        return;
    asked->rounding = ((double)dim + 2) * DBL_EPSILON;
    put_bytes(asked, vector, dim);
    double apart = asked->error + (double)FLT_EPSILON * (asked->norm + asked->error);
    asked->away_per_norm = (apart + asked->rounding * asked->norm) * (1 + 0x1p-20);
    asked->away_per_error = (apart + asked->norm) * (1 + 0x1p-20);
    asked->away_least = asked->scale * 0x1p-148;
    asked->per_scale = 1 / asked->scale;
}

void vt__ask_groups(struct vt__asked *asked, const float *vector, uint32_t dim)
{
    float with_shares[VT_INDEX_DIM_MAX + VT__GROUP_DIMS];
    double norm = norm_of(vector, dim);
    if (norm > GROUP_QUERY_MAX || norm < GROUP_QUERY_MIN)
        return;
    memcpy(with_shares, vector, dim * sizeof *vector);
    vt__spread(vt__rounded_up(norm), with_shares + dim);
    vt__ask(asked, with_shares, dim + VT__GROUP_DIMS);
}
