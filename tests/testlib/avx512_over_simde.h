#ifndef VT_TESTLIB_AVX512_OVER_SIMDE_H
#define VT_TESTLIB_AVX512_OVER_SIMDE_H

/* Included before models/kernels/simd/avx512_*.c, so that their AVX-512 runs on CPUs without. */
#define VT_AVX512_OVER_SIMDE
#define SIMDE_ENABLE_NATIVE_ALIASES
#pragma GCC diagnostic ignored "-Wpsabi" /* nobody else calls these */
#include <simde/x86/avx512.h>

/* The one instruction that Debian's SIMDe does not have. */
static inline simde__m512 vt_floats_of(simde__m512i integers)
{
    simde__m512i_private from = simde__m512i_to_private(integers);
    simde__m512_private to = simde__m512_to_private(simde_mm512_setzero_ps());
    for (int i = 0; i < 16; i++)
        to.f32[i] = (float)from.i32[i];
    return simde__m512_from_private(to);
}
#define _mm512_cvtepi32_ps vt_floats_of

#endif
