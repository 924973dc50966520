#ifndef VT_PROTO_DESCRIPTORS_H
#define VT_PROTO_DESCRIPTORS_H

/* The serialised google.protobuf.FileDescriptorSet of every .proto this build serves, imports
 * included: [vt_proto_descriptors, vt_proto_descriptors_end). Immutable, any thread. */
extern const unsigned char vt_proto_descriptors[];
extern const unsigned char vt_proto_descriptors_end[];

#endif
