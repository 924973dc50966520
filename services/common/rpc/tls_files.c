/*
 * Certificates as files: whatever would fail later, at somebody's handshake, is found here and told
 * with the option, the file and the reason. A key that does not fit its certificate, a certificate
 * out of date or signed by somebody else, one that may not serve or not call: gRPC would take the
 * bytes and refuse every connection. OpenSSL judges; gRPC, which uses it too, gets the PEM texts.
 */
#include "services/common/rpc/tls_files.h"

#include "services/common/base/file.h"
#include "services/common/rpc/call.h"
#include "services/common/rpc/certified.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 16, AUTHORITIES_MAX = 256 };

/* The parsed files while they are judged. */
struct judged {
    const struct vt_rpc_tls_options *options;
    struct vt_diag *diag;
    STACK_OF(X509) * chain, *authorities; /* owned; chain[0] is the certificate itself */
    EVP_PKEY *key;                        /* owned */
};

/* ---- reading and parsing ---- */

static struct vt_err read_file(const char *option, const char *path, struct vt_diag *diag,
                               char **ret_text)
{
    struct vt_diag why = {0};
    char *text = NULL;
    size_t len = 0;
    struct vt_err err = vt_file_read(path, VT__TLS_FILE_BYTES_MAX, &why, &text, &len);
    if (vt_failed(err)) {
        vt_diag_set(diag, option, "%s", why.text[0] != '\0' ? why.text : err.what);
        return err;
    }
    *ret_text = text;
    return vt_ok();
}

static BIO *text_of(const char *pem)
{
    return BIO_new_mem_buf(pem, -1);
}

/* Every certificate of the file, at least one and at most `max`. */
static struct vt_err parse_certificates(const char *option, const char *path, const char *pem,
                                        int max, struct vt_diag *diag, STACK_OF(X509) * *ret_all)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *bio = text_of(pem);
    VT_ASSERT(all != NULL && bio != NULL);
    for (X509 *one; (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;)
        VT_ASSERT(sk_X509_push(all, one) > 0);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    *ret_all = all;
    if (at_end && sk_X509_num(all) > 0 && sk_X509_num(all) <= max)
        return vt_ok();
    vt_diag_set(diag, option,
                at_end && sk_X509_num(all) > max
                    ? "%s holds more than %d certificates"
                    : "%s is not a file of PEM certificates (up to %d)",
                path, max);
    return VT_ERR(VT_INVALID, "not PEM certificates");
}

/* Nobody types a passphrase into a server. */
static int no_passphrase(char *buffer, int size, int writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static struct vt_err parse_key(struct judged *judged, const char *pem)
{
    BIO *bio = text_of(pem);
    VT_ASSERT(bio != NULL);
    judged->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (judged->key != NULL)
        return vt_ok();
    vt_diag_set(judged->diag, "tls-key",
                "%s is not a private key in PEM, or it wants a passphrase: store it without one, "
                "readable by the server's user only",
                judged->options->key);
    return VT_ERR(VT_INVALID, "not a private key");
}

/* ---- judging ---- */

static int64_t unix_time(const ASN1_TIME *time)
{
    struct tm parts = {0};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static struct vt_err check_pair(const struct judged *judged)
{
    int fits = X509_check_private_key(sk_X509_value(judged->chain, 0), judged->key);
    ERR_clear_error();
    if (fits == 1)
        return vt_ok();
    vt_diag_set(judged->diag, "tls-key", "%s is not the key of the certificate in %s",
                judged->options->key, judged->options->cert);
    return VT_ERR(VT_INVALID, "key and certificate do not fit");
}

/* Would the other side accept it? `purpose` is OpenSSL's, `doing` is for people. */
static struct vt_err check_purpose(const struct judged *judged, int purpose, const char *doing)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    VT_ASSERT(store != NULL && context != NULL);
    for (int i = 0; i < sk_X509_num(judged->authorities); i++)
        X509_STORE_add_cert(store, sk_X509_value(judged->authorities, i));
    VT_ASSERT(X509_STORE_CTX_init(context, store, sk_X509_value(judged->chain, 0), judged->chain) ==
              1);
    X509_STORE_CTX_set_purpose(context, purpose);
    bool good = X509_verify_cert(context) == 1;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    if (good)
        return vt_ok();
    vt_diag_set(judged->diag, "tls-cert", "%s does not do for %s, by the authorities in %s: %s",
                judged->options->cert, doing, judged->options->ca, why);
    return VT_ERR(VT_INVALID, "the certificate would be refused");
}

static void take_name(const GENERAL_NAME *name, struct vt__tls_files *files)
{
    const ASN1_STRING *text = name->type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    const unsigned char *bytes = ASN1_STRING_get0_data(text);
    int len = ASN1_STRING_length(text);
    if (name->type == GEN_DNS && files->name[0] == '\0' && len < VT__TLS_NAME_BYTES)
        snprintf(files->name, sizeof files->name, "%.*s", len, (const char *)bytes);
    else if (name->type == GEN_IPADD && files->name[0] == '\0' && (len == 4 || len == 16))
        inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, files->name, sizeof files->name);
}

