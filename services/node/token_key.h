#ifndef VT_NODE_TOKEN_KEY_H
#define VT_NODE_TOKEN_KEY_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ranking/token.h"

/* The key of the attribution tokens: DIR/token.key, mode 0600, made from the system's randomness at
 * first use. All processes of a cell that share DIR share it; the first to link the file wins. A
 * file of another length is VT_CORRUPT. */
VT_MUST_USE struct vt_err vt_token_key_load(const char *data_dir, struct vt_diag *diag,
                                            unsigned char ret_key[VT_TOKEN_KEY_BYTES]);

#endif
