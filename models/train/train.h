#ifndef VT_TRAIN_TRAIN_H
#define VT_TRAIN_TRAIN_H

#include "models/algorithm/algorithm.h"
#include "models/bundle/bundle.h"
#include "models/dataset/catalog.h"
#include "models/dataset/dataset.h"
#include "models/dataset/split.h"
#include "models/report/report.h"
#include "models/train/curve.h"
#include "models/train/gate.h"
#include "models/train/goods.h"
#include "models/train/held_out.h"

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

/* A line for people: what was taken up, or ignored. */
typedef void (*vt_train_notice_fn)(void *ctx, const char *text);

struct vt_train_options {
    const struct vt_algorithm *algorithm;          /* one that serves */
    struct vt_algorithm_options algorithm_options; /* also of the item neighbours */
    const char
        *chosen; /* why the data chose it, for the manifest; borrowed, NULL: somebody said it */
    struct vt_dataset_options dataset; /* event weights and decay */
    uint32_t served_history_max;       /* newest events of a customer that serving knows */
    enum vt_protocol protocol; /* of what is held out: TIME, or RANDOM where there is no time */
    double test_share;         /* this share is held out for the metrics */
    uint32_t k;                /* length of the lists that are measured */
    const struct vt_bundle_view *parent; /* the version that serves; borrowed, NULL: none */
    /* Training of factors ends when so many iterations brought the watched customers nothing; 0:
     * all iterations are done. The training of everything then has as many as were best. */
    uint32_t patience;
    bool warm; /* begin with the factors of `parent`, where they fit */
    /* Where factors are kept on the way, so that a kill costs little; borrowed, NULL: nowhere. */
    const char *checkpoint_dir;
    int64_t checkpoint_every_ms;
    vt_train_progress_fn progress; /* may be NULL */
    vt_train_notice_fn notice;     /* may be NULL */
    /* Asked after each iteration; true ends it with VT_CANCELLED, after a checkpoint. May be NULL.
     */
    bool (*stop_wanted)(void *ctx);
    void *progress_ctx; /* of all three */
};
/* Default event weights, no decay, the newest tenth held out, lists of 20. */
void vt_train_options_default(struct vt_train_options *ret_options);

/* What one training makes. Owns everything that `view` points to, except `view.version` and
 * `view.parent`, which are texts of this struct. */
struct vt_train_result {
    struct vt_bundle_view view;
    struct vt_dataset dataset;
    struct vt_held_out held_out; /* what was kept back, and how the measured model found it */
    struct vt_curve curve;       /* of the measured training; n 0: the family has none */
    struct vt_trained trained;
    struct vt_ials_model *imported;  /* factors from elsewhere (import.h); NULL: trained ones */
    struct vt_item_kernel neighbors; /* empty where `trained` has them */
    struct vt_settled settled;       /* of a family that searches: what the search came to */
    double *factor_moments;          /* models/factor/moments.h; NULL without factors */
    float *popularity;
    struct vt_train_goods goods;
    struct vt_bundle_metric metrics[VT_BUNDLE_METRICS_MAX];
    struct vt_bundle_parameter parameters[VT_BUNDLE_PARAMETERS_MAX];
    struct vt_report_data report; /* for the page that goes with the version */
    char *page;                   /* of `report`, made when the version is stored; NULL: not yet */
    char version[VT_VERSION_BYTES_MAX], parent[VT_VERSION_BYTES_MAX];
};
/* Zeroed is allowed. */
void vt_train_result_free(struct vt_train_result *result);

/* VT_PRECONDITION when there is too little to learn from (no event that counts, one customer, one
 * item): `diag` says what is missing. Where a part of a split would be empty the metrics are left
 * out. Same input and options: same arrays, for any thread count. Pass `ret_result` zeroed; after a
 * failure it is zeroed again. */
VT_MUST_USE struct vt_err vt_train_run(const struct vt_train_input *input,
                                       const struct vt_train_options *options, struct vt_diag *diag,
                                       struct vt_train_result *ret_result);

/* Whether a warm start is wanted and the parent's factors can begin this training: the same family
 * and number of factors. */
bool vt_train_warm_possible(const struct vt_train_options *options);

/* VT_INVALID for a family that no bundle can carry. vt_train_run asks it too. */
VT_MUST_USE struct vt_err vt_train_check_serves(const struct vt_algorithm *algorithm,
                                                struct vt_diag *diag);

/* Removes the checkpoints of a training that is done. Missing ones are fine. */
void vt_train_checkpoints_remove(const char *data_dir);

/* Holds DIR/train.lock so that there is one trainer; VT_UNAVAILABLE names the pid that has it. A
 * kill gives it back. */
VT_MUST_USE struct vt_err vt_train_lock(const char *data_dir, struct vt_diag *diag, int *ret_fd);
/* Gives the lock back. */
void vt_train_unlock(int fd);

/* Adds a line to what the report says of the version before; more than fit are left out. */
void vt_train_result_note(struct vt_train_result *result, const char *text);

/* Names the version, makes its report, writes it beside the others and, with `publish`, makes it
 * CURRENT. */
VT_MUST_USE struct vt_err vt_train_store(const char *data_dir, int64_t now_ms, bool publish,
                                         struct vt_diag *diag, struct vt_train_result *result);

#endif
