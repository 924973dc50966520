#include "services/common/base/arena.h"
#include "tests/testlib/testlib.h"

static void arena_full_returns_null_until_reset(void **state)
{
    (void)state;
    _Alignas(64) unsigned char memory[64];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    assert_non_null(vt_arena_alloc(&arena, 64));
    assert_null(vt_arena_alloc(&arena, 1));
    assert_true(arena.exhausted);
    vt_arena_reset(&arena);
    assert_non_null(vt_arena_alloc(&arena, 1));
}

static void arena_array_refuses_overflow(void **state)
{
    (void)state;
    unsigned char memory[64];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    assert_null(vt_arena_array(&arena, SIZE_MAX, 2));
    assert_true(arena.exhausted);
}

static void arena_alloc_aligns_as_asked(void **state)
{
    (void)state;
    unsigned char memory[256];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    vt_arena_alloc_aligned(&arena, 1, 1);
    assert_int_equal((uintptr_t)vt_arena_alloc_aligned(&arena, 8, 64) % 64, 0);
}

static void arena_copy_ends_with_nul(void **state)
{
    (void)state;
    unsigned char memory[64];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_slice copy = vt_arena_copy(&arena, vt_slice("abcd", 3));
    assert_string_equal(copy.data, "abc");
    assert_int_equal(copy.len, 3);
}

static void arena_with_spare_goes_on_up_to_its_bound(void **state)
{
    (void)state;
    enum { FIRST = 256, SPARE = 4096 };
    _Alignas(64) unsigned char memory[FIRST];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    vt_arena_allow_spare(&arena, SPARE);
    unsigned char *first = vt_arena_alloc(&arena, 200);
    memset(first, 1, 200);
    size_t taken = 0;
    for (unsigned char *more; (more = vt_arena_alloc_aligned(&arena, 100, 64)) != NULL;) {
        assert_int_equal((uintptr_t)more % 64, 0);
        memset(more, 2, 100);
        taken += 100;
    }
    assert_true(arena.exhausted);
    assert_in_range(taken, SPARE / 4, SPARE);
    assert_int_equal(first[199], 1);
    vt_arena_reset(&arena);
    assert_ptr_equal(arena.base, memory);
    assert_int_equal(arena.spare_bytes, SPARE);
    assert_null(vt_arena_alloc(&arena, SPARE));
    vt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_full_returns_null_until_reset),
        cmocka_unit_test(arena_array_refuses_overflow),
        cmocka_unit_test(arena_alloc_aligns_as_asked),
        cmocka_unit_test(arena_copy_ends_with_nul),
        cmocka_unit_test(arena_with_spare_goes_on_up_to_its_bound),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
