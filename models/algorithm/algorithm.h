#ifndef VT_ALGORITHM_ALGORITHM_H
#define VT_ALGORITHM_ALGORITHM_H

#include "models/algorithm/blend_options.h"
#include "models/content/space.h"
#include "models/dataset/dataset.h"
#include "models/deep/autoencoder.h"
#include "models/eval/recommender.h"
#include "models/factor/ials.h"
#include "models/graph/graph.h"
#include "models/linear/ease.h"
#include "models/neighbor/neighbor.h"
#include "models/neighbor/user_neighbors.h"
#include "models/rank/boost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The families by name, with what can be set about each: one table behind `--algorithm` and
 * `--set key=value` of evaluate, train and tune. A family is a file of this folder.
 */

/* Called after each iteration of those that iterate, on the caller's thread. False ends training.
 */
typedef bool (*vt_training_progress_fn)(void *ctx, uint32_t done, uint32_t total, double loss);

/* A line for people about what a family that searches does; on the caller's thread. */
typedef void (*vt_training_tell_fn)(void *ctx, const char *line);

/* The learned ranker: trees over the candidates of other families. */
struct vt_boosted_options {
    struct vt_boost_options boost; /* its seed and progress are those below */
    uint32_t candidates;           /* of a customer; 1 … VT_RANK_CANDIDATES_MAX */
    uint32_t users;                /* at most about so many are learned from; ≥ 10 */
};

struct vt_algorithm_options {
    struct vt_ials_options ials;
    struct vt_ease_options ease;
    struct vt_graph_options graph, sharpened;
    struct vt_boosted_options boosted;
    struct vt_autoencoder_options autoencoder;
    struct vt_neighbor_options neighbor;
    struct vt_user_neighbors_options user_neighbors;
    struct vt_content_options content;
    const struct vt_catalog *catalog; /* texts, borrowed; NULL: none */
    const uint32_t *item_ids;         /* of the matrix's columns, to find the texts by; borrowed */
    struct vt_blend_options blend;
    uint32_t threads;                 /* 0: one per CPU; for all */
    uint64_t seed;                    /* for all */
    uint64_t memory_bytes;            /* training must stay below; 0: no limit was given */
    double seconds_max;               /* what those that search may spend; 0: their own default */
    vt_training_progress_fn progress; /* may be NULL */
    void *progress_ctx;
    vt_training_tell_fn tell; /* may be NULL */
    void *tell_ctx;
};
/* Each family's own defaults, seed 1. */
void vt_algorithm_options_default(struct vt_algorithm_options *ret_options);

/*
 * The served model: score(i) = Σ over the members m of weight[m] · z_m(i), where
 * z_m(i) = (s_m(i) − mean) / stddev over ALL items of the model, for this history. A member whose
 * deviation is 0 (no history it knows) adds nothing. A family of one member has weight 1 there and
 * ranks as the member does.
 */
enum vt_member {
    VT_MEMBER_FACTOR,   /* x·y_i, x folded in from the history */
    VT_MEMBER_KERNEL,   /* Σ over the history of weight · kernel[h][i] */
    VT_MEMBER_NEIGHBOR, /* the same with the item-CF neighbours */
    VT_MEMBER_POPULAR,  /* ln(1 + popularity), the same for everybody */
    VT_MEMBER_COUNT
};
struct vt_mix {
    float weight[VT_MEMBER_COUNT];
};

enum { VT_TRAINED_NOTE_BYTES = 256 };
/* What a family that searches came to, as --algorithm and --set take it: training with it gives the
 * same kind of model without a search. n_settings 0: this family does not search. */
enum { VT_SETTLED_MAX = 48, VT_SETTING_BYTES = 64 };
struct vt_settled {
    const char *algorithm; /* a literal */
    uint32_t n_settings;
    char settings[VT_SETTLED_MAX][VT_SETTING_BYTES]; /* "key=value" */
};

/* A trained model behind the face that evaluation wants, and those of its parts that a bundle can
 * carry (borrowed from `model`; NULL: this family has none). */
