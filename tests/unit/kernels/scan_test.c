/*
 * The scan of byte rows: every variant gives the bits of the plain one, at the ends of the ranges
 * too, where a 16-bit sum would saturate. The AVX-512 form is built here over SIMDe as well, so
 * that it is tried on CPUs that lack it.
 */
#include "models/kernels/kernels.h"
#include "models/kernels/ref/ref_scan.h"
#include "models/kernels/simd/avx2.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if VT_HAVE_AVX2_KERNELS
/* tests/testlib/CMakeLists.txt: avx512_scan.c over SIMDe. */
void vt_simde_scan(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                   float *ret_products);
#endif

enum { BLOCKS = 9, STEPS_MAX = 256 };

static _Alignas(64) uint8_t values[BLOCKS * STEPS_MAX * VT_SCAN_ROWS * VT_SCAN_STEP];
static float scales[BLOCKS * VT_SCAN_ROWS], thresholds[BLOCKS];
static int8_t query[STEPS_MAX * VT_SCAN_STEP];

static uint32_t random_u32(void)
{
    static uint64_t state = 7;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33);
}

static void fill(uint32_t n_steps)
{
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (uint8_t)(1 + random_u32() % 255);
    for (size_t i = 0; i < n_steps * VT_SCAN_STEP; i++)
        query[i] = (int8_t)((int)(random_u32() % 127) - 63);
    for (size_t i = 0; i < BLOCKS * VT_SCAN_ROWS; i++)
        scales[i] = (float)random_u32() * 0x1p-31F;
}

/* With and without the products, whose bits agree too. */
static void assert_scan_is(const struct vt_scan *scan,
                           void (*scan_of_variant)(const struct vt_scan *, const float *,
                                                   uint32_t *, float *),
                           const uint32_t *expected, const float *expected_products)
{
    uint32_t got[BLOCKS];
    float products[BLOCKS * VT_SCAN_ROWS];
    scan_of_variant(scan, thresholds, got, NULL);
    assert_memory_equal(got, expected, scan->n_blocks * sizeof got[0]);
    memset(got, 0, sizeof got);
    scan_of_variant(scan, thresholds, got, products);
    assert_memory_equal(got, expected, scan->n_blocks * sizeof got[0]);
    assert_memory_equal(products, expected_products,
                        scan->n_blocks * VT_SCAN_ROWS * sizeof products[0]);
}

static void assert_masks_equal(const struct vt_scan *scan)
{
    static const char *const variants[] = {"blas", "blas-avx2", "blas-avx512"};
    uint32_t expected[BLOCKS];
    float products[BLOCKS * VT_SCAN_ROWS];
    vt__ref_scan(scan, thresholds, expected, products);
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(variants[v]);
        if (kernels == NULL)
            continue;
        assert_scan_is(scan, kernels->scan, expected, products);
    }
#if VT_HAVE_AVX2_KERNELS
    assert_scan_is(scan, vt_simde_scan, expected, products);
#endif
}

static struct vt_scan scan_of(uint32_t n_steps)
{
    return (struct vt_scan){
        .values = values, .scales = scales, .n_blocks = BLOCKS, .n_steps = n_steps, .query = query};
}

static void the_scan_has_the_same_bits_in_every_variant(void **state)
{
    (void)state;
    static const uint32_t steps[] = {1, 2, 3, 16, 17, 75, STEPS_MAX};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++)
        for (int round = 0; round < 20; round++) {
            fill(steps[s]);
            for (uint32_t b = 0; b < BLOCKS; b++)
                thresholds[b] = ((float)random_u32() * 0x1p-31F - 0.5F) * 1e5F;
            const struct vt_scan scan = scan_of(steps[s]);
            assert_masks_equal(&scan);
        }
}

/* The largest sums that there are, of either sign: no step on the way may saturate. */
static void the_scan_is_right_at_the_ends_of_its_ranges(void **state)
{
    (void)state;
    static const uint8_t ends[] = {1, 255};
    static const int8_t query_ends[] = {-63, 63};
    for (int i = 0; i < 4; i++) {
        memset(values, ends[i % 2], sizeof values);
        memset(query, query_ends[i / 2], sizeof query);
        for (size_t s = 0; s < BLOCKS * VT_SCAN_ROWS; s++)
            scales[s] = 1;
        const float sum = (float)(127 * 63 * STEPS_MAX * VT_SCAN_STEP);
        const float near[BLOCKS] = {
            -sum,     sum,     nextafterf(sum, 0),  -INFINITY,
            INFINITY, 2 * sum, nextafterf(-sum, 0), nextafterf(sum, INFINITY),
            0};
        memcpy(thresholds, near, sizeof near);
        const struct vt_scan scan = scan_of(STEPS_MAX);
        assert_masks_equal(&scan);
        uint32_t masks[BLOCKS];
        vt__ref_scan(&scan, thresholds, masks, NULL);
        bool positive = (ends[i % 2] == 255) == (query_ends[i / 2] == 63);
        assert_int_equal(masks[1], positive ? UINT32_MAX : 0); /* not below the sum itself */
        assert_int_equal(masks[7], 0);
    }
}

/* Sums that overflow with their scale, or vanish in it. */
static void the_scan_of_odd_scales_agrees(void **state)
{
    (void)state;
    static const float odd[] = {0, 1e-45F, 3e38F, 0x1p-126F};
    fill(5);
    for (size_t s = 0; s < BLOCKS * VT_SCAN_ROWS; s++)
        scales[s] = odd[s % 4];
    for (uint32_t b = 0; b < BLOCKS; b++)
        thresholds[b] = b % 2 == 0 ? 0 : 1e-40F;
    const struct vt_scan scan = scan_of(5);
    assert_masks_equal(&scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scan_has_the_same_bits_in_every_variant),
        cmocka_unit_test(the_scan_is_right_at_the_ends_of_its_ranges),
        cmocka_unit_test(the_scan_of_odd_scales_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
