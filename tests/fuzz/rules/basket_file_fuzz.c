/* Any bytes as a file of baskets: refused with a place, or read within bounds. */
#include "models/rules/basket_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_basket_file file = {0};
    struct vt_diag diag = {0};
    struct vt_err err =
        vt_basket_file_parse(vt_slice(size > 0 ? (const void *)data : "", size), &diag, &file);
    if (vt_failed(err)) {
        VT_ASSERT(diag.text[0] != '\0');
        return 0;
    }
    VT_ASSERT(file.baskets.matrix.n_rows > 0 && file.baskets.matrix.n_cols > 0);
    for (uint32_t item = 0; item < file.baskets.matrix.n_cols; item++)
        VT_ASSERT(file.names[item].len > 0 && file.names[item].len <= VT_BASKET_NAME_BYTES_MAX);
    vt_basket_file_free(&file);
    return 0;
}
