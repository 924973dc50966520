#ifndef VT_CANDIDATE_SCRATCH_H
#define VT_CANDIDATE_SCRATCH_H

#include "models/bundle/bundle.h"
#include "models/index/top.h"
#include "services/candidate/candidate.h"

#include <stdatomic.h>
#include <stdint.h>

/* Working memory of one request: 56 bytes a row of the model, what its fold-in needs (49 KiB at 64
 * factors), and under 370 KiB whatever the model is. Between requests every cell and every excluded
 * bit is zero. */
struct vt__cell {
    double neighbor_score;
    float largest_share; /* of neighbor_score */
    uint32_t because;    /* index into the taste of who gave it */
    uint32_t slot;       /* 1 + index into `found`; 0: not found yet */
    float together;      /* how surely it is bought together with `together_with`; 0: not known */
    uint32_t together_with; /* item number */
};

/* Of the kernel's sums; of any sign, so a cell says by `because` that it is listed. */
struct vt__kernel_cell {
    double score;
    float largest_share; /* of score */
    uint32_t because;    /* 0: not touched; 1 + index into the taste; UINT32_MAX: of nobody */
};

enum {
    VT__POPULAR_MAX = 500,
    VT__NEW_MAX = 100,
    VT__TOGETHER_TOUCHED_MAX = 1000,
    VT__TOGETHER_MAX = 200,
    VT__TRENDING_MAX = 200,
    VT__GROUP_MAX = 100, /* of each of VT__GROUPS_MAX groups */
    VT__GROUPS_MAX = 7,  /* two categories, channel, segment, three windows */
    VT__CONTENT_MAX = 200,
    VT__SPEAKERS_MAX = 16, /* taste items that may explain a factor score */
    VT__SPEAKERS_AT_ONCE = 4,
    VT__VIEWED_MAX = 100,
    VT__AGAIN_MAX = 100,
    VT__FOUND_MAX = 2 * VT_CANDIDATES_MAX + 2 * VT__POPULAR_MAX + VT__NEW_MAX + VT__TOGETHER_MAX +
                    VT__TRENDING_MAX + VT__GROUPS_MAX * VT__GROUP_MAX + VT__CONTENT_MAX +
                    VT__VIEWED_MAX + VT__AGAIN_MAX + VT_CAMPAIGN_MAX,
};

/* A candidate on its way: what the cut orders by, then what is returned. */
struct vt__found {
    uint32_t item;
    uint32_t row;       /* UINT32_MAX: not in the bundle */
    uint32_t best_rank; /* its best place in any source */
    uint32_t new_rank;  /* place among the new arrivals; UINT32_MAX: none */
    /* Scores of sources that know items and not rows; 0: that source did not find it. */
    float viewed, again, group;
    bool campaign;
    double factor, model; /* NaN: not worked out yet; with a row and a vector, a model only */
};

/* A taste item that may be why a candidate is one: of the first of the taste, sorted by reach. */
struct vt__speaker {
    uint32_t place; /* in the taste */
    double reach;
};

struct vt__scratch {
    uint32_t n_rows, dim; /* what it is sized for */
    struct vt__cell *cells;
    uint32_t *touched;
    struct vt__kernel_cell *kernel_cells;
    uint32_t *kernel_touched;
    uint64_t *excluded;
    void *fold_in;
    float *vector;
    float *speaker_factors; /* of n_speakers, dim apart */
    struct vt__speaker speakers[VT__SPEAKERS_MAX];
    struct vt_index_hit hits[VT_CANDIDATES_MAX];
    struct vt__found found[VT__FOUND_MAX];
    uint32_t together_touched[VT__TOGETHER_TOUCHED_MAX]; /* rows whose cell has `together` */
    uint32_t n_found, n_touched, n_kernel_touched, n_together_touched;
    uint32_t n_speakers;
};
_Static_assert(sizeof(struct vt__scratch) < 370 << 10, "the README says so");

/* How many candidates the source may find. */
uint32_t vt__budget(const struct vt_candidate_query *query, enum vt_source source);

/* Scratch is lent for the length of one request. A thread asks first for the one it had last, so
 * serving threads do not share lines; one is made when none is free. Any thread. */
enum { VT__SCRATCH_POOL = 64 };
struct vt__scratch_pool {
    struct {
        _Alignas(64) _Atomic(struct vt__scratch *) scratch;
    } places[VT__SCRATCH_POOL];
};

/* Fitting the bundle (grown by malloc only when the model grew); NULL without memory. */
struct vt__scratch *vt__scratch_take(struct vt__scratch_pool *pool,
                                     const struct vt_bundle_view *view);
/* Gives it back as it came: cells and excluded bits zero. */
void vt__scratch_give(struct vt__scratch_pool *pool, struct vt__scratch *scratch);
/* Frees what the pool holds; nothing may be lent any more. */
void vt__scratch_pool_fini(struct vt__scratch_pool *pool);

#endif
