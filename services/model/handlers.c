/*
 * ModelService. All but GetActive read files, so they run on the shell's one worker thread: at most
 * a handful wait, and two switches of the model never overlap. A damaged version is the caller's
 * FAILED_PRECONDITION here (choose another), where elsewhere damage is an operator's DATA_LOSS.
 */
#include "services/model/handlers.h"

#include "services/common/handler/handler.h"
#include "services/model/wire.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES = 8 << 10, IN_FLIGHT_MAX = 8, TASKS_MAX = 3 * IN_FLIGHT_MAX };
enum {
    SEES = VT_CALLER_TRAINER | VT_CALLER_OPERATOR | VT_CALLER_MARKETER | VT_CALLER_READ_ONLY,
    SWITCHES = VT_CALLER_TRAINER | VT_CALLER_OPERATOR,
};
enum { READ_MS = 10000, SWITCH_MS = 60000 }; /* a large bundle's checksums take seconds */

struct vt_model_rpc {
    const char *data_dir;          /* borrowed */
    struct vt_bundle_set *bundles; /* borrowed */
    struct vt_worker_pool *worker;
};

struct vt_err vt_model_rpc_new(const char *data_dir, struct vt_bundle_set *bundles,
                               struct vt_model_rpc **ret_rpc)
{
    struct vt_model_rpc *rpc = calloc(1, sizeof *rpc);
    VT_CHECK(rpc != NULL, VT_EXHAUSTED, "no memory for the model service");
    rpc->data_dir = data_dir;
    rpc->bundles = bundles;
    struct vt_err err = vt_worker_pool_new(1, TASKS_MAX, &rpc->worker);
    if (vt_failed(err)) {
        free(rpc);
        return err;
    }
    *ret_rpc = rpc;
    return vt_ok();
}

void vt_model_rpc_free(struct vt_model_rpc *rpc)
{
    if (rpc == NULL)
        return;
    vt_worker_pool_free(rpc->worker);
    free(rpc);
}

/* ---- GetActive ---- */

static struct vt_err encode_active(struct vt_model_rpc *rpc, struct vt_request *request,
                                   struct vt_slice *ret_body)
{
    struct vt_bundle *bundle = vt_bundle_set_current(rpc->bundles);
    if (bundle == NULL)
        return vt_wire_version_encode(NULL, request->arena, ret_body);
    struct vt_model_version version = {.view = vt_bundle_view(bundle), .active = true};
    version.version = version.view->version;
    struct vt_err err = vt_wire_version_encode(&version, request->arena, ret_body);
    vt_bundle_release(bundle);
    return err;
}

static struct vt_err get_active(void *service, struct vt_request *request, struct vt_slice body,
                                struct vt_slice *ret_body)
{
    VT_TRY(vt_wire_get_active_decode(body, request->arena, request->diag));
    return encode_active(service, request, ret_body);
}

static void get_active_call(struct vt_rpc_call *call, void *service)
{
    vt_handler_run(call, service, get_active);
}

/* ---- ListVersions ---- */

static struct vt_err add_version(struct vt_model_rpc *rpc, struct vt_wire_versions *page,
                                 const char *name, const char *active)
{
    struct vt_diag diag = {0};
    struct vt_bundle *bundle = NULL;
    struct vt_err err = vt_bundle_open(rpc->data_dir, name, false, &diag, &bundle);
    struct vt_model_version version = {.version = name, .active = strcmp(name, active) == 0};
    if (vt_failed(err))
        version.damage = diag.text[0] != '\0' ? diag.text : err.what;
    else
        version.view = vt_bundle_view(bundle);
    err = vt_wire_versions_add(page, &version);
    vt_bundle_release(bundle);
    return err;
}

static void active_name(struct vt_model_rpc *rpc, char ret_name[VT_VERSION_BYTES_MAX])
{
    struct vt_bundle *bundle = vt_bundle_set_current(rpc->bundles);
    ret_name[0] = '\0';
    if (bundle == NULL)
        return;
    strncat(ret_name, vt_bundle_view(bundle)->version, VT_VERSION_BYTES_MAX - 1);
    vt_bundle_release(bundle);
}

/* Where the page begins: behind the version that the page before ended with. */
static struct vt_err page_start(const char (*names)[VT_VERSION_BYTES_MAX], uint32_t n_names,
                                struct vt_slice after, struct vt_diag *diag, uint32_t *ret_start)
{
    if (after.len == 0) {
        *ret_start = 0;
        return vt_ok();
    }
    for (uint32_t i = 0; i < n_names; i++)
        if (vt_slice_equal(vt_slice_str(names[i]), after)) {
            *ret_start = i + 1;
            return vt_ok();
        }
    vt_diag_set(diag, "page_token", "the version it stands for is gone; begin again without one");
    return VT_ERR(VT_INVALID, "the page token is out of date");
}

