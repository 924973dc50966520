/* Explain on the wire. */
#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/parts.h"
#include "services/ranking/wire.h"
#include "vitrine/v1/recommendation.pb-c.h"

struct vt_err vt_wire_explain_decode(struct vt_slice body, struct vt_arena *arena,
                                     struct vt_diag *diag, struct vt_slice *ret_token)
{
    Vitrine__V1__ExplainRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__explain_request__descriptor, body, arena, diag, &message));
    struct vt_slice token = vt_slice_str(message->attribution_token);
    if (token.len == 0)
        return vt_check_failed(VT_FIELD("attribution_token"), diag,
                               "missing; an answer to somebody without consent has none, and "
                               "nothing is recorded of it");
    *ret_token = token;
    return vt_ok();
}

static const char *call_name(enum vt_ranking_mode mode)
{
    static const char *const names[] = {[VT_RANKING_RECOMMEND] = "Recommend",
                                        [VT_RANKING_RANK] = "Rank",
                                        [VT_RANKING_SIMILAR] = "SimilarItems"};
    return names[mode];
}

static const char *miss_name(const struct vt_explained_item *item)
{
    static const char *const names[] = {
        [VT_MISS_NONE] = "", [VT_MISS_SCORE] = "score", [VT_MISS_CAP] = "cap"};
    return item->miss == VT_MISS_BARRED ? vt_bar_name(item->bar) : names[item->miss];
}

static struct vt_err fill_parts(const struct vt_explained_item *item, struct vt_arena *arena,
                                Vitrine__V1__ExplainedItem *message)
{
    message->parts = vt_wire_messages(arena, &vitrine__v1__score_part__descriptor, item->n_parts);
    message->features =
        vt_wire_messages(arena, &vitrine__v1__feature_effect__descriptor, item->n_features);
    if (message->parts == NULL || message->features == NULL)
        return vt_wire_full();
    message->n_parts = item->n_parts;
    message->n_features = item->n_features;
    for (uint32_t p = 0; p < item->n_parts; p++) {
        message->parts[p]->source = (Vitrine__V1__CandidateSource)item->parts[p].source;
        message->parts[p]->score = item->parts[p].score;
        message->parts[p]->weight = item->parts[p].weight;
        message->parts[p]->share = item->parts[p].share;
    }
    for (uint32_t f = 0; f < item->n_features; f++) {
        message->features[f]->name = vt_wire_text(arena, vt_slice_str(item->features[f].name));
        message->features[f]->value = item->features[f].value;
        message->features[f]->effect = item->features[f].effect;
    }
    return vt_ok();
}

/* ---- rules ---- */

struct rules {
    const struct vt_placement *placement;
    Vitrine__V1__FiredRule **messages;
    size_t n;
};

static Vitrine__V1__FiredRule *add_rule(struct rules *rules, const char *name, uint32_t place,
                                        struct vt_arena *arena)
{
    Vitrine__V1__FiredRule *message = rules->messages[rules->n++];
    message->rule = vt_wire_text(arena, vt_slice_str(name));
    message->place = place;
    return message;
}

static void add_boosts(struct rules *rules, const struct vt_explained_item *item,
                       struct vt_arena *arena)
{
    for (uint32_t b = 0; b < rules->placement->n_boosts; b++) {
        double factor = rules->placement->boosts[b].factor;
        if ((item->boosts >> b & 1) != 0)
            add_rule(rules, factor < 1 ? "bury" : "boost", b + 1, arena)->factor = factor;
    }
}

static struct vt_err fill_rules(const struct vt_explained_item *item,
                                const struct vt_placement *placement, struct vt_arena *arena,
                                Vitrine__V1__ExplainedItem *message)
{
    struct rules rules = {.placement = placement};
    rules.messages = vt_wire_messages(arena, &vitrine__v1__fired_rule__descriptor,
                                      VT_RULE_COUNT + (size_t)VT_BOOSTS_MAX);
    if (rules.messages == NULL)
        return vt_wire_full();
    if ((item->rules >> VT_RULE_PIN & 1) != 0)
        add_rule(&rules, "pin", 0, arena);
    if ((item->rules >> VT_RULE_SLOT & 1) != 0)
        add_rule(&rules, "slot", 0, arena);
    if ((item->rules >> VT_RULE_EXPLORE & 1) != 0)
        add_rule(&rules, "explore", 0, arena)->propensity = item->propensity;
    add_boosts(&rules, item, arena);
    if (item->miss == VT_MISS_CAP)
        add_rule(&rules, "cap", item->cap + 1, arena);
    if (item->miss == VT_MISS_BARRED && item->bar == VT_BAR_SHOWN)
        add_rule(&rules, "shown", 0, arena);
    message->rules = rules.messages;
    message->n_rules = rules.n;
    return vt_ok();
}

