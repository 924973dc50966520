/*
 * Three files or none: with them the port is mutual TLS, and the parts of the cell call each other
 * with the same certificate; without them it stays on the loopback, unless told otherwise in words
 * that nobody types by accident. Contradictions are refused rather than resolved.
 */
#include "services/node/serve_tls.h"

#include "services/common/rpc/listen.h"

enum { LOOK_EVERY_MS = 1000 }; /* at the files: three calls of stat */

static bool wants_tls(const struct vt_serve_options *options)
{
    return options->tls.cert != NULL || options->tls.key != NULL || options->tls.ca != NULL;
}

static struct vt_err contradiction(const char *option, const char *text, struct vt_diag *diag)
{
    vt_diag_set(diag, option, "%s", text);
    return VT_ERR(VT_INVALID, "options do not fit together");
}

static struct vt_err check_plaintext(const struct vt_serve_options *options, struct vt_diag *diag)
{
    if (options->tls.server_name != NULL)
        return contradiction("tls-server-name", "has no meaning without --tls-cert", diag);
    return options->plaintext_from_the_network ? vt_ok()
                                               : vt_rpc_listen_check(options->listen, diag);
}

struct vt_err vt_serve_tls_check(const struct vt_serve_options *options, struct vt_diag *diag)
{
    struct vt_rpc_tls *tls = NULL;
    if (!wants_tls(options))
        return check_plaintext(options, diag);
    if (options->plaintext_from_the_network)
        return contradiction("i-accept-plaintext-from-the-network",
                             "with --tls-cert there is no plaintext; leave one of them out", diag);
    struct vt_rpc_tls_options files = {
        .cert = options->tls.cert, .key = options->tls.key, .ca = options->tls.ca, .serves = true};
    VT_TRY(vt_rpc_tls_new(&files, diag, &tls));
    vt_rpc_tls_free(tls);
    return vt_ok();
}

struct vt_err vt_serve_tls_open(const struct vt_serve_options *options, struct vt_metrics *metrics,
                                struct vt_diag *diag, struct vt_rpc_tls **ret_tls)
{
    const struct vt_rpc_tls_options files = {.cert = options->tls.cert,
                                             .key = options->tls.key,
                                             .ca = options->tls.ca,
                                             .serves = true,
                                             .poll_ms = LOOK_EVERY_MS,
                                             .metrics = metrics};
    *ret_tls = NULL;
    return wants_tls(options) ? vt_rpc_tls_new(&files, diag, ret_tls) : vt_ok();
}
