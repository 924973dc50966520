/* The sample is chosen by the token, so the token comes first; the notes of the catalog are written
 * by sight.c between the two functions here, straight into the log's slot: nothing is copied. */
#include "services/ranking/record.h"

#include "services/ranking/answer.h"

#include <string.h>

static uint64_t customer_hash(const struct vt__run *run)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(run->profile.customer_number >> (56 - 8 * i));
    return vt_token_hash(run->service->options.token_key, vt_slice(bytes, sizeof bytes));
}

/* An answer to somebody without consent is attributed to nothing, so it carries no token; neither
 * does one to somebody whose consent is not known, because the profile service is away. */
static bool is_attributed(const struct vt__run *run)
{
    return !run->asked_profile || run->profile.consent;
}

static void make_token(const struct vt__run *run, struct vt_slice version,
                       struct vt_token *ret_token)
{
    struct vt_ranking_service *service = run->service;
    uint64_t count = atomic_fetch_add_explicit(&service->n_tokens, 1, memory_order_relaxed);
    struct vt_token token = {
        .time_ms = run->now_ms,
        .customer_hash = run->profile.found ? customer_hash(run) : 0,
        .placement_hash = vt_token_hash(service->options.token_key, run->query.placement),
        .model_version = version,
    };
    memcpy(token.nonce, service->nonce, sizeof service->nonce);
    memcpy(token.nonce + sizeof service->nonce, &count, sizeof count);
    *ret_token = token;
}

static struct vt_decision decision_of(const struct vt__run *run,
                                      const struct vt_candidate_list *found)
{
    const struct vt_profile_view *profile = &run->profile;
    return (struct vt_decision){
        .time_ms = run->now_ms,
        .customer_number = profile->found ? profile->customer_number : 0,
        .configuration = run->placements->hash,
        .mode = run->query.mode,
        .asked_profile = run->asked_profile,
        .found = profile->found,
        .consent = profile->consent,
        .include_viewed = run->include_viewed,
        .include_bought = run->include_bought,
        .with_bundle = vt__bundle_of(run, found->version) != NULL,
        .n = run->query.n,
        .diversity = run->query.diversity,
        .version = found->version,
        .placement = run->query.placement,
        .filter = run->query.filter,
        .language = run->query.language,
        .degraded_reason = vt_slice_str(run->degraded_reason),
        .history = profile->events,
        .n_history = profile->n_events,
        .shown = profile->shown,
        .n_shown = profile->n_shown,
        .context = run->context,
        .exclude = run->exclude,
        .campaign = run->campaign,
        .n_context = run->n_context,
        .n_exclude = run->n_exclude,
        .n_campaign = run->n_campaign,
        .rank_ids = run->query.rank_ids,
        .n_rank_ids = run->query.n_rank_ids,
        .segments = profile->segments,
        .n_segments = profile->n_segments,
        .candidates = found->candidates,
        .n_candidates = found->n,
    };
}

void vt__record_begin(const struct vt__run *run, const struct vt_candidate_list *found,
                      struct vt__record *record)
{
    struct vt_decision_log *log = run->service->options.decisions;
    *record = (struct vt__record){.attributed = is_attributed(run)};
    if (!record->attributed)
        return;
    make_token(run, found->version, &record->token);
    if (log != NULL)
        record->slot = vt_decision_log_begin(log, &record->token, &record->pack);
    if (record->slot == NULL)
        return;
    const struct vt_decision decision = decision_of(run, found);
    vt_decision_pack_given(&record->pack, &decision);
    run->sight->notes = &record->pack;
}

struct vt_err vt__record_end(const struct vt__run *run, struct vt__record *record,
                             struct vt_ranking_answer *answer)
{
    const struct vt_ranking_options *options = &run->service->options;
    run->sight->notes = NULL;
    if (record->slot != NULL) {
        if (answer != NULL)
            vt_decision_pack_places(&record->pack, answer->items, answer->n);
        vt_decision_log_commit(options->decisions, record->slot,
                               answer != NULL ? &record->pack : NULL,
                               run->profile.found ? run->profile.customer_number : 0);
    }
    if (answer == NULL || !record->attributed)
        return vt_ok();
    return vt_token_encode(options->token_key, &record->token, run->request->arena,
                           &answer->attribution_token);
}
