/*
 * Which kernels this process uses: decided once from what the CPU has, then only read. The tables
 * are constants put together here from ref/, simd/ and blas/; nothing else names those files.
 */
#include "models/kernels/kernels.h"

#include "models/kernels/blas/blas.h"
#include "models/kernels/ref/ref.h"
#include "models/kernels/ref/ref_scan.h"
#include "models/kernels/ref/ref_training.h"
#include "models/kernels/simd/avx2.h"
#include "models/kernels/simd/avx2_f64.h"
#include "models/kernels/simd/avx2_scan.h"
#include "models/kernels/simd/avx2_training.h"
#include "models/kernels/simd/avx512_scan.h"
#include "models/kernels/simd/avx512_training.h"

#include <stdatomic.h>
#include <string.h>

static const struct vt_kernels ref_table = {
    .name = "ref",
    .dot = vt__ref_dot,
    .dots = vt__ref_dots,
    .matvec_f32 = vt__ref_matvec_f32,
    .matmul_nt_f32 = vt__ref_matmul_nt_f32,
    .matmul_nn_f32 = vt__ref_matmul_nn_f32,
    .matmul_tn_f32 = vt__ref_matmul_tn_f32,
    .matmul_nt_sub_f32 = vt__ref_matmul_nt_sub_f32,
    .gram_add_f32 = vt__ref_gram_add_f32,
    .gram_add_f64 = vt__ref_gram_add_f64,
    .solve_f32 = vt__ref_solve_f32,
    .solve_f64 = vt__ref_solve_f64,
    .invert_f64 = vt__ref_invert_f64,
    .eigen_f64 = vt__ref_eigen_f64,
    .scan = vt__ref_scan,
    .gather_f32 = vt__ref_gather_f32,
    .residual_f32 = vt__ref_residual_f32,
    .gram_upper_f32 = vt__ref_gram_upper_f32,
    .solve_upper_f32 = vt__ref_solve_upper_f32,
};

static const struct vt_kernels blas_table = {
    .name = "blas",
    .dot = vt__ref_dot,
    .dots = vt__ref_dots,
    .matvec_f32 = vt__blas_matvec_f32,
    .matmul_nt_f32 = vt__blas_matmul_nt_f32,
    .matmul_nn_f32 = vt__blas_matmul_nn_f32,
    .matmul_tn_f32 = vt__blas_matmul_tn_f32,
    .matmul_nt_sub_f32 = vt__blas_matmul_nt_sub_f32,
    .gram_add_f32 = vt__blas_gram_add_f32,
    .gram_add_f64 = vt__blas_gram_add_f64,
    .solve_f32 = vt__blas_solve_f32,
    .solve_f64 = vt__blas_solve_f64,
    .invert_f64 = vt__blas_invert_f64,
    .eigen_f64 = vt__blas_eigen_f64,
    .scan = vt__ref_scan,
    .gather_f32 = vt__ref_gather_f32,
    .residual_f32 = vt__ref_residual_f32,
    .gram_upper_f32 = vt__blas_gram_upper_f32,
    .solve_upper_f32 = vt__blas_solve_upper_f32,
};

#if VT_HAVE_AVX2_KERNELS
static const struct vt_kernels blas_avx2_table = {
    .name = "blas-avx2",
    .dot = vt__avx2_dot,
    .dots = vt__avx2_dots,
    .matvec_f32 = vt__blas_matvec_f32,
    .matmul_nt_f32 = vt__blas_matmul_nt_f32,
    .matmul_nn_f32 = vt__blas_matmul_nn_f32,
    .matmul_tn_f32 = vt__blas_matmul_tn_f32,
    .matmul_nt_sub_f32 = vt__blas_matmul_nt_sub_f32,
    .gram_add_f32 = vt__blas_gram_add_f32,
    .gram_add_f64 = vt__avx2_gram_add_f64,
    .solve_f32 = vt__blas_solve_f32,
    .solve_f64 = vt__avx2_solve_f64,
    .invert_f64 = vt__blas_invert_f64,
    .eigen_f64 = vt__blas_eigen_f64,
    .scan = vt__avx2_scan,
    .gather_f32 = vt__avx2_gather_f32,
    .residual_f32 = vt__avx2_residual_f32,
    .gram_upper_f32 = vt__avx2_gram_upper_f32,
    .solve_upper_f32 = vt__avx2_solve_upper_f32,
};

/* What gains from it; the bits are those of AVX2. */
static const struct vt_kernels blas_avx512_table = {
    .name = "blas-avx512",
    .dot = vt__avx2_dot,
    .dots = vt__avx2_dots,
    .matvec_f32 = vt__blas_matvec_f32,
    .matmul_nt_f32 = vt__blas_matmul_nt_f32,
    .matmul_nn_f32 = vt__blas_matmul_nn_f32,
    .matmul_tn_f32 = vt__blas_matmul_tn_f32,
    .matmul_nt_sub_f32 = vt__blas_matmul_nt_sub_f32,
    .gram_add_f32 = vt__blas_gram_add_f32,
    .gram_add_f64 = vt__avx2_gram_add_f64,
    .solve_f32 = vt__blas_solve_f32,
    .solve_f64 = vt__avx2_solve_f64,
    .invert_f64 = vt__blas_invert_f64,
    .eigen_f64 = vt__blas_eigen_f64,
    .scan = vt__avx512_scan,
    .gather_f32 = vt__avx512_gather_f32,
    .residual_f32 = vt__avx512_residual_f32,
    .gram_upper_f32 = vt__avx2_gram_upper_f32,
    .solve_upper_f32 = vt__avx2_solve_upper_f32,
};
#endif

static const struct vt_kernels *choose(void)
{
    const struct vt_kernels *best = vt_kernels_find("blas-avx512");
    if (best == NULL)
        best = vt_kernels_find("blas-avx2");
    return best != NULL ? best : &blas_table;
}

const struct vt_kernels *vt_kernels(void)
{
    /* Relaxed on both sides: the tables are constants, and every thread chooses the same. */
    static _Atomic(const struct vt_kernels *) chosen;
    const struct vt_kernels *table = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (table == NULL) {
        table = choose();
        atomic_store_explicit(&chosen, table, memory_order_relaxed);
    }
    return table;
}

const struct vt_kernels *vt_kernels_find(const char *name)
{
#if VT_HAVE_AVX2_KERNELS
    if (strcmp(name, "blas-avx2") == 0)
        return vt__avx2_available() ? &blas_avx2_table : NULL;
    if (strcmp(name, "blas-avx512") == 0)
        return vt__avx2_available() && vt__avx512_scan_available() ? &blas_avx512_table : NULL;
#endif
    if (strcmp(name, "blas") == 0)
        return &blas_table;
    return strcmp(name, "ref") == 0 ? &ref_table : NULL;
}

struct vt_err vt_kernels_check(struct vt_diag *diag)
{
    return vt__blas_check(diag);
}

const char *vt_kernels_blas_core(void)
{
    return vt__blas_core();
}
