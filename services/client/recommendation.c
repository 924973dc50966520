/* The calls of RecommendationService: build the request, call, print. */
#include "services/client/client.h"
#include "services/client/identity.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <string.h>

/* protobuf-c wants char *, and changes nothing. */
static char *text(const char *given)
{
    return (char *)(given != NULL ? given : "");
}

static Vitrine__V1__DiversityLevel diversity_of(const char *name)
{
    static const char *const names[] = {"", "none", "low", "medium", "high"};
    for (int level = 1; name != NULL && level < 5; level++)
        if (strcmp(name, names[level]) == 0)
            return (Vitrine__V1__DiversityLevel)level;
    return VITRINE__V1__DIVERSITY_LEVEL__DIVERSITY_LEVEL_UNSPECIFIED;
}

/* The three answers have the same fields, C has no common type for them. */
#define PRINTER(name_, type_)                                                                      \
    static int name_(const struct vt_client *client, const void *message)                          \
    {                                                                                              \
        const type_ *answer = message;                                                             \
        if (client->json)                                                                          \
            return vt__print_json(&answer->base);                                                  \
        vt__print_items(&(struct vt_printed_answer){.items = answer->items,                        \
                                                    .n_items = answer->n_items,                    \
                                                    .model_version = answer->model_version,        \
                                                    .degraded_reason = answer->degraded_reason,    \
                                                    .degraded = answer->degraded});                \
        return 0;                                                                                  \
    }
PRINTER(print_recommended, Vitrine__V1__RecommendResponse)
PRINTER(print_ranked, Vitrine__V1__RankResponse)
PRINTER(print_similar, Vitrine__V1__SimilarItemsResponse)

static int print_explained(const struct vt_client *client, const void *message)
{
    const Vitrine__V1__ExplainResponse *answer = message;
    if (client->json)
        return vt__print_json(&answer->base);
    vt__print_explained(answer);
    return 0;
}

int vt_client_recommend(const struct vt_client *client, const struct vt_client_ask *ask)
{
    Vitrine__V1__RecommendRequest request = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    request.placement = text(ask->placement);
    request.customer_id = text(ask->customer);
    request.visitor_id = text(ask->visitor);
    struct vt__identity_message identity;
    request.identity = vt__identity_fill(&identity, &ask->identity);
    request.context_item_ids = (char **)ask->context;
    request.n_context_item_ids = ask->n_context;
    request.exclude_item_ids = (char **)ask->exclude;
    request.n_exclude_item_ids = ask->n_exclude;
    request.filter = text(ask->filter);
    request.n = ask->n;
    request.diversity = diversity_of(ask->diversity);
    request.include_seen = ask->include_seen;
    request.language_code = text(ask->language);
    request.explain = request.return_details = true;
    return vt__session_ask(client, "/vitrine.v1.RecommendationService/Recommend",
                           vt__identity_key(ask->customer, ask->visitor, request.identity),
                           &request.base, &vitrine__v1__recommend_response__descriptor,
                           print_recommended);
}

int vt_client_rank(const struct vt_client *client, const struct vt_client_ask *ask)
{
    Vitrine__V1__RankRequest request = VITRINE__V1__RANK_REQUEST__INIT;
    request.placement = text(ask->placement);
    request.customer_id = text(ask->customer);
    request.visitor_id = text(ask->visitor);
    struct vt__identity_message identity;
    request.identity = vt__identity_fill(&identity, &ask->identity);
    request.context_item_ids = (char **)ask->context;
    request.n_context_item_ids = ask->n_context;
    request.item_ids = (char **)ask->items;
    request.n_item_ids = ask->n_items;
    request.filter = text(ask->filter);
    request.language_code = text(ask->language);
    request.explain = request.return_details = true;
    return vt__session_ask(client, "/vitrine.v1.RecommendationService/Rank",
                           vt__identity_key(ask->customer, ask->visitor, request.identity),
                           &request.base, &vitrine__v1__rank_response__descriptor, print_ranked);
}

int vt_client_similar(const struct vt_client *client, const struct vt_client_ask *ask)
{
    Vitrine__V1__SimilarItemsRequest request = VITRINE__V1__SIMILAR_ITEMS_REQUEST__INIT;
    request.placement = text(ask->placement);
    request.item_ids = (char **)ask->items;
    request.n_item_ids = ask->n_items;
    request.exclude_item_ids = (char **)ask->exclude;
    request.n_exclude_item_ids = ask->n_exclude;
    request.filter = text(ask->filter);
    request.n = ask->n;
    request.language_code = text(ask->language);
    request.explain = request.return_details = true;
    return vt__session_ask(client, "/vitrine.v1.RecommendationService/SimilarItems", NULL,
                           &request.base, &vitrine__v1__similar_items_response__descriptor,
                           print_similar);
}

int vt_client_explain(const struct vt_client *client, const char *token)
{
    Vitrine__V1__ExplainRequest request = VITRINE__V1__EXPLAIN_REQUEST__INIT;
    request.attribution_token = text(token);
    return vt__session_ask(client, "/vitrine.v1.RecommendationService/Explain", NULL, &request.base,
                           &vitrine__v1__explain_response__descriptor, print_explained);
}
