#ifndef VT_TESTLIB_CERTS_H
#define VT_TESTLIB_CERTS_H

/* Certificates for tests, good and bad ones. */
struct vt_test_certificate {
    const char *name;         /* of the files: FOLDER/name.pem, FOLDER/name.key */
    const char *issuer;       /* name of the authority; NULL: it is an authority itself */
    const char *alternatives; /* "URI:vitrine://role/service,DNS:localhost"; NULL: none */
    const char *purposes;     /* "serverAuth,clientAuth"; NULL: not limited */
    int from_day, until_day;  /* from now; both 0: yesterday to tomorrow */
};

/* Writes both files by rename, the key first. Fails the test when it cannot. */
void vt_test_certificate_make(const char *folder, const struct vt_test_certificate *certificate);

#endif
