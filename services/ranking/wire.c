/*
 * What storefronts call, as protobuf. Three requests become one query; one answer becomes three
 * responses that share their field numbers (a test decodes it as each of them). This is the hot
 * path: one pass over the lists, no allocation but the call's arena.
 */
#include "services/ranking/wire.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/identity.h"
#include "services/common/wire/page.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/recommendation.pb-c.h"

enum { DIVERSITY_MAX = 4, RECOMMEND_ALL = 'R' };

/* ---- requests ---- */

/* The fields that all requests have in some form. */
static struct vt_err check_who(const struct vt_ranking_query *query, struct vt_diag *diag)
{
    VT_TRY(vt_check_optional_id(query->placement, VT_FIELD("placement"), diag));
    VT_TRY(vt_check_optional_id(query->language, VT_FIELD("language_code"), diag));
    VT_TRY(vt_check_optional_id(query->who.customer_id, VT_FIELD("customer_id"), diag));
    VT_TRY(vt_check_optional_id(query->who.visitor_id, VT_FIELD("visitor_id"), diag));
    return vt_wire_identity_check(&query->who.identity, VT_FIELD("identity"), diag);
}

/* A list of SKUs as it arrived, and how long it may be. */
struct id_list {
    const char *field;
    char *const *texts;
    size_t n, min, max;
};

static struct vt_err read_ids(const struct id_list *list, struct vt_arena *arena,
                              struct vt_diag *diag, const struct vt_slice **ret_ids,
                              uint32_t *ret_n)
{
    VT_TRY(vt_check_count(list->n, list->min, list->max, VT_FIELD(list->field), diag));
    VT_TRY(vt_wire_ids(arena, list->texts, list->n, list->field, diag, ret_ids));
    *ret_n = (uint32_t)list->n;
    return vt_ok();
}

static struct vt_err read_recommend(const Vitrine__V1__RecommendRequest *message,
                                    struct vt_arena *arena, struct vt_diag *diag,
                                    struct vt_ranking_query *ret_query)
{
    struct vt_ranking_query query = {
        .mode = VT_RANKING_RECOMMEND,
        .placement = vt_slice_str(message->placement),
        .who = {.customer_id = vt_slice_str(message->customer_id),
                .visitor_id = vt_slice_str(message->visitor_id),
                .identity = vt_wire_identity(message->identity)},
        .filter = vt_slice_str(message->filter),
        .n = message->n,
        .diversity = (unsigned)message->diversity,
        .language = vt_slice_str(message->language_code),
        .explain = message->explain,
        .return_details = message->return_details,
        .include_seen = message->include_seen,
    };
    VT_TRY(check_who(&query, diag));
    VT_TRY(vt_check_range(message->n, 1, VT_RECOMMEND_N_MAX, VT_FIELD("n"), diag));
    VT_TRY(vt_check_range(message->diversity, 0, DIVERSITY_MAX, VT_FIELD("diversity"), diag));
    VT_TRY(read_ids(&(struct id_list){"context_item_ids", message->context_item_ids,
                                      message->n_context_item_ids, 0, VT_RECOMMEND_CONTEXT_MAX},
                    arena, diag, &query.context_ids, &query.n_context_ids));
    VT_TRY(read_ids(&(struct id_list){"exclude_item_ids", message->exclude_item_ids,
                                      message->n_exclude_item_ids, 0, VT_RECOMMEND_EXCLUDE_MAX},
                    arena, diag, &query.exclude_ids, &query.n_exclude_ids));
    *ret_query = query;
    return vt_ok();
}

struct vt_err vt_wire_recommend_decode(struct vt_slice body, struct vt_arena *arena,
                                       struct vt_diag *diag, struct vt_ranking_query *ret_query)
{
    Vitrine__V1__RecommendRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__recommend_request__descriptor, body, arena, diag, &message));
    return read_recommend(message, arena, diag, ret_query);
}

struct vt_err vt_wire_rank_decode(struct vt_slice body, struct vt_arena *arena,
                                  struct vt_diag *diag, struct vt_ranking_query *ret_query)
{
    Vitrine__V1__RankRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__rank_request__descriptor, body, arena, diag, &message));
    struct vt_ranking_query query = {
        .mode = VT_RANKING_RANK,
        .placement = vt_slice_str(message->placement),
        .who = {.customer_id = vt_slice_str(message->customer_id),
                .visitor_id = vt_slice_str(message->visitor_id),
                .identity = vt_wire_identity(message->identity)},
        .filter = vt_slice_str(message->filter),
        .language = vt_slice_str(message->language_code),
        .explain = message->explain,
        .return_details = message->return_details,
        .include_seen = true, /* the caller's list is returned whole */
    };
    VT_TRY(check_who(&query, diag));
    VT_TRY(read_ids(
        &(struct id_list){"item_ids", message->item_ids, message->n_item_ids, 1, VT_RANK_ITEMS_MAX},
        arena, diag, &query.rank_ids, &query.n_rank_ids));
    VT_TRY(read_ids(&(struct id_list){"context_item_ids", message->context_item_ids,
                                      message->n_context_item_ids, 0, VT_RECOMMEND_CONTEXT_MAX},
                    arena, diag, &query.context_ids, &query.n_context_ids));
    query.n = query.n_rank_ids;
    *ret_query = query;
    return vt_ok();
}

