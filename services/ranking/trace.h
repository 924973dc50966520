#ifndef VT_RANKING_TRACE_H
#define VT_RANKING_TRACE_H

#include "services/ranking/blend.h"
#include "services/ranking/features.h"

/* Why an item may not stand in a list; the first that holds. */
enum vt_bar {
    VT_BAR_NONE,
    VT_BAR_UNAVAILABLE, /* not described, out of stock, outside its window */
    VT_BAR_FILTER,
    VT_BAR_EXCLUDED,
    VT_BAR_CONTEXT,
    VT_BAR_DISLIKED,
    VT_BAR_SEEN,
    VT_BAR_SHOWN, /* as often as the placement shows it to one customer */
    VT_BAR_COUNT
};
struct vt__barred {
    struct vt_candidate candidate;
    enum vt_bar bar;
};

/* How a list came about, kept for who asks why; a replay has one, an answer under way has none.
 * All in the request's arena. */
struct vt__trace {
    struct vt__barred *barred; /* candidates that may not stand in the list; room for all */
    uint32_t n_barred;
    const struct vt_candidate *candidates; /* the others, as they were blended */
    uint32_t n;
    uint32_t ranked_sources;           /* bits: what the ranker's score stands for */
    const struct vt_bundle_view *view; /* of the ranker; NULL: it was not asked */
    struct vt_ranking_list list;       /* its rows */
    const struct vt__scored *scored;   /* [0, n_places) in the order of the list, then the rest */
    uint32_t n_places, n_scored;
};

#endif
