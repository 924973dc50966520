#ifndef VT_RANKING_EXPLAIN_H
#define VT_RANKING_EXPLAIN_H

#include "services/ranking/replay.h"

/* What a replay says about each item: how its score came together, which rules had a hand in it,
 * and for those that are not in the list, what kept them out. In the request's arena. */
enum {
    VT_EXPLAIN_MISSES_MAX = 10, /* below the cut; as many behind a cap; as many barred */
};

/* Why an item is not in the list. */
enum vt_miss {
    VT_MISS_NONE,  /* it is */
    VT_MISS_SCORE, /* others had more */
    VT_MISS_CAP,
    VT_MISS_BARRED /* `bar` says why */
};

struct vt_explained_part {
    unsigned source;
    double score;  /* as the source gave it */
    double weight; /* of the placement */
    double share;  /* of the blend's sum, by magnitude; they add up to 1, or to 0 without a score */
};
struct vt_explained_feature {
    const char *name; /* literal */
    double value;     /* NaN: not known */
    double effect;    /* how much lower the ranker's score would be if it were not known */
};

struct vt_explained_item {
    uint32_t number;
    struct vt_slice id;
    uint32_t place; /* 1 is the first; 0: not in the list */
    double score;   /* what it stands by */
    double blend;   /* of the sources, before boosts and diversity */
    double factor;  /* of the boosts */
    double nearest; /* highest cosine to an item above it */
    double propensity;
    uint32_t rules, boosts; /* bits, as in struct vt_ranked_item */
    struct vt_explained_part parts[VT_SOURCE_COUNT];
    uint32_t n_parts;
    const struct vt_explained_feature *features;
    uint32_t n_features;
    enum vt_miss miss;
    enum vt_bar bar;
    uint32_t cap;    /* MISS_CAP: place among the placement's caps */
    double short_of; /* MISS_SCORE: what it lacks to the last item of the list */
};

struct vt_explanation {
    const struct vt_explained_item *items; /* as the answer's */
    uint32_t n_items;
    const struct vt_explained_item *misses; /* nearest first of each kind */
    uint32_t n_misses;
};

/* VT_EXHAUSTED: the arena is full. O(items · candidates · sources). */
VT_MUST_USE struct vt_err vt_explain(struct vt_ranking_service *service, struct vt_arena *arena,
                                     const struct vt_replay *replay,
                                     struct vt_explanation *ret_explanation);
/* "seen", "filter" …; a literal. */
const char *vt_bar_name(enum vt_bar bar);

#endif
