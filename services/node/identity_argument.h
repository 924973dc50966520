#ifndef VT_NODE_IDENTITY_ARGUMENT_H
#define VT_NODE_IDENTITY_ARGUMENT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/identity.h"

/* "TYPE:ID[@CHANNEL]" of a command line, borrowed; NULL reads as nobody. VT_INVALID says what would
 * be right. */
VT_MUST_USE struct vt_err vt_identity_argument(const char *text, struct vt_diag *diag,
                                               struct vt_identity *ret_identity);

#endif
