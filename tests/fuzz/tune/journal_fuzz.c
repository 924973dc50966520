/* Any bytes as the journal of a tuning: refused with a reason, or results within their limits, each
 * trial and rung once, that are the same when the whole part is read again. */
#include "models/tune/journal.h"

#include <math.h>
#include <stdlib.h>

#define ABOUT "vitrine tune 2: ials"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t parse(struct vt_slice bytes, struct vt_tune_result *results, size_t *ret_whole)
{
    struct vt_diag diag = {0};
    uint32_t n = 0;
    struct vt_err err = vt_tune_journal_parse(bytes, ABOUT, &diag, results, &n, ret_whole);
    if (vt_failed(err)) {
        VT_ASSERT(err.code == VT_INVALID || err.code == VT_CORRUPT);
        VT_ASSERT(diag.text[0] != '\0');
        return UINT32_MAX;
    }
    VT_ASSERT(*ret_whole <= bytes.len && n <= VT_TUNE_RESULTS_MAX);
    for (uint32_t i = 0; i < n; i++)
        VT_ASSERT(results[i].trial < VT_TUNE_TRIALS_MAX && results[i].rung < VT_TUNE_RUNGS &&
                  !isinf(results[i].value));
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_tune_result *results = calloc(VT_TUNE_RESULTS_MAX, sizeof *results);
    const struct vt_slice bytes = vt_slice(size > 0 ? (const void *)data : "", size);
    size_t whole = 0, again = 0;
    VT_ASSERT(results != NULL);
    const uint32_t n = parse(bytes, results, &whole);
    if (n != UINT32_MAX && whole > 0) {
        VT_ASSERT(parse(vt_slice(bytes.data, whole), results, &again) == n);
        VT_ASSERT(again == whole);
    }
    free(results);
    return 0;
}
