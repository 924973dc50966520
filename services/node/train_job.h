#ifndef VT_NODE_TRAIN_JOB_H
#define VT_NODE_TRAIN_JOB_H

#include "models/algorithm/choose.h"
#include "models/dataset/catalog.h"
#include "models/dataset/interactions.h"
#include "models/train/train.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/node/ranker_learn.h"

/* What `vitrine train` is told. Borrowed texts. */
struct vt_train_command {
    const char *data_dir, *train_path;
    const char *algorithm; /* NULL: the settings or the data choose */
    struct vt_option_list settings, weights, values;
    double half_life_days;
    uint32_t threads, keep, patience;
    uint64_t seed, memory_bytes; /* 0: what is available */
    int64_t every_ms;            /* 0: once */
    int64_t checkpoint_every_ms;
    bool ranker, warm, no_publish, no_gate, mpi, json;
};

/*
 * One training from the lock to CURRENT. Zero it, set `command`, choose, run, fini. One thread.
 * A failure at any step leaves what serves in place.
 */
struct vt_train_job {
    const struct vt_train_command *command; /* borrowed */
    const struct vt_group *group;           /* trains with these; borrowed, NULL: alone */
    /* Asked after each iteration; true: give up with VT_CANCELLED. May be NULL. */
    bool (*stop_wanted)(void *ctx);
    void *stop_ctx;
    /* Data of this fingerprint are nothing new: VT_PRECONDITION with `skipped`. 0: always train. */
    uint64_t known_fingerprint;

    struct vt_train_options train;
    struct vt_choice choice; /* of the data, where nobody said which algorithm */
    struct vt_shape pairs;   /* what it was made by: distinct pairs that count */
    struct vt_interactions interactions;
    struct vt_catalog catalog;
    struct vt_bundle *parent; /* the version that serves; NULL: none, or it cannot be read */
    struct vt_train_result result;
    struct vt_ranker ranker; /* `result` may point into it */
    struct vt_gate_opinion opinion;
    struct vt_progress progress;
    const char *stage; /* whose bar is open; NULL: none */
    uint32_t stage_done;
    uint64_t fingerprint; /* of the data that were read; 0: none yet */
    double seconds;
    bool published, skipped;
};

/* Settings and algorithm from the command; the algorithm stays open when it says nothing of one:
 * the data choose it when they are read. VT_INVALID for what the caller should not have said. */
VT_MUST_USE struct vt_err vt_train_job_choose(struct vt_train_job *job, struct vt_diag *diag);
/* Reads, says on standard error what it will take, refuses what cannot fit, trains, judges, writes,
 * publishes and prunes. Blocking; reports progress on standard error. */
VT_MUST_USE struct vt_err vt_train_job_run(struct vt_train_job *job, struct vt_diag *diag);
void vt_train_job_fini(struct vt_train_job *job);

/* `--every`: trains again and again until SIGTERM or SIGINT; logs each run. Returns the exit
 * status.
 */
int vt_train_schedule_run(const struct vt_train_command *command);
/* How long to wait after a run that took `spent_ms`: runs begin every_ms apart, twice as far for
 * each failure in a row, up to a day (or every_ms, where that is more). */
int64_t vt_train_schedule_wait_ms(int64_t every_ms, unsigned failures, int64_t spent_ms);

#endif
