/*
 * Model versions as protobuf. The name of a version becomes a folder's name, so it is judged here
 * against what the trainer gives out: nothing that could leave the bundles' folder.
 */
#include "services/model/wire.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/page.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/model.pb-c.h"

#include <ctype.h>

enum { LIST_VERSIONS = 'V' };
_Static_assert((int)VT_VERSION_BYTES_MAX <= (int)VT_PAGE_PLACE_BYTES_MAX,
               "a version fits a page token");

/* ---- requests ---- */

static bool is_version(struct vt_slice name)
{
    if (name.len == 0 || name.len >= VT_VERSION_BYTES_MAX || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c > 126 || (!isalnum(c) && c != '.' && c != '-' && c != '_'))
            return false;
    }
    return true;
}

struct vt_err vt_wire_list_versions_decode(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag,
                                           struct vt_wire_list_versions *ret_request)
{
    Vitrine__V1__ListVersionsRequest *message = NULL;
    struct vt_wire_list_versions request = {0};
    VT_TRY(
        vt_pb_decode(&vitrine__v1__list_versions_request__descriptor, body, arena, diag, &message));
    VT_TRY(vt_page_size(message->page_size, diag, &request.page_size));
    VT_TRY(vt_page_place(arena, LIST_VERSIONS, vt_slice_str(message->page_token), diag,
                         &request.after));
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_activate_decode(struct vt_slice body, struct vt_arena *arena,
                                      struct vt_diag *diag, struct vt_wire_activate *ret_request)
{
    Vitrine__V1__ActivateRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__activate_request__descriptor, body, arena, diag, &message));
    if (!is_version(vt_slice_str(message->version)))
        return vt_check_failed(VT_FIELD("version"), diag,
                               "'%.64s' is no version; ListVersions names them", message->version);
    ret_request->version = message->version;
    ret_request->validate_only = message->validate_only;
    return vt_ok();
}

struct vt_err vt_wire_rollback_decode(struct vt_slice body, struct vt_arena *arena,
                                      struct vt_diag *diag, bool *ret_validate_only)
{
    Vitrine__V1__RollbackRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__rollback_request__descriptor, body, arena, diag, &message));
    *ret_validate_only = message->validate_only;
    return vt_ok();
}

struct vt_err vt_wire_get_active_decode(struct vt_slice body, struct vt_arena *arena,
                                        struct vt_diag *diag)
{
    Vitrine__V1__GetActiveRequest *message = NULL;
    return vt_pb_decode(&vitrine__v1__get_active_request__descriptor, body, arena, diag, &message);
}

/* ---- answers ---- */

static struct vt_err fill_metrics(const struct vt_bundle_view *view, struct vt_arena *arena,
                                  Vitrine__V1__ModelVersion *message)
{
    message->metrics = vt_wire_messages(
        arena, &vitrine__v1__model_version__metrics_entry__descriptor, view->n_metrics);
    if (message->metrics == NULL)
        return vt_wire_full();
    message->n_metrics = view->n_metrics;
    for (uint32_t i = 0; i < view->n_metrics; i++) {
        message->metrics[i]->key = vt_wire_text(arena, vt_slice_str(view->metrics[i].name));
        message->metrics[i]->value = view->metrics[i].value;
    }
    return vt_ok();
}

static struct vt_err fill_version(const struct vt_model_version *version, struct vt_arena *arena,
                                  Vitrine__V1__ModelVersion *message)
{
    const struct vt_bundle_view *view = version->view;
    message->version = vt_wire_text(arena, vt_slice_str(version->version));
    message->damage = vt_wire_text(arena, vt_slice_str(version->damage));
    message->active = version->active;
    if (view == NULL)
        return vt_ok();
    message->parent = vt_wire_text(arena, vt_slice_str(view->parent));
    message->algorithm = vt_wire_text(arena, vt_slice_str(view->algorithm));
    message->create_time = vt_wire_time_encode(arena, view->create_time_ms);
    message->users = view->n_users;
    message->items = view->n_items;
    message->interactions = view->n_interactions;
    return fill_metrics(view, arena, message);
}

struct vt_err vt_wire_versions_init(struct vt_wire_versions *page, uint32_t capacity,
                                    struct vt_arena *arena)
{
    *page = (struct vt_wire_versions){.arena = arena, .capacity = capacity};
    page->messages = vt_wire_messages(arena, &vitrine__v1__model_version__descriptor, capacity);
    return page->messages != NULL ? vt_ok() : vt_wire_full();
}

struct vt_err vt_wire_versions_add(struct vt_wire_versions *page,
                                   const struct vt_model_version *version)
{
    VT_ASSERT(page->n < page->capacity);
    return fill_version(version, page->arena, page->messages[page->n++]);
}

struct vt_err vt_wire_versions_encode(const struct vt_wire_versions *page, bool more,
                                      struct vt_slice *ret_body)
{
    Vitrine__V1__ListVersionsResponse response = VITRINE__V1__LIST_VERSIONS_RESPONSE__INIT;
    response.n_versions = page->n;
    response.versions = page->messages;
    if (more && page->n > 0)
        response.next_page_token = vt_wire_text(
            page->arena, vt_page_token(page->arena, LIST_VERSIONS,
                                       vt_slice_str(page->messages[page->n - 1]->version)));
    return vt_wire_encode(&response.base, page->arena, ret_body);
}

struct vt_err vt_wire_version_encode(const struct vt_model_version *version, struct vt_arena *arena,
                                     struct vt_slice *ret_body)
{
    Vitrine__V1__GetActiveResponse response = VITRINE__V1__GET_ACTIVE_RESPONSE__INIT;
    if (version != NULL) {
        response.version = vt_wire_message(arena, &vitrine__v1__model_version__descriptor);
        if (response.version == NULL)
            return vt_wire_full();
        VT_TRY(fill_version(version, arena, response.version));
    }
    return vt_wire_encode(&response.base, arena, ret_body);
}
