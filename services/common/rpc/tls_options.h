#ifndef VT_RPC_TLS_OPTIONS_H
#define VT_RPC_TLS_OPTIONS_H

#include "services/common/base/options.h"
#include "services/common/rpc/tls.h"

/* The rows that a command's option table has for a struct vt_rpc_tls_flags: `field_` of the table's
 * target struct `type_`. */
#define VT_TLS_OPTION(type_, field_, name_, argument_, help_)                                      \
    {                                                                                              \
        .name = (name_), .kind = VT_OPTION_TEXT, .offset = offsetof(type_, field_),                \
        .argument = (argument_), .help = (help_)                                                   \
    }
#define VT_TLS_OPTIONS(type_, field_)                                                              \
    VT_TLS_OPTION(type_, field_.ca, "tls-ca", "FILE",                                              \
                  "speak TLS: authorities of the other side's certificates, PEM"),                 \
        VT_TLS_OPTION(type_, field_.cert, "tls-cert", "FILE", "own certificate with chain, PEM"),  \
        VT_TLS_OPTION(type_, field_.key, "tls-key", "FILE", "its key, PEM without passphrase"),    \
        VT_TLS_OPTION(type_, field_.server_name, "tls-server-name", "NAME",                        \
                      "name in the called server's certificate, when not its address")

#endif
