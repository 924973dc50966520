/*
 * Candidates as protobuf, both ways: the candidate service decodes what the remote port of ranking
 * encodes, and the other way round. Scores travel as doubles and sources one by one, so that an
 * answer over the network is the answer in one process, bit for bit.
 */
#include "services/candidate/wire.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/candidate.pb-c.h"

enum { SOURCES_MAX = 64 };

/* ---- the query ---- */

struct vt_err vt_wire_candidate_query_encode(const struct vt_candidate_query *query,
                                             struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__GetCandidatesRequest message = VITRINE__V1__GET_CANDIDATES_REQUEST__INIT;
    VT_TRY(vt_wire_history_encode(arena, query->history, query->n_history, &message.history));
    message.n_history = query->n_history;
    /* The encoder only reads through these. */
    message.context_item_numbers = (uint32_t *)query->context;
    message.n_context_item_numbers = query->n_context;
    message.exclude_item_numbers = (uint32_t *)query->exclude;
    message.n_exclude_item_numbers = query->n_exclude;
    message.score_item_numbers = (uint32_t *)query->score_only;
    message.n_score_item_numbers = query->n_score_only;
    message.n = query->n;
    message.model_version = vt_wire_text(arena, query->version);
    message.filter = vt_wire_text(arena, query->filter);
    message.similar = query->similar;
    message.include_seen = query->include_seen;
    message.include_viewed = query->include_viewed;
    message.include_bought = query->include_bought;
    message.source_budgets = (uint32_t *)query->budgets;
    message.n_source_budgets = query->budgets != NULL ? VT_SOURCE_COUNT : 0;
    message.groups = query->groups;
    message.campaign_item_numbers = (uint32_t *)query->campaign;
    message.n_campaign_item_numbers = query->n_campaign;
    return vt_wire_encode(&message.base, arena, ret_body);
}

