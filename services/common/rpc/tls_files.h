#ifndef VT_RPC_TLS_FILES_H
#define VT_RPC_TLS_FILES_H

#include "services/common/rpc/tls.h"

enum { VT__TLS_FILE_BYTES_MAX = 1 << 20, VT__TLS_NAME_BYTES = 256 };

/* What the three files held when they were read and found good. PEM texts end with NUL. */
struct vt__tls_files {
    char *cert, *key;     /* owned; NULL when the options name none */
    char *ca;             /* owned */
    int64_t cert_until_s; /* Unix time when the certificate is out of date; without one for ever */
    int64_t ca_until_s;   /* the same of the authority whose day is over first */
    /* The certificate's first DNS name or IP address, which callers verify; "" for none. */
    char name[VT__TLS_NAME_BYTES];
    unsigned roles; /* that the certificate gives */
};

/* Reads and judges them; blocks. Errors as of vt_rpc_tls_new. Free with _fini. */
VT_MUST_USE struct vt_err vt__tls_files_read(const struct vt_rpc_tls_options *options,
                                             struct vt_diag *diag, struct vt__tls_files *ret_files);
/* Wipes the key. Zeroed files are allowed. */
void vt__tls_files_fini(struct vt__tls_files *files);

#endif
