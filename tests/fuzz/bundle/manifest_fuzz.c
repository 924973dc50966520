/* Any bytes as a manifest: refused, or it can be written again. */
#include "models/bundle/manifest.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vt_manifest manifest;
    struct vt_diag diag = {0};
    char *json;
    if (vt_failed(vt_manifest_decode(vt_slice(data, size), &diag, &manifest)))
        return 0;
    if (vt_failed(vt_manifest_encode(&manifest, &json)))
        abort();
    free(json);
    return 0;
}
