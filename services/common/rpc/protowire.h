#ifndef VT_RPC_PROTOWIRE_H
#define VT_RPC_PROTOWIRE_H

#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Protobuf's wire format for the few small messages that gRPC itself brings (health, reflection,
 * google.rpc.Status): their two reflection packages are the same on the wire, and the decoder for
 * the contract lies in another layer.
 */

struct vt__wire_field {
    uint32_t number;
    uint32_t wire_type;    /* 0, 1, 2 or 5 */
    uint64_t value;        /* of types 0, 1 and 5 */
    struct vt_slice bytes; /* of type 2; borrowed */
};

/* Takes the next field off *rest. False at the end, and when the rest is malformed (then *rest is
 * not empty). Any thread; allocates nothing. */
bool vt__wire_next(struct vt_slice *rest, struct vt__wire_field *ret_field);

/* Writes into the caller's memory; what does not fit only sets `overflow`. */
struct vt__wire_writer {
    unsigned char *data;
    size_t capacity, len; /* bytes */
    bool overflow;
};

/* One field each, tag included. */
void vt__wire_put_varint(struct vt__wire_writer *writer, uint32_t number, uint64_t value);
void vt__wire_put_bytes(struct vt__wire_writer *writer, uint32_t number, struct vt_slice bytes);
/* What fitted so far; borrowed. */
struct vt_slice vt__wire_written(const struct vt__wire_writer *writer);

#endif
