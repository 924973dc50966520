/* vitrine link: LinkIdentities. */
#include "services/client/client.h"
#include "services/client/identity.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "vitrine/v1/profile.pb-c.h"

#include <stdio.h>

static int print_linked(const struct vt_client *client, const void *message)
{
    const Vitrine__V1__LinkIdentitiesResponse *answer = message;
    if (client->json)
        return vt__print_json(&answer->base);
    if (answer->customer_number != 0)
        printf("customer %llu: ", (unsigned long long)answer->customer_number);
    printf("%u ids added, %u customers merged, %u ids unlinked\n%s\n", answer->added_identities,
           answer->merged_customers, answer->unlinked_identities, answer->note);
    return 0;
}

int vt_client_link(const struct vt_client *client, const struct vt_client_link *link)
{
    struct vt__identity_message rooms[VT_CLIENT_LINK_MAX];
    Vitrine__V1__Identity *identities[VT_CLIENT_LINK_MAX];
    Vitrine__V1__LinkIdentitiesRequest request = VITRINE__V1__LINK_IDENTITIES_REQUEST__INIT;
    for (uint32_t i = 0; i < link->n_identities && i < VT_CLIENT_LINK_MAX; i++)
        identities[request.n_identities++] = vt__identity_fill(&rooms[i], &link->identities[i]);
    request.identities = identities;
    request.merge_members = link->merge_members;
    request.unlink = link->unlink;
    request.validate_only = link->validate_only;
    return vt__session_ask(client, "/vitrine.v1.ProfileService/LinkIdentities", NULL, &request.base,
                           &vitrine__v1__link_identities_response__descriptor, print_linked);
}
