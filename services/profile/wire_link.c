/*
 * LinkIdentities as protobuf. The answer has numbers for programs and a note for people, who must
 * not learn from a changed history alone what unlinking does not undo.
 */
#include "services/profile/wire_link.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/identity.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/profile.pb-c.h"

struct vt_err vt_wire_link_decode(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag, struct vt_wire_link *ret_request)
{
    Vitrine__V1__LinkIdentitiesRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__link_identities_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(vt_check_count(message->n_identities, message->unlink ? 1 : 2, VT_LINK_IDENTITIES_MAX,
                          VT_FIELD("identities"), diag));
    struct vt_identity *identities =
        vt_arena_array(arena, message->n_identities, sizeof *identities);
    if (identities == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_identities; i++)
        identities[i] = vt_wire_identity(message->identities[i]);
    *ret_request = (struct vt_wire_link){
        .link = {.identities = identities,
                 .n_identities = (uint32_t)message->n_identities,
                 .merge_members = message->merge_members,
                 .unlink = message->unlink},
        .validate_only = message->validate_only,
    };
    return vt_ok();
}

static const char *note_of(const struct vt_wire_link *request, const struct vt_link_result *result)
{
    if (!result->changed)
        return request->link.unlink ? "nothing to unlink: nobody has these ids"
                                    : "linked already: nothing changed";
    if (request->validate_only)
        return "validate_only: nothing was changed";
    if (request->link.unlink)
        return "future events only: what was recorded stays in the customer's history and in the "
               "log";
    return result->n_merged != 0 ? "histories, attributes and consents are merged; the log keeps "
                                   "what was recorded when"
                                 : "the ids lead to this customer from now on";
}

struct vt_err vt_wire_link_encode(const struct vt_wire_link *request,
                                  const struct vt_link_result *result, struct vt_arena *arena,
                                  struct vt_slice *ret_body)
{
    Vitrine__V1__LinkIdentitiesResponse response = VITRINE__V1__LINK_IDENTITIES_RESPONSE__INIT;
    response.customer_number = result->customer_number;
    response.changed = result->changed;
    response.added_identities = result->n_added;
    response.merged_customers = result->n_merged;
    response.unlinked_identities = result->n_unlinked;
    response.note = (char *)note_of(request, result);
    return vt_wire_encode(&response.base, arena, ret_body);
}