struct vt_trained {
    struct vt_recommender recommender; /* borrows `model` */
    const struct vt_ials_model *factors;
    const struct vt_item_kernel *kernel;    /* EASE, a graph filter, or several of them added */
    const struct vt_item_kernel *neighbors; /* item-CF */
    struct vt_mix mix;
    struct vt_settled settled;

    /* Of the probabilities that the family gives, on customers that nothing was fitted on: the
     * expected calibration error of models/rank/calibration.h; 0: it gives none. */
    double calibration_error;
    void *model; /* owned */
    void (*free_model)(void *model);
    char note[VT_TRAINED_NOTE_BYTES]; /* what was chosen from the data, and why; "": nothing was */
};
void vt_trained_free(struct vt_trained *trained); /* zeroed is allowed */

/* How large the data are. */
struct vt_shape {
    uint64_t n_users, n_items, n_interactions;
};
/* What training takes, from above: memory beside the matrix itself, and arithmetic. */
struct vt_need {
    uint64_t memory_bytes;
    double gflop;
    /* Of a core that VT_CORE_GFLOPS describes, where arithmetic is far from time: sparse rows and
     * heaps cost more than a count of theirs, supports that are not full cost less. 0: `gflop` says
     * it well enough. */
    double core_seconds;
};
/* What vt_train_speed_gflops measures for one thread where models/algorithm/auto_cost.c has its
 * rates from: an idle core of an AMD EPYC with AVX2. */
#define VT_CORE_GFLOPS 85.0

struct vt_algorithm;
/* NULL when there is none of that name; `diag` then has the nearest and the list. */
const struct vt_algorithm *vt_algorithm_find(const char *name, struct vt_diag *diag);
/* The families in the order of the table; NULL behind the last. */
const struct vt_algorithm *vt_algorithm_at(size_t place);
/* "ials" …, and what it is in a few words; literals. */
const char *vt_algorithm_name(const struct vt_algorithm *algorithm);
const char *vt_algorithm_summary(const struct vt_algorithm *algorithm);
/* "ials|itemcf|…", for help and messages; a literal for the life of the process. */
const char *vt_algorithm_choices(void);
/* Whether a bundle can carry it; the others are for evaluation. */
bool vt_algorithm_serves(const struct vt_algorithm *algorithm);

/* Applies one "key=value". VT_INVALID with the nearest key, or the range, in `diag`. */
VT_MUST_USE struct vt_err vt_algorithm_set(const struct vt_algorithm *algorithm,
                                           const char *key_value, struct vt_diag *diag,
                                           struct vt_algorithm_options *options);

/* A setting as vt_algorithm_set takes it; both texts are valid during the call. */
typedef void (*vt_setting_fn)(void *ctx, const char *key, const char *value);
/* Each setting of the family with the value that `options` have, in the order of its table. */
void vt_algorithm_settings(const struct vt_algorithm *algorithm,
                           const struct vt_algorithm_options *options, vt_setting_fn fn, void *ctx);

/* What a search came to, as a family and its options; threads, seed, limits and progress stay as
 * they are in ret_options. VT_INTERNAL when it names what there is not. */
VT_MUST_USE struct vt_err vt_settled_apply(const struct vt_settled *settled, struct vt_diag *diag,
                                           const struct vt_algorithm **ret_algorithm,
                                           struct vt_algorithm_options *ret_options);

struct vt_need vt_algorithm_need(const struct vt_algorithm *algorithm, const struct vt_shape *shape,
                                 const struct vt_algorithm_options *options);

/* Trains on a user × item matrix of confidences. VT_INVALID for options out of range or an empty
 * matrix, VT_EXHAUSTED without memory, VT_CORRUPT when no finite model comes out. Owned result; the
 * same bytes for any thread count. */
VT_MUST_USE struct vt_err vt_algorithm_train(const struct vt_algorithm *algorithm,
                                             const struct vt_sparse *matrix,
                                             const struct vt_algorithm_options *options,
                                             struct vt_diag *diag, struct vt_trained *ret_trained);

#endif
