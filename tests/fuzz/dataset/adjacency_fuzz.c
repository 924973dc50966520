/* Any bytes as an adjacency file: refused with a place, or read within bounds. */
#include "models/dataset/interactions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_interactions list = {0};
    struct vt_diag diag = {0};
    struct vt_err err =
        vt_adjacency_parse(vt_slice(size > 0 ? (const void *)data : "", size), &diag, &list);
    if (vt_failed(err))
        VT_ASSERT(diag.text[0] != '\0');
    else
        VT_ASSERT(list.n > 0);
    vt_interactions_free(&list);
    return 0;
}