static struct vt_err check_query(const Vitrine__V1__GetCandidatesRequest *message,
                                 struct vt_diag *diag)
{
    const struct {
        const char *name;
        size_t n, max;
    } lists[] = {
        {"history", message->n_history, VT_HISTORY_MAX},
        {"context_item_numbers", message->n_context_item_numbers, VT_CONTEXT_MAX},
        {"exclude_item_numbers", message->n_exclude_item_numbers, VT_EXCLUDE_MAX},
        {"source_budgets", message->n_source_budgets, SOURCES_MAX},
        {"campaign_item_numbers", message->n_campaign_item_numbers, VT_CAMPAIGN_MAX},
        {"score_item_numbers", message->n_score_item_numbers, VT_SCORE_ITEMS_MAX},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        VT_TRY(vt_check_count(lists[i].n, 0, lists[i].max, VT_FIELD(lists[i].name), diag));
    VT_TRY(vt_check_optional_id(vt_slice_str(message->model_version), VT_FIELD("model_version"),
                                diag));
    return vt_check_range(message->n, 1, VT_CANDIDATES_MAX, VT_FIELD("n"), diag);
}

/* Of a newer ranking there may be more sources than we know, of an older one fewer: those keep what
 * is usual. */
static struct vt_err read_budgets(const Vitrine__V1__GetCandidatesRequest *message,
                                  struct vt_arena *arena, struct vt_diag *diag,
                                  const uint32_t **ret_budgets)
{
    if (message->n_source_budgets == 0)
        return vt_ok();
    uint32_t *budgets = vt_arena_array(arena, VT_SOURCE_COUNT, sizeof *budgets);
    if (budgets == NULL)
        return vt_wire_full();
    vt_candidate_budgets_default(budgets);
    for (size_t source = 0; source < message->n_source_budgets; source++) {
        VT_TRY(vt_check_range(message->source_budgets[source], 0, VT_CANDIDATES_MAX,
                              VT_FIELD_AT("source_budgets", source, ""), diag));
        if (source < VT_SOURCE_COUNT)
            budgets[source] = message->source_budgets[source];
    }
    *ret_budgets = budgets;
    return vt_ok();
}

struct vt_err vt_wire_candidate_query_decode(struct vt_slice body, struct vt_arena *arena,
                                             struct vt_diag *diag,
                                             struct vt_candidate_query *ret_query)
{
    Vitrine__V1__GetCandidatesRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__get_candidates_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(check_query(message, diag));
    struct vt_candidate_query query = {
        .n_history = (uint32_t)message->n_history,
        .context = message->context_item_numbers,
        .n_context = (uint32_t)message->n_context_item_numbers,
        .exclude = message->exclude_item_numbers,
        .n_exclude = (uint32_t)message->n_exclude_item_numbers,
        .n = message->n,
        .version = vt_slice_str(message->model_version),
        .score_only = message->score_item_numbers,
        .n_score_only = (uint32_t)message->n_score_item_numbers,
        .filter = vt_slice_str(message->filter),
        .similar = message->similar,
        .include_seen = message->include_seen,
        .include_viewed = message->include_viewed,
        .include_bought = message->include_bought,
        .groups = message->groups & ((1U << VT_CANDIDATE_GROUP_COUNT) - 1),
        .campaign = message->campaign_item_numbers,
        .n_campaign = (uint32_t)message->n_campaign_item_numbers,
    };
    VT_TRY(read_budgets(message, arena, diag, &query.budgets));
    VT_TRY(vt_wire_history_decode(arena, message->history, message->n_history, "history", diag,
                                  &query.history));
    *ret_query = query;
    return vt_ok();
}

/* ---- the list ---- */

struct vt_err vt_wire_candidate_list_encode(const struct vt_candidate_list *list,
                                            struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__GetCandidatesResponse message = VITRINE__V1__GET_CANDIDATES_RESPONSE__INIT;
    message.candidates = vt_wire_messages(arena, &vitrine__v1__candidate__descriptor, list->n);
    if (message.candidates == NULL)
        return vt_wire_full();
    message.n_candidates = list->n;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct vt_candidate *candidate = &list->candidates[i];
        Vitrine__V1__Candidate *to = message.candidates[i];
        to->item_number = candidate->item;
        to->because_item_number = candidate->because;
        VT_TRY(vt_wire_scores_encode(arena, candidate->sources, candidate->scores, &to->n_sources,
                                     &to->sources));
    }
    message.model_version = vt_wire_text(arena, list->version);
    message.degraded = list->degraded_reason != NULL;
    message.degraded_reason = vt_wire_text(arena, vt_slice_str(list->degraded_reason));
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_candidate_list_decode(struct vt_slice body, struct vt_arena *arena,
                                            struct vt_diag *diag,
                                            struct vt_candidate_list *ret_list)
{
    Vitrine__V1__GetCandidatesResponse *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__get_candidates_response__descriptor, body, arena, diag,
                        &message));
    VT_TRY(
        vt_check_count(message->n_candidates, 0, VT_CANDIDATES_MAX, VT_FIELD("candidates"), diag));
    struct vt_candidate *candidates =
        vt_arena_array(arena, message->n_candidates, sizeof *candidates);
    if (candidates == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_candidates; i++) {
        const Vitrine__V1__Candidate *from = message->candidates[i];
        candidates[i].item = from->item_number;
        candidates[i].because = from->because_item_number;
        VT_TRY(vt_wire_scores_decode(from->sources, from->n_sources, VT_SOURCE_COUNT,
                                     VT_FIELD_AT("candidates", i, "sources"), diag,
                                     &candidates[i].sources, candidates[i].scores));
    }
    *ret_list = (struct vt_candidate_list){
        .candidates = candidates,
        .n = (uint32_t)message->n_candidates,
        .version = vt_slice_str(message->model_version),
        .degraded_reason = message->degraded ? message->degraded_reason : NULL,
    };
    return vt_ok();
}
