/* X.509 by OpenSSL, on P-256 keys, which are made in no time. */
#include "tests/testlib/certs.h"

#include "services/common/base/err.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512, DAY_S = 24 * 60 * 60 };

static void path_of(const char *folder, const char *name, const char *ending, char path[PATH_BYTES])
{
    int n = snprintf(path, PATH_BYTES, "%s/%s.%s", folder, name, ending);
    VT_ASSERT(n > 0 && n < PATH_BYTES);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    VT_ASSERT(file != NULL);
    return file;
}

static X509 *read_certificate(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    path_of(folder, name, "pem", path);
    FILE *file = open_file(path, "r");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    VT_ASSERT(certificate != NULL);
    return certificate;
}

static EVP_PKEY *read_key(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    path_of(folder, name, "key", path);
    FILE *file = open_file(path, "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    VT_ASSERT(key != NULL);
    return key;
}

static void write_files(const char *folder, const char *name, EVP_PKEY *key, X509 *certificate)
{
    char path[PATH_BYTES], beside[PATH_BYTES];
    path_of(folder, name, "new", beside);
    path_of(folder, name, "key", path);
    FILE *file = open_file(beside, "w");
    VT_ASSERT(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    VT_ASSERT(fclose(file) == 0 && rename(beside, path) == 0);
    path_of(folder, name, "pem", path);
    file = open_file(beside, "w");
    VT_ASSERT(PEM_write_X509(file, certificate) == 1);
    VT_ASSERT(fclose(file) == 0 && rename(beside, path) == 0);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    if (value == NULL)
        return;
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    VT_ASSERT(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void fill(X509 *x509, const struct vt_test_certificate *wanted, EVP_PKEY *key)
{
    bool dated = wanted->from_day != 0 || wanted->until_day != 0;
    unsigned char serial[8];
    VT_ASSERT(RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7F;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    X509_set_version(x509, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x509), (dated ? wanted->from_day : -1) * (long)DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(x509), (dated ? wanted->until_day : 1) * (long)DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               (const unsigned char *)wanted->name, -1, -1, 0);
    X509_set_pubkey(x509, key);
    add_extension(x509, NID_basic_constraints,
                  wanted->issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(x509, NID_subject_alt_name, wanted->alternatives);
    add_extension(x509, NID_ext_key_usage, wanted->purposes);
}

void vt_test_certificate_make(const char *folder, const struct vt_test_certificate *certificate)
{
    const char *issuer = certificate->issuer;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    VT_ASSERT(key != NULL && x509 != NULL);
    fill(x509, certificate, key);
    EVP_PKEY *signer = issuer != NULL ? read_key(folder, issuer) : key;
    X509 *authority = issuer != NULL ? read_certificate(folder, issuer) : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(authority));
    VT_ASSERT(X509_sign(x509, signer, EVP_sha256()) > 0);
    write_files(folder, certificate->name, key, x509);
    if (issuer != NULL) {
        EVP_PKEY_free(signer);
        X509_free(authority);
    }
    EVP_PKEY_free(key);
    X509_free(x509);
}
