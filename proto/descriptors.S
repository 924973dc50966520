/* The compiled contract (a google.protobuf.FileDescriptorSet), embedded for reflection. */
    .section .rodata
    .global vt_proto_descriptors
    .global vt_proto_descriptors_end
    .balign 16
vt_proto_descriptors:
    .incbin "vitrine.binpb"
vt_proto_descriptors_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
