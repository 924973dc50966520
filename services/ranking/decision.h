#ifndef VT_RANKING_DECISION_H
#define VT_RANKING_DECISION_H

#include "services/candidate/candidate.h"
#include "services/ranking/pack.h"
#include "services/ranking/ranking.h"
#include "services/ranking/token.h"

/*
 * Everything that an answer depended on, as plain data: what was asked, what the other services
 * said, what the catalog showed (sight.h), and what came of it. With the bundle and the placements
 * that it names, the answer can be made again, bit for bit. It holds the customer's number and
 * history, and none of the ids that the storefront knows them by.
 *
 * As bytes (docs/data-formats.md, "Decisions"): a format byte, what was given, the notes with their
 * length, the places. Written in one pass, since this is on an answer's way.
 */
enum {
    VT_DECISION_BYTES_MAX = 64 << 10, /* a larger one is not kept */
    VT_DECISION_HISTORY_MAX = 1000,   /* the most that a profile service may be told to keep */
    VT_DECISION_SEGMENTS_MAX = 64,
};

struct vt_decision_place {
    uint32_t item; /* number; 0: an unknown SKU of a Rank */
    double score;
};

struct vt_decision {
    int64_t time_ms;
    uint64_t customer_number; /* 0: nobody, or nobody known */
    uint64_t configuration;   /* struct vt_placements */
    enum vt_ranking_mode mode;
    bool asked_profile, found, consent, include_viewed, include_bought;
    bool with_bundle; /* ranking held the version that the candidates came from */
    uint32_t n;
    unsigned diversity; /* as asked */
    struct vt_slice version, placement, filter, degraded_reason, language;
    const struct vt_history_event *history; /* newest first */
    uint32_t n_history;
    const uint32_t *shown; /* items that the placement shows this customer no more */
    uint32_t n_shown;
    const uint32_t *context, *exclude, *campaign; /* item numbers */
    uint32_t n_context, n_exclude, n_campaign;
    const struct vt_slice *rank_ids;
    uint32_t n_rank_ids;
    const struct vt_slice *segments;
    uint32_t n_segments;
    const struct vt_candidate *candidates; /* as the candidate service gave them */
    uint32_t n_candidates;
    struct vt_slice notes; /* sight.h */
    const struct vt_decision_place *places;
    uint32_t n_places;
};

/* The three parts, in this order. The first writes all down to the candidates; then sight.h notes
 * into the same pack. What does not fit leaves the pack full. No allocation. */
void vt_decision_pack_given(struct vt_pack *pack, const struct vt_decision *decision);
void vt_decision_pack_places(struct vt_pack *pack, const struct vt_ranked_item *items, uint32_t n);

/* Whole or not at all: VT_CORRUPT for what the functions above did not write, VT_EXHAUSTED when the
 * arena is full. Borrows from the bytes. Any thread. */
VT_MUST_USE struct vt_err vt_decision_unpack(struct vt_slice bytes, struct vt_arena *arena,
                                             struct vt_decision *ret_decision);

#endif
