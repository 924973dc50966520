#ifndef VT_FACTOR_NEIGHBOURS_H
#define VT_FACTOR_NEIGHBOURS_H

#include "models/factor/ials_internal.h"

/* Entries of a row that are gathered in one go and worked on while they are in the first cache. */
enum { VT__SLICE_ROWS = 64 };

/* The scaled neighbours z_e and targets t_e of a row (struct vt__row), a slice after the other.
 * Those of a row that fits stay gathered for the next pass. Borrows everything; one thread. */
struct vt__neighbours {
    const float *factors; /* of the fixed side */
    uint32_t stride;
    uint32_t capacity; /* rows kept; at least VT__SLICE_ROWS */
    const struct vt__row *row;
    float *rows, *targets; /* capacity × stride; capacity */
};
struct vt__slice {
    struct vt_rows_f32 rows; /* z */
    float *targets;          /* t */
};

/* How many neighbours of this size are kept; at least a slice. */
uint32_t vt__neighbours_capacity(uint32_t stride);
static inline size_t vt__neighbours_floats(uint32_t stride, uint32_t capacity)
{
    return (size_t)capacity * (stride + 1);
}
/* `memory`: vt__neighbours_floats. */
struct vt__neighbours vt__neighbours_of(const struct vt__half_step *step, const struct vt__row *row,
                                        uint32_t capacity, float *memory);
/* The slice at `first`, a multiple of VT__SLICE_ROWS below row->n. `first_pass`: it is not there
 * yet. Valid until the next call, or for a row that fits until the next row. */
struct vt__slice vt__neighbours_slice(const struct vt__neighbours *neighbours, uint32_t first,
                                      bool first_pass);

#endif
