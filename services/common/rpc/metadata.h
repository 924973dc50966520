#ifndef VT_RPC_METADATA_H
#define VT_RPC_METADATA_H

#include "services/common/base/slice.h"

/* One ASCII metadata entry of a call; key in lower case. Borrowed. */
struct vt_rpc_metadata {
    const char *key; /* "vitrine-key" */
    struct vt_slice value;
};

#endif
