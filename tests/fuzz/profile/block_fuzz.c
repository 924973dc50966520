#include "services/profile/event_block.h"

#include <stddef.h>
#include <stdint.h>

/* Arbitrary bytes as a log block: every row is read or the block is refused. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt__block block = {0};
    struct vt__log_row row;
    bool more = true;
    struct vt_err err = vt__block_open(vt_slice(data, size), &block);
    while (!vt_failed(err) && more)
        err = vt__block_next(&block, &row, &more);
    vt__block_fini(&block);
    return 0;
}
