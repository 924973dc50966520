/* Any bytes as a traceparent: refused, or read so that what is printed names the same trace, parent
 * and flag. */
#include "services/common/trace/span.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_AT = 3, IDS_BYTES = 32 + 1 + 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_span span, again;
    char text[VT_TRACEPARENT_BYTES];
    vt_span_clear(&span);
    vt_span_clear(&again);
    if (!vt_traceparent_read(vt_slice(data, size), &span))
        return 0;
    vt_traceparent_print(&span, span.parent, text);
    if (memcmp(text + IDS_AT, data + IDS_AT, IDS_BYTES) != 0 ||
        !vt_traceparent_read(vt_slice_str(text), &again) || again.sampled != span.sampled)
        abort();
    return 0;
}
