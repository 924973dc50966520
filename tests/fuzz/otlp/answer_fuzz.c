/* Any bytes as a collector's answer: read or refused, within the exporter's memory. */
#include "services/common/otlp/encode.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_arena arena;
    if (!vt_arena_init_owned(&arena, 8 << 10))
        abort();
    if (vt_otlp_refused(vt_slice(data, size), &arena) > INT64_MAX)
        abort();
    vt_arena_fini(&arena);
    return 0;
}
