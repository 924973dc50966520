/* Any bytes as a training's checkpoint: refused with a reason, or read within bounds. */
#include "models/train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_train_checkpoint checkpoint;
    struct vt_diag diag = {0};
    struct vt_err err = vt_train_checkpoint_parse(
        vt_slice(size > 0 ? (const void *)data : "", size), &diag, &checkpoint);
    if (!vt_failed(err)) {
        VT_ASSERT(checkpoint.items != NULL && checkpoint.row_stride >= checkpoint.dim);
        vt_train_checkpoint_free(&checkpoint);
    } else if (err.code == VT_CORRUPT) {
        VT_ASSERT(diag.text[0] != '\0');
    }
    return 0;
}