/* ---- the answer ---- */

static struct vt_err fill_items(const struct vt_explained_item *items, uint32_t n,
                                const struct vt_placement *placement, struct vt_arena *arena,
                                Vitrine__V1__ExplainedItem ***ret_messages)
{
    Vitrine__V1__ExplainedItem **messages =
        vt_wire_messages(arena, &vitrine__v1__explained_item__descriptor, n);
    if (messages == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < n; i++) {
        messages[i]->id = vt_wire_text(arena, items[i].id);
        messages[i]->number = items[i].number;
        messages[i]->place = items[i].place;
        messages[i]->score = items[i].score;
        messages[i]->blend = items[i].blend;
        messages[i]->factor = items[i].factor;
        messages[i]->nearest = items[i].nearest;
        messages[i]->missed_by = vt_wire_text(arena, vt_slice_str(miss_name(&items[i])));
        messages[i]->short_of = items[i].short_of;
        VT_TRY(fill_parts(&items[i], arena, messages[i]));
        VT_TRY(fill_rules(&items[i], placement, arena, messages[i]));
    }
    *ret_messages = messages;
    return vt_ok();
}

static struct vt_err fill_outcomes(const struct vt_answer_outcomes *outcomes,
                                   struct vt_arena *arena, Vitrine__V1__ExplainResponse *message)
{
    message->outcomes = vt_wire_messages(arena, &vitrine__v1__outcome__descriptor, outcomes->n);
    if (message->outcomes == NULL)
        return vt_wire_full();
    message->n_outcomes = outcomes->n;
    message->outcomes_incomplete = vt_wire_text(arena, outcomes->incomplete);
    for (uint32_t i = 0; i < outcomes->n; i++) {
        vt_wire_outcome_fill(arena, &outcomes->outcomes[i].outcome, message->outcomes[i]);
        message->outcomes[i]->item_id = vt_wire_text(arena, outcomes->outcomes[i].item_id);
        message->outcomes[i]->place = outcomes->outcomes[i].place;
    }
    return vt_ok();
}

struct vt_err vt_wire_explain_encode(const struct vt_replay *replay,
                                     const struct vt_explanation *explanation,
                                     const struct vt_answer_outcomes *outcomes,
                                     struct vt_arena *arena, struct vt_slice *ret_body)
{
    const struct vt_decision *decision = &replay->decision;
    Vitrine__V1__ExplainResponse message = VITRINE__V1__EXPLAIN_RESPONSE__INIT;
    Vitrine__V1__RecommendResponse response = VITRINE__V1__RECOMMEND_RESPONSE__INIT;
    VT_TRY(vt_wire_answer_fill(&replay->answer, arena, &response));
    message.response = &response;
    message.exact = replay->exact;
    message.time = vt_wire_time_encode(arena, decision->time_ms);
    message.call = vt_wire_text(arena, vt_slice_str(call_name(decision->mode)));
    message.placement = vt_wire_text(arena, replay->answer.placement);
    message.configuration = vt_wire_text(
        arena, vt_arena_printf(arena, "%016llx", (unsigned long long)decision->configuration));
    message.filter = vt_wire_text(arena, decision->filter);
    message.history_events = decision->n_history;
    message.candidates = decision->n_candidates;
    VT_TRY(fill_items(explanation->items, explanation->n_items, replay->placement, arena,
                      &message.items));
    message.n_items = explanation->n_items;
    VT_TRY(fill_items(explanation->misses, explanation->n_misses, replay->placement, arena,
                      &message.misses));
    message.n_misses = explanation->n_misses;
    VT_TRY(fill_outcomes(outcomes, arena, &message));
    return vt_wire_encode(&message.base, arena, ret_body);
}