static void take_names(const X509 *certificate, struct vt__tls_files *files)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        take_name(sk_GENERAL_NAME_value(names, i), files);
    GENERAL_NAMES_free(names);
    files->roles = vt__certified_roles(certificate);
}

/* Of a caller no more can be judged: who signed it is known to the server it calls. */
static struct vt_err check_dates(const struct judged *judged, const X509 *certificate)
{
    const char *why = NULL;
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        why = "is not yet valid";
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        why = "has expired";
    if (why == NULL)
        return vt_ok();
    vt_diag_set(judged->diag, "tls-cert", "the certificate in %s %s", judged->options->cert, why);
    return VT_ERR(VT_INVALID, "the certificate would be refused");
}

static struct vt_err check_server(const struct judged *judged, const struct vt__tls_files *files)
{
    VT_TRY(check_purpose(judged, X509_PURPOSE_SSL_SERVER, "serving"));
    VT_TRY(check_purpose(judged, X509_PURPOSE_SSL_CLIENT, "calling"));
    const char *lack = NULL;
    if (files->name[0] == '\0')
        lack = "a DNS name or IP address, which callers verify";
    if ((files->roles & VT_CALLER_SERVICE) == 0)
        lack = "the URI vitrine://role/service, by which the parts of a cell know each other";
    if (lack == NULL)
        return vt_ok();
    vt_diag_set(judged->diag, "tls-cert", "%s lacks, among its alternative names, %s",
                judged->options->cert, lack);
    return VT_ERR(VT_INVALID, "the certificate is not one of a server");
}

static struct vt_err judge_certificate(struct judged *judged, struct vt__tls_files *files)
{
    const struct vt_rpc_tls_options *options = judged->options;
    VT_TRY(read_file("tls-cert", options->cert, judged->diag, &files->cert));
    VT_TRY(read_file("tls-key", options->key, judged->diag, &files->key));
    VT_TRY(parse_certificates("tls-cert", options->cert, files->cert, CHAIN_MAX, judged->diag,
                              &judged->chain));
    VT_TRY(parse_key(judged, files->key));
    VT_TRY(check_pair(judged));
    X509 *certificate = sk_X509_value(judged->chain, 0);
    files->cert_until_s = unix_time(X509_get0_notAfter(certificate));
    take_names(certificate, files);
    return options->serves ? check_server(judged, files) : check_dates(judged, certificate);
}

static struct vt_err judge_authorities(struct judged *judged, struct vt__tls_files *files)
{
    const char *path = judged->options->ca;
    VT_TRY(read_file("tls-ca", path, judged->diag, &files->ca));
    VT_TRY(parse_certificates("tls-ca", path, files->ca, AUTHORITIES_MAX, judged->diag,
                              &judged->authorities));
    files->ca_until_s = INT64_MAX;
    for (int i = 0; i < sk_X509_num(judged->authorities); i++) {
        int64_t until_s = unix_time(X509_get0_notAfter(sk_X509_value(judged->authorities, i)));
        if (until_s < files->ca_until_s)
            files->ca_until_s = until_s;
    }
    return vt_ok();
}

static struct vt_err check_options(const struct vt_rpc_tls_options *options, struct vt_diag *diag)
{
    const char *lack = NULL;
    if (options->ca == NULL)
        lack = "tls-ca";
    else if (options->cert == NULL && (options->key != NULL || options->serves))
        lack = "tls-cert";
    else if (options->key == NULL && options->cert != NULL)
        lack = "tls-key";
    if (lack == NULL)
        return vt_ok();
    vt_diag_set(diag, lack, "is missing: certificate, key and authority belong together");
    return VT_ERR(VT_INVALID, "half a TLS configuration");
}

struct vt_err vt__tls_files_read(const struct vt_rpc_tls_options *options, struct vt_diag *diag,
                                 struct vt__tls_files *ret_files)
{
    struct vt__tls_files files = {.cert_until_s = INT64_MAX};
    struct judged judged = {.options = options, .diag = diag};
    VT_TRY(check_options(options, diag));
    struct vt_err err = judge_authorities(&judged, &files);
    if (!vt_failed(err) && options->cert != NULL)
        err = judge_certificate(&judged, &files);
    sk_X509_pop_free(judged.chain, X509_free);
    sk_X509_pop_free(judged.authorities, X509_free);
    EVP_PKEY_free(judged.key);
    if (vt_failed(err))
        vt__tls_files_fini(&files);
    else
        *ret_files = files;
    return err;
}

void vt__tls_files_fini(struct vt__tls_files *files)
{
    if (files->key != NULL)
        OPENSSL_cleanse(files->key, strlen(files->key));
    free(files->cert);
    free(files->key);
    free(files->ca);
    *files = (struct vt__tls_files){0};
}
