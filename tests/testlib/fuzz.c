/* The judgement that all fuzz targets of wire functions share: see the header. */
#include "tests/testlib/fuzz.h"

#include "services/common/base/text.h"

#include <stdlib.h>

enum { ARENA_BYTES = 1 << 19 };

void vt_fuzz_expect(bool holds)
{
    if (!holds)
        abort();
}

void vt_fuzz_read(const struct vt_slice *slices, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t sum = 0;
        for (size_t at = 0; at < slices[i].len; at++)
            sum += (unsigned char)slices[i].data[at];
        vt_fuzz_expect(sum <= slices[i].len * UINT8_MAX);
    }
}

static void judge_refusal(struct vt_err err, const struct vt_diag *diag)
{
    size_t bad = 0;
    vt_fuzz_expect(err.code == VT_INVALID || err.code == VT_EXHAUSTED ||
                   err.code == VT_UNIMPLEMENTED);
    vt_fuzz_expect(err.code != VT_INVALID || diag->text[0] != '\0');
    vt_fuzz_expect(vt_text_valid(vt_slice_str(diag->text), &bad));
    vt_fuzz_expect(vt_text_valid(vt_slice_str(diag->field), &bad));
}

/* What our own encoder wrote must be taken, and be written the same way again. */
static void judge_again(vt_fuzz_case_fn run, struct vt_slice first)
{
    static _Alignas(64) unsigned char memory[ARENA_BYTES];
    struct vt_arena arena;
    struct vt_diag diag = {0};
    struct vt_slice second = {0};
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_err err = run(first, &arena, &diag, &second);
    if (err.code == VT_EXHAUSTED)
        return;
    vt_fuzz_expect(!vt_failed(err));
    vt_fuzz_expect(vt_slice_equal(first, second));
}

int vt_fuzz_run(const vt_fuzz_case_fn *cases, size_t n_cases, const uint8_t *data, size_t size)
{
    static _Alignas(64) unsigned char memory[ARENA_BYTES];
    struct vt_arena arena;
    struct vt_diag diag = {0};
    struct vt_slice again = {0};
    if (size == 0)
        return 0;
    vt_fuzz_case_fn run = cases[data[0] % n_cases];
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_err err = run(vt_slice(data + 1, size - 1), &arena, &diag, &again);
    if (vt_failed(err))
        judge_refusal(err, &diag);
    else if (again.len > 0)
        judge_again(run, again);
    return 0;
}
