/* Manifests of backups: what decodes is encoded and decodes again to the same; nothing else crashes
 * or leads outside of the data folder. */
#include "services/keep/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct vt_keep_manifest manifest, again;
    struct vt_diag diag = {0};
    char *text = NULL;
    struct vt_err err = vt_keep_manifest_decode(vt_slice(bytes, len), &diag, &manifest);
    VT_ASSERT(!vt_failed(err) || err.code == VT_EXHAUSTED || strlen(diag.text) > 0);
    if (vt_failed(err))
        return 0;
    for (size_t i = 0; i < manifest.n_files; i++)
        VT_ASSERT(manifest.files[i].path[0] != '/' &&
                  strstr(manifest.files[i].path, "../") == NULL);
    VT_ASSERT(!vt_failed(vt_keep_manifest_encode(&manifest, &text)));
    VT_ASSERT(!vt_failed(vt_keep_manifest_decode(vt_slice_str(text), &diag, &again)));
    VT_ASSERT(again.sequence == manifest.sequence && again.n_files == manifest.n_files);
    free(text);
    vt_keep_manifest_fini(&manifest);
    vt_keep_manifest_fini(&again);
    return 0;
}
