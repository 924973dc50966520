/* Any bytes, as the requests of ModelService. A version that was taken must be a name, since it
 * becomes part of a path. */
#include "services/model/wire.h"
#include "tests/testlib/fuzz.h"

#include <string.h>

static struct vt_err list_versions(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_list_versions request;
    VT_TRY(vt_wire_list_versions_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.page_size >= 1 && request.page_size <= 1000);
    vt_fuzz_read(&request.after, 1);
    return vt_ok();
}

static struct vt_err activate(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                              struct vt_slice *ret_again)
{
    (void)ret_again;
    struct vt_wire_activate request;
    VT_TRY(vt_wire_activate_decode(body, arena, diag, &request));
    vt_fuzz_expect(request.version[0] != '\0' && request.version[0] != '.');
    vt_fuzz_expect(strchr(request.version, '/') == NULL && strlen(request.version) <= 64);
    return vt_ok();
}

static struct vt_err rollback(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                              struct vt_slice *ret_again)
{
    (void)ret_again;
    bool validate_only;
    return vt_wire_rollback_decode(body, arena, diag, &validate_only);
}

static struct vt_err get_active(struct vt_slice body, struct vt_arena *arena, struct vt_diag *diag,
                                struct vt_slice *ret_again)
{
    (void)ret_again;
    return vt_wire_get_active_decode(body, arena, diag);
}

static const vt_fuzz_case_fn cases[] = {list_versions, activate, rollback, get_active};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return vt_fuzz_run(cases, sizeof cases / sizeof cases[0], data, size);
}
