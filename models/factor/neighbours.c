/*
 * A row's neighbours are scattered over the whole other side. Gathered once, packed and scaled by
 * √w, they are read in order from the near caches for every further pass, and no solver sees a
 * weight again. A row too long to keep is gathered anew slice by slice.
 */
#include "models/factor/neighbours.h"

enum { KEPT_BYTES = 1 << 20 }; /* of a thread: beyond it even reading in order is from far away */

uint32_t vt__neighbours_capacity(uint32_t stride)
{
    uint32_t rows = KEPT_BYTES / (uint32_t)sizeof(float) / stride / VT__SLICE_ROWS * VT__SLICE_ROWS;
    return rows > VT__SLICE_ROWS ? rows : VT__SLICE_ROWS;
}

struct vt__neighbours vt__neighbours_of(const struct vt__half_step *step, const struct vt__row *row,
                                        uint32_t capacity, float *memory)
{
    uint32_t stride = step->fixed->stride;
    return (struct vt__neighbours){
        .factors = step->fixed->values,
        .stride = stride,
        .capacity = capacity,
        .row = row,
        .rows = memory,
        .targets = memory + (size_t)capacity * stride,
    };
}

struct vt__slice vt__neighbours_slice(const struct vt__neighbours *neighbours, uint32_t first,
                                      bool first_pass)
{
    const struct vt__row *row = neighbours->row;
    bool kept = row->n <= neighbours->capacity;
    uint32_t stride = neighbours->stride, at = kept ? first : 0;
    uint32_t n = row->n - first < VT__SLICE_ROWS ? row->n - first : VT__SLICE_ROWS;
    float *rows = neighbours->rows + (size_t)at * stride, *targets = neighbours->targets + at;
    if (first_pass || !kept)
        vt_kernels()->gather_f32(neighbours->factors, stride, row->columns + first,
                                 row->values + first, n, rows, targets);
    return (struct vt__slice){{rows, n, stride, stride}, targets};
}
