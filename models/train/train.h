#ifndef VT_TRAIN_TRAIN_H
#define VT_TRAIN_TRAIN_H

#include "models/algorithm/algorithm.h"
#include "models/bundle/bundle.h"
#include "models/dataset/catalog.h"
#include "models/dataset/dataset.h"
#include "models/dataset/split.h"

/*
 * The offline pipeline: interactions → held-out metrics → a model of everything → the content of a
 * bundle → the gate → disk. Plain functions in that order; the caller holds the lock of
 * vt_train_lock around all of it. One thread calls, training uses its own.
 */

/* What there is to learn from. Borrowed. */
struct vt_train_input {
    const struct vt_interaction *interactions;
    uint64_t n;
    const struct vt_catalog *catalog; /* NULL or empty: none, as for plain files */
};

/* What a stage does, in words for people, and the iterations done of its total. On the caller's
 * thread. */
typedef void (*vt_train_progress_fn)(void *ctx, const char *stage, uint32_t done, uint32_t total);

struct vt_train_options {
    const struct vt_algorithm *algorithm;          /* one that serves */
    struct vt_algorithm_options algorithm_options; /* also of the item neighbours */
    struct vt_dataset_options dataset;             /* event weights and decay */
    uint32_t served_history_max;   /* newest events of a customer that serving knows */
    enum vt_protocol protocol;     /* of what is held out: TIME, or RANDOM where there is no time */
    double test_share;             /* this share is held out for the metrics */
    uint32_t k;                    /* length of the lists that are measured */
    vt_train_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
/* Default event weights, no decay, the newest tenth held out, lists of 20. */
void vt_train_options_default(struct vt_train_options *ret_options);

/* What one training makes. Owns everything that `view` points to, except `view.version` and
 * `view.parent`, which are texts of this struct. */
struct vt_train_result {
    struct vt_bundle_view view;
    struct vt_dataset dataset;
    struct vt_trained trained;
    struct vt_item_kernel neighbors; /* empty where `trained` has them */
    double *factor_moments;          /* models/factor/moments.h; NULL without factors */
    float *popularity;
    struct vt_bundle_metric metrics[VT_BUNDLE_METRICS_MAX];
    struct vt_bundle_parameter parameters[VT_BUNDLE_PARAMETERS_MAX];
    char version[VT_VERSION_BYTES_MAX], parent[VT_VERSION_BYTES_MAX];
};
/* Zeroed is allowed. */
void vt_train_result_free(struct vt_train_result *result);

/* Bytes that training will have in use at its peak, from above: n interactions of up to so many
 * users and items. Derived from the arrays that each step holds. */
uint64_t vt_train_memory_bytes(const struct vt_train_options *options, uint64_t n, uint64_t n_users,
                               uint64_t n_items);

/* VT_PRECONDITION when there is too little to learn from (no event that counts, one customer, one
 * item): `diag` says what is missing. Where a part of a split would be empty the metrics are left
 * out. Same input and options: same arrays, for any thread count. Pass `ret_result` zeroed; after a
 * failure it is zeroed again. */
VT_MUST_USE struct vt_err vt_train_run(const struct vt_train_input *input,
                                       const struct vt_train_options *options, struct vt_diag *diag,
                                       struct vt_train_result *ret_result);

struct vt_gate_options {
    double margin;       /* recall and ndcg may be lower than the parent's by this share */
    double coverage_min; /* of the parent's items, the share that must still be there */
};
/* A tenth, and four fifths. */
void vt_gate_options_default(struct vt_gate_options *ret_options);
/* Is the content fit to replace `parent` (NULL: nothing serves)? VT_PRECONDITION with the reason in
 * `diag`. Shapes and finite numbers are the bundle's own checks and are not repeated here. */
VT_MUST_USE struct vt_err vt_gate_check(const struct vt_bundle_view *content,
                                        const struct vt_bundle_view *parent,
                                        const struct vt_gate_options *options,
                                        struct vt_diag *diag);

/* Holds DIR/train.lock so that there is one trainer; VT_UNAVAILABLE names the pid that has it. A
 * kill gives it back. */
VT_MUST_USE struct vt_err vt_train_lock(const char *data_dir, struct vt_diag *diag, int *ret_fd);
/* Gives the lock back. */
void vt_train_unlock(int fd);

/* Names the version, writes it beside the others and, with `publish`, makes it CURRENT. */
VT_MUST_USE struct vt_err vt_train_store(const char *data_dir, int64_t now_ms, bool publish,
                                         struct vt_diag *diag, struct vt_train_result *result);

#endif
