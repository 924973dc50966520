#include "services/common/base/err.h"
#include "services/profile/history.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Two arbitrary values fold or are refused; what folding made folds again to the same length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t keep = 16;
    struct vt_slice halves[] = {vt_slice(data, size / 2),
                                vt_slice(data + size / 2, size - size / 2)};
    char *once = NULL, *twice = NULL;
    size_t once_len = 0, twice_len = 0;
    if (!vt__history_fold(&keep, halves, 2, &once, &once_len))
        return 0;
    struct vt_slice folded = vt_slice(once, once_len);
    VT_ASSERT(vt__history_fold(&keep, &folded, 1, &twice, &twice_len));
    VT_ASSERT(vt_slice_equal(folded, vt_slice(twice, twice_len)));
    free(once);
    free(twice);
    return 0;
}
