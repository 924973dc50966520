/* Any bytes, as the largest messages of the contract: no crash, and what decodes holds only text.
 * The first byte chooses the message. */
#include "services/common/base/text.h"
#include "services/common/pb/pb.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/event.pb-c.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &vitrine__v1__write_events_request__descriptor,
    &vitrine__v1__upsert_items_request__descriptor,
    &vitrine__v1__recommend_request__descriptor,
    &vitrine__v1__rank_request__descriptor,
};
enum { N_TYPES = sizeof types / sizeof types[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char memory[1 << 18];
    struct vt_arena arena;
    struct vt_diag diag = {0};
    ProtobufCMessage *message = NULL;
    size_t bad = 0;
    if (size == 0)
        return 0;
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_err err = vt_pb_decode(types[data[0] % N_TYPES], vt_slice(data + 1, size - 1), &arena,
                                     &diag, &message);
    if (!vt_failed(err) != (message != NULL))
        abort();
    if (vt_failed(err) && !vt_text_valid(vt_slice_str(diag.text), &bad))
        abort();
    return 0;
}
