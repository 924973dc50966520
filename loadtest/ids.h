#ifndef LOADTEST_IDS_H
#define LOADTEST_IDS_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stddef.h>

struct vt_rpc_channel;

enum { IDS_MAX = 1000000, IDS_FILE_BYTES_MAX = 64 << 20, IDS_ASKED_MAX = 100000 };

/* Customers or SKUs to draw from: NUL-terminated, in memory of their own. Immutable once filled. */
struct id_list {
    struct vt_arena arena;
    const char **ids; /* owned array, borrowed texts */
    size_t n;
};

/* C000001 to n, as `vitrine demo-data` names customers. `list` is zeroed first; 1 ≤ n ≤ IDS_MAX. */
VT_MUST_USE struct vt_err ids_numbered(size_t n, struct id_list *list);
/* A file with an id a line. VT_INVALID: none in it; VT_EXHAUSTED: too many; as vt_file_read. */
VT_MUST_USE struct vt_err ids_from_file(const char *path, struct vt_diag *diag,
                                        struct id_list *list);
/* The first n SKUs of a cell's catalog; when it lists none (a floor), SKU000000 and on, as
 * vitrine-bench names them. Blocks; 1 ≤ n ≤ IDS_ASKED_MAX. Errors of the call. */
VT_MUST_USE struct vt_err ids_ask_catalog(struct vt_rpc_channel *channel, size_t n,
                                          struct vt_diag *diag, struct id_list *list);
void ids_fini(struct id_list *list); /* a zeroed one is allowed */

#endif