struct vt_err vt_wire_similar_decode(struct vt_slice body, struct vt_arena *arena,
                                     struct vt_diag *diag, struct vt_ranking_query *ret_query)
{
    Vitrine__V1__SimilarItemsRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__similar_items_request__descriptor, body, arena, diag, &message));
    struct vt_ranking_query query = {
        .mode = VT_RANKING_SIMILAR,
        .placement = vt_slice_str(message->placement),
        .filter = vt_slice_str(message->filter),
        .n = message->n,
        .language = vt_slice_str(message->language_code),
        .explain = message->explain,
        .return_details = message->return_details,
    };
    VT_TRY(check_who(&query, diag));
    VT_TRY(vt_check_range(message->n, 1, VT_RECOMMEND_N_MAX, VT_FIELD("n"), diag));
    VT_TRY(read_ids(&(struct id_list){"item_ids", message->item_ids, message->n_item_ids, 1,
                                      VT_SIMILAR_ITEMS_MAX},
                    arena, diag, &query.context_ids, &query.n_context_ids));
    VT_TRY(read_ids(&(struct id_list){"exclude_item_ids", message->exclude_item_ids,
                                      message->n_exclude_item_ids, 0, VT_RECOMMEND_EXCLUDE_MAX},
                    arena, diag, &query.exclude_ids, &query.n_exclude_ids));
    *ret_query = query;
    return vt_ok();
}

/* ---- the answer ---- */

static struct vt_err fill_item(const struct vt_ranked_item *item, struct vt_arena *arena,
                               Vitrine__V1__RecommendedItem *message)
{
    message->id = vt_wire_text(arena, item->id);
    message->number = item->number;
    message->score = item->score;
    message->reason = vt_wire_text(arena, item->reason);
    message->title = vt_wire_text(arena, item->title);
    message->price = item->price;
    message->propensity = item->propensity;
    message->currency_code = vt_wire_text(arena, item->currency_code);
    message->categories = vt_wire_texts(arena, item->categories, item->n_categories);
    if (message->categories == NULL)
        return vt_wire_full();
    message->n_categories = item->n_categories;
    return vt_wire_scores_encode(arena, item->sources, item->source_scores, &message->n_sources,
                                 &message->sources);
}

struct vt_err vt_wire_answer_fill(const struct vt_ranking_answer *answer, struct vt_arena *arena,
                                  Vitrine__V1__RecommendResponse *message)
{
    message->items = vt_wire_messages(arena, &vitrine__v1__recommended_item__descriptor, answer->n);
    if (message->items == NULL)
        return vt_wire_full();
    message->n_items = answer->n;
    for (uint32_t i = 0; i < answer->n; i++)
        VT_TRY(fill_item(&answer->items[i], arena, message->items[i]));
    message->model_version = vt_wire_text(arena, answer->model_version);
    message->attribution_token = vt_wire_text(arena, answer->attribution_token);
    message->experiment_variant = vt_wire_text(arena, answer->experiment_variant);
    message->degraded = answer->degraded_reason != NULL;
    message->degraded_reason = vt_wire_text(arena, vt_slice_str(answer->degraded_reason));
    return vt_ok();
}

struct vt_err vt_wire_answer_encode(const struct vt_ranking_answer *answer, struct vt_arena *arena,
                                    struct vt_slice *ret_body)
{
    Vitrine__V1__RecommendResponse message = VITRINE__V1__RECOMMEND_RESPONSE__INIT;
    VT_TRY(vt_wire_answer_fill(answer, arena, &message));
    return vt_wire_encode(&message.base, arena, ret_body);
}

/* ---- RecommendAll ---- */

static struct vt_err check_of_nobody(const struct vt_profile_key *who, struct vt_diag *diag)
{
    if (vt_identity_choose(who->customer_id, who->visitor_id, who->identity).id.len == 0)
        return vt_ok();
    return vt_check_failed(VT_FIELD("request.customer_id"), diag,
                           "it, visitor_id and identity must be empty: everybody is asked for");
}

struct vt_err vt_wire_recommend_all_decode(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag,
                                           struct vt_wire_recommend_all *ret_request)
{
    Vitrine__V1__RecommendAllRequest *message = NULL;
    struct vt_wire_recommend_all request = {0};
    VT_TRY(
        vt_pb_decode(&vitrine__v1__recommend_all_request__descriptor, body, arena, diag, &message));
    if (message->request == NULL)
        return vt_check_failed(VT_FIELD("request"), diag, "missing: what each customer is asked");
    VT_TRY(read_recommend(message->request, arena, diag, &request.query));
    VT_TRY(check_of_nobody(&request.query.who, diag));
    VT_TRY(vt_check_range(message->min_events, 0, VT_HISTORY_MAX, VT_FIELD("min_events"), diag));
    VT_TRY(vt_page_place_u64(RECOMMEND_ALL, vt_slice_str(message->page_token), UINT64_MAX, diag,
                             &request.after));
    request.min_events = message->min_events;
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_recommend_all_encode(const struct vt_profile_view *view,
                                           const struct vt_ranking_answer *answer,
                                           struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__RecommendAllResponse message = VITRINE__V1__RECOMMEND_ALL_RESPONSE__INIT;
    Vitrine__V1__RecommendResponse response = VITRINE__V1__RECOMMEND_RESPONSE__INIT;
    VT_TRY(vt_wire_answer_fill(answer, arena, &response));
    message.customer_number = view->customer_number;
    message.customer_id = vt_wire_text(arena, view->customer.id);
    message.response = &response;
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_recommend_all_mark_encode(uint64_t last, uint64_t n_customers, bool more,
                                                struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__RecommendAllResponse message = VITRINE__V1__RECOMMEND_ALL_RESPONSE__INIT;
    message.customers = n_customers;
    if (more)
        message.page_token = vt_wire_text(arena, vt_page_token_u64(arena, RECOMMEND_ALL, last));
    return vt_wire_encode(&message.base, arena, ret_body);
}
