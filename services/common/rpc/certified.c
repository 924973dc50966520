/*
 * A certificate of the cell's own authority that names no role could make no call (access.c), but
 * its holder would speak HTTP/2 with libgrpc first, which is not fit for strangers
 * (docs/operations.md, "Certificates"). So it is refused where those of other authorities are, in
 * the TLS handshake.
 *
 * gRPC's server credentials have no place for a rule about certificates. They call
 * SSL_CTX_set_verify without a callback, and a program's symbols come before those of its
 * libraries: the one here calls OpenSSL's with ours (docs/adr/0196). Only who demands certificates
 * of callers is meant; clients, and libraries that bring a callback, get what they asked for.
 * Should another libgrpc ask otherwise, tests/integration/deploy/strangers_test.py fails, and the
 * rule of each call still holds.
 *
 * Any thread: OpenSSL calls back on that of the handshake. One parse of the alternative names for
 * a connection.
 */
#include "services/common/rpc/certified.h"

#include "services/common/rpc/access.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

enum { REASON_NO_ROLE = 1 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int error_library; /* written once, before any handshake */

unsigned vt__certified_roles(const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    unsigned roles = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_STRING *uri = name->d.uniformResourceIdentifier;
        roles |= vt__access_roles_of_uri(
            vt_slice(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)));
    }
    GENERAL_NAMES_free(names);
    return roles;
}

/* OpenSSL's verdict on each certificate of the chain; the caller's own comes last. */
static int judge(int is_good, X509_STORE_CTX *chain)
{
    if (is_good == 0 || X509_STORE_CTX_get_error_depth(chain) != 0 ||
        vt__certified_roles(X509_STORE_CTX_get_current_cert(chain)) != 0)
        return is_good;
    ERR_raise(error_library, REASON_NO_ROLE); /* the first error of a handshake is its reason */
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static void load_text(void)
{
    static ERR_STRING_DATA text[] = {{0, VT__NO_ROLE_TEXT}, {0, NULL}};
    error_library = ERR_get_next_error_library();
    text[0].error = ERR_PACK(error_library, 0, REASON_NO_ROLE);
    ERR_load_strings(error_library, text);
}

void vt__certified_init(void)
{
    pthread_once(&once, load_text);
}

/* Instead of OpenSSL's, for libgrpc. */
void SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback)
{
    void (*theirs)(SSL_CTX *, int, SSL_verify_cb);
    *(void **)&theirs = dlsym(RTLD_NEXT, "SSL_CTX_set_verify"); /* POSIX allows it */
    VT_ASSERT(theirs != NULL); /* whoever has a context has the library */
    if ((mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0 && callback == NULL)
        callback = judge;
    theirs(context, mode, callback);
}