static struct vt_err fill_page(struct vt_model_rpc *rpc, struct vt_request *request,
                               const struct vt_wire_list_versions *asked,
                               const char (*names)[VT_VERSION_BYTES_MAX], uint32_t n_names,
                               struct vt_slice *ret_body)
{
    char active[VT_VERSION_BYTES_MAX];
    struct vt_wire_versions page;
    uint32_t start = 0;
    VT_TRY(page_start(names, n_names, asked->after, request->diag, &start));
    uint32_t n = n_names - start < asked->page_size ? n_names - start : asked->page_size;
    active_name(rpc, active);
    VT_TRY(vt_wire_versions_init(&page, n, request->arena));
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(add_version(rpc, &page, names[start + i], active));
    return vt_wire_versions_encode(&page, start + n < n_names, ret_body);
}

static struct vt_err list_versions(void *service, struct vt_request *request, struct vt_slice body,
                                   struct vt_slice *ret_body)
{
    struct vt_model_rpc *rpc = service;
    struct vt_wire_list_versions asked;
    char(*names)[VT_VERSION_BYTES_MAX] = NULL;
    uint32_t n_names = 0;
    VT_TRY(vt_wire_list_versions_decode(body, request->arena, request->diag, &asked));
    VT_TRY(vt_bundle_list(rpc->data_dir, &names, &n_names));
    struct vt_err err = fill_page(rpc, request, &asked, (const char(*)[VT_VERSION_BYTES_MAX])names,
                                  n_names, ret_body);
    free(names);
    return err;
}

static void list_versions_call(struct vt_rpc_call *call, void *service)
{
    struct vt_model_rpc *rpc = service;
    vt_handler_run_on(rpc->worker, call, rpc, list_versions);
}

/* ---- Activate, Rollback ---- */

/* Damage of a version that a caller names is a state to be changed by naming another one. */
static struct vt_err refused(struct vt_err err)
{
    if (err.code == VT_CORRUPT)
        err.code = VT_PRECONDITION;
    return err;
}

static struct vt_err answer_verified(struct vt_model_rpc *rpc, struct vt_request *request,
                                     const char *name, struct vt_slice *ret_body)
{
    struct vt_bundle *bundle = NULL;
    VT_TRY(refused(vt_bundle_open(rpc->data_dir, name, true, request->diag, &bundle)));
    struct vt_model_version version = {.view = vt_bundle_view(bundle), .version = name};
    struct vt_err err = vt_wire_version_encode(&version, request->arena, ret_body);
    vt_bundle_release(bundle);
    return err;
}

static struct vt_err activate(void *service, struct vt_request *request, struct vt_slice body,
                              struct vt_slice *ret_body)
{
    struct vt_model_rpc *rpc = service;
    struct vt_wire_activate asked;
    VT_TRY(vt_wire_activate_decode(body, request->arena, request->diag, &asked));
    if (asked.validate_only)
        return answer_verified(rpc, request, asked.version, ret_body);
    VT_TRY(refused(vt_bundle_set_activate(rpc->bundles, asked.version, request->diag)));
    return encode_active(rpc, request, ret_body);
}

static void activate_call(struct vt_rpc_call *call, void *service)
{
    struct vt_model_rpc *rpc = service;
    vt_handler_run_on(rpc->worker, call, rpc, activate);
}

static struct vt_err previous_or_refusal(struct vt_model_rpc *rpc, struct vt_request *request,
                                         char ret_name[VT_VERSION_BYTES_MAX])
{
    struct vt_err err = vt_bundle_previous(rpc->data_dir, request->diag, ret_name);
    if (err.code != VT_NOT_FOUND)
        return err;
    vt_diag_set(request->diag, "", "no version served before this one; Activate names one");
    return VT_ERR(VT_PRECONDITION, "no version served before this one");
}

static struct vt_err rollback(void *service, struct vt_request *request, struct vt_slice body,
                              struct vt_slice *ret_body)
{
    struct vt_model_rpc *rpc = service;
    bool validate_only = false;
    char previous[VT_VERSION_BYTES_MAX];
    VT_TRY(vt_wire_rollback_decode(body, request->arena, request->diag, &validate_only));
    VT_TRY(previous_or_refusal(rpc, request, previous));
    if (validate_only)
        return answer_verified(rpc, request, previous, ret_body);
    VT_TRY(refused(vt_bundle_set_rollback(rpc->bundles, request->diag)));
    return encode_active(rpc, request, ret_body);
}

static void rollback_call(struct vt_rpc_call *call, void *service)
{
    struct vt_model_rpc *rpc = service;
    vt_handler_run_on(rpc->worker, call, rpc, rollback);
}

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.ModelService/ListVersions", list_versions_call, VT_RPC_UNARY, REQUEST_BYTES,
     READ_MS, IN_FLIGHT_MAX, SEES},
    {"/vitrine.v1.ModelService/GetActive", get_active_call, VT_RPC_UNARY, REQUEST_BYTES, READ_MS, 0,
     SEES},
    {"/vitrine.v1.ModelService/Activate", activate_call, VT_RPC_UNARY, REQUEST_BYTES, SWITCH_MS,
     IN_FLIGHT_MAX, SWITCHES},
    {"/vitrine.v1.ModelService/Rollback", rollback_call, VT_RPC_UNARY, REQUEST_BYTES, SWITCH_MS,
     IN_FLIGHT_MAX, SWITCHES},
};

const struct vt_rpc_method *vt_model_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
