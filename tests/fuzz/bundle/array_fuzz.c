/* Any bytes as an array file: refused, or every number readable. */
#include "models/bundle/array.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_diag diag = {0};
    struct vt_array array;
    if (vt_failed(vt_array_decode(vt_slice(data, size), &diag, &array)))
        return 0;
    unsigned char header[VT_ARRAY_HEADER_BYTES];
    vt_array_header_encode(&array, header);
    if (memcmp(header, data, sizeof header) != 0)
        abort(); /* the same array has one encoding */
    volatile unsigned char sum = 0;
    const unsigned char *bytes = array.values;
    for (uint64_t i = 0; i < array.rows * array.cols * vt_array_type_bytes(array.type); i++)
        sum = (unsigned char)(sum + bytes[i]);
    return 0;
}
