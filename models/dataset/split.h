#ifndef VT_DATASET_SPLIT_H
#define VT_DATASET_SPLIT_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/* How interactions are parted into what a model may see and what it has to find. */
enum vt_protocol {
    VT_PROTOCOL_ADJACENCY,     /* as given: a train and a test list */
    VT_PROTOCOL_TIME,          /* the newest share of all interactions is the test part */
    VT_PROTOCOL_LEAVE_ONE_OUT, /* the newest interaction of each user with two or more */
    VT_PROTOCOL_RANDOM,        /* a seeded share of the (user, item) pairs: to choose parameters */
};

struct vt_split_options {
    enum vt_protocol protocol;
    double test_share; /* of TIME and RANDOM, in (0, 1) */
    int64_t cut_ms; /* of TIME: newer ones are the test part, whatever their share; 0: by share */
    uint64_t seed;  /* of RANDOM */
    /* Weights, decay and `once` for every matrix; history_max for `served` alone. */
    struct vt_dataset_options dataset;
};

/* Three matrices over the same ids: rows and columns are those of train and test together. */
struct vt_split {
    struct vt_ids ids;
    struct vt_sparse train;
    struct vt_sparse served; /* train, newest history_max events of each user: what serving knows */
    struct vt_sparse test;   /* values 1; pairs that train has are left out, except in ADJACENCY */
};

/* Interactions [0, n_train) are the train list in ADJACENCY; elsewhere n_train is not looked at.
 * Owned result. VT_INVALID when a part comes out empty; VT_EXHAUSTED. Same input, same bytes. */
VT_MUST_USE struct vt_err vt_split_make(const struct vt_interaction *interactions, uint64_t n,
                                        uint64_t n_train, const struct vt_split_options *options,
                                        struct vt_diag *diag, struct vt_split *ret_split);
void vt_split_free(struct vt_split *split);

/* True when row `row` has column `column`. O(log row length). */
bool vt_sparse_has(const struct vt_sparse *matrix, uint32_t row, uint32_t column);

#endif
