#ifndef VT_GATEWAY_ADMIN_H
#define VT_GATEWAY_ADMIN_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

/*
 * Sends a request without a body, "POST /healthcheck/fail" or "GET /ready", to Envoy's admin page
 * at `address` ("127.0.0.1:9901", numeric; "[::1]:9901") and waits for its answer, each step for at
 * most two seconds. VT_INVALID: no such form of address; VT_UNAVAILABLE: nobody there, or an answer
 * other than 200; `diag` has the text.
 */
VT_MUST_USE struct vt_err vt_gateway_ask(const char *address, const char *request,
                                         struct vt_diag *diag);

#endif
