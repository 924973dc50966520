#ifndef VT_NODE_RANKER_EXAMPLES_H
#define VT_NODE_RANKER_EXAMPLES_H

#include "models/rank/boost.h"
#include "services/node/ranker_past.h"
#include "services/node/ranker_people.h"

/*
 * What a ranker learns from: for each customer the candidates that serving would have had at the
 * moment, a row of features each (services/ranking/features.h, as serving makes them), labelled 1
 * where the customer wanted the item afterwards.
 */
enum vt_ranker_part {
    VT_RANKER_LEARN,     /* eight tenths of the customers */
    VT_RANKER_CHOOSE,    /* how many trees are kept: one tenth */
    VT_RANKER_CALIBRATE, /* one tenth */
    VT_RANKER_PARTS
};

struct vt_ranker_examples {
    /* Views into the arrays below. Groups without a hit teach no order and are only in CALIBRATE,
     * where they belong to how often a candidate is wanted. */
    struct vt_boost_examples part[VT_RANKER_PARTS];
    struct vt_rank_features features; /* of a row; those that nobody has in LEARN are left out */
    float *rows, *labels;             /* owned */
    uint32_t *group_sizes;            /* owned */
};
enum { VT_RANKER_CANDIDATES = 200 }; /* of a customer: what a Recommend of up to 50 asks for */

/* Asks for each person, whose hash says the part.
 * VT_INVALID: no candidate was wanted by anybody in LEARN, `diag` says so; VT_EXHAUSTED. Same
 * input, same bytes, for any number of threads. Owned result. */
VT_MUST_USE struct vt_err vt_ranker_examples_make(const struct vt_ranker_past *past,
                                                  const struct vt_ranker_people *people,
                                                  uint32_t threads, struct vt_diag *diag,
                                                  struct vt_ranker_examples *ret_examples);
void vt_ranker_examples_free(struct vt_ranker_examples *examples); /* zeroed is allowed */

#endif
