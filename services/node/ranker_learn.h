#ifndef VT_NODE_RANKER_LEARN_H
#define VT_NODE_RANKER_LEARN_H

#include "models/rank/boost.h"
#include "models/rank/calibration.h"
#include "models/train/train.h"
#include "services/node/ranker_measure.h"

/*
 * `vitrine train --ranker`: learning to order candidates from what customers did after a moment,
 * and measuring on what they did after a later one. Events by time:
 *
 *   past | learnt from | measured on
 *
 * A version of the past proposes, what follows labels; then a version of both, with the new trees,
 * answers as it would have served, and what follows says whether it is better than without them.
 * Where the data have no times the three parts are drawn by the hash of customer and item.
 */
struct vt_ranker_input {
    const struct vt_interaction *interactions; /* any order; borrowed, like all here */
    uint64_t n;
    const struct vt_catalog *catalog;
    /* Of the version that the ranker is for: recipe, protocol, share, k, seed, progress, notice. */
    const struct vt_train_options *options;
    const struct vt_settled *settled; /* of that version's search; n_settings 0: none */
    const char *folder;               /* versions of the past go there for a while */
    bool keep_losing;                 /* even where it measures no better */
};

struct vt_ranker {
    struct vt_boosted boosted;
    struct vt_calibration calibration;
    struct vt_rank_features features;
    struct vt_ranker_measured measured;
    uint32_t n_customers, n_measured; /* that were learnt from, that were measured */
    bool serves;                      /* it was better, surely, or it was to be kept anyway */
};

enum { VT_RANKER_PEOPLE_MAX = 6000 }; /* learnt from; measured on */

/* The trees' own defaults: few and shallow, since they are asked for every candidate. */
void vt_ranker_boost_options(struct vt_boost_options *ret_options);

/* Too little to learn from is no error: then n_customers is 0, and options->notice says why.
 * Errors of training, of the disk, of XGBoost. Same input, same bytes, for any number of threads.
 * Owned result. */
VT_MUST_USE struct vt_err vt_ranker_learn(const struct vt_ranker_input *input, struct vt_diag *diag,
                                          struct vt_ranker *ret_ranker);
void vt_ranker_free(struct vt_ranker *ranker); /* zeroed is allowed */

/* As a version carries it; borrows the ranker. */
struct vt_bundle_ranker vt_ranker_part(const struct vt_ranker *ranker);
/* Puts it into the version, with what it measured; the ranker must outlive the result's view. */
void vt_ranker_put(const struct vt_ranker *ranker, struct vt_train_result *result);

/* Memory beside the training of the version itself, from above. */
uint64_t vt_ranker_memory_bytes(uint64_t n_interactions);

#endif
