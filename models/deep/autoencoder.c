/*
 * Training: epochs over the users in a seeded order, each followed by a look at the customers that
 * were kept back; the best epoch's parameters are copied aside. What is kept back stays out of the
 * training: about one interaction in fifty, which costs less than a second training without it.
 */
#include "models/deep/autoencoder.h"

#include "models/dataset/mix.h"
#include "models/deep/deep_internal.h"
#include "models/eval/eval.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATION_K = 20 };

/* Everything that training holds. */
struct trainer {
    const struct vt_autoencoder_options *options;
    uint32_t threads;
    struct vt__kept_back data;
    struct vt__network network;
    struct vt__adam adam;
    struct vt__pass *pass;
    uint32_t *users; /* with something wanted, in the order of this epoch */
    uint32_t n_users;
    uint64_t step;
    float *best; /* parameters of the best epoch */
    double best_ndcg;
    uint32_t best_epoch;
};

void vt_autoencoder_options_default(struct vt_autoencoder_options *ret_options)
{
    *ret_options = (struct vt_autoencoder_options){.hidden = 128,
                                                   .epochs = 100,
                                                   .patience = 10,
                                                   .batch = 256,
                                                   .learning_rate = 0.001,
                                                   .weight_decay = 0.1,
                                                   .dropout = 0.7,
                                                   .user_exponent = 0.5,
                                                   .seed = 1};
}

uint64_t vt_autoencoder_memory_bytes(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                     const struct vt_autoencoder_options *options)
{
    const uint64_t stride = options->hidden + 15, threads = vt_threads_resolve(options->threads);
    const uint64_t parameters = 2 * n_items * stride + stride + n_items;
    const uint64_t batch = options->batch < n_users ? options->batch : n_users;
    return 4 * parameters * sizeof(float) + vt__pass_bytes(n_items, stride, batch, threads) +
           n_entries * (2 * sizeof(uint64_t) + sizeof(float)) + n_users * 24;
}

/* ---- what is refused ---- */

static struct vt_err check_options(const struct vt_autoencoder_options *options,
                                   struct vt_diag *diag)
{
    const struct {
        const char *field;
        bool ok;
    } checks[] = {
        {"hidden", options->hidden >= 1 && options->hidden <= VT_AUTOENCODER_HIDDEN_MAX},
        {"epochs", options->epochs >= 1 && options->epochs <= VT_AUTOENCODER_EPOCHS_MAX},
        {"batch", options->batch >= 1 && options->batch <= VT_AUTOENCODER_BATCH_MAX},
        {"learning_rate", options->learning_rate > 0 && options->learning_rate <= 1},
        {"weight_decay", options->weight_decay >= 0 && isfinite(options->weight_decay)},
        {"dropout", options->dropout >= 0 && options->dropout < 1},
        {"user_exponent", options->user_exponent >= 0 && options->user_exponent <= 2},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!checks[i].ok) {
            vt_diag_set(diag, checks[i].field, "%s of the autoencoder is out of range",
                        checks[i].field);
            return VT_ERR(VT_INVALID, "an option of the autoencoder is out of range");
        }
    return vt_ok();
}

static struct vt_err check_matrix(const struct vt_sparse *matrix, struct vt_diag *diag)
{
    uint64_t n_wanted = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
            if (!isfinite(matrix->values[e])) {
                vt_diag_set(diag, "interactions",
                            "the confidence of user %u for item %u is not finite", user,
                            matrix->columns[e]);
                return VT_ERR(VT_INVALID, "a confidence is not finite");
            }
            n_wanted += matrix->values[e] > 0 ? 1 : 0;
        }
    if (n_wanted > 0)
        return vt_ok();
    vt_diag_set(diag, "interactions",
                "nobody wants anything: %ju interactions, all of them below 0",
                (uintmax_t)matrix->n_entries);
    return VT_ERR(VT_INVALID, "nothing to learn from");
}

/* ---- making ready ---- */

static struct vt_err collect_users(struct trainer *trainer)
{
    const struct vt_sparse *train = &trainer->data.train;
    trainer->users = calloc((size_t)train->n_rows + 1, sizeof *trainer->users);
    VT_CHECK(trainer->users != NULL, VT_EXHAUSTED, "out of memory for the order of users");
    for (uint32_t user = 0; user < train->n_rows; user++) {
        bool wants = false;
        for (uint64_t e = train->starts[user]; e < train->starts[user + 1]; e++)
            wants |= train->values[e] > 0;
        if (wants)
            trainer->users[trainer->n_users++] = user;
    }
    return vt_ok();
}

static struct vt_err prepare(struct trainer *trainer, const struct vt_sparse *matrix)
{
    const struct vt_autoencoder_options *options = trainer->options;
    trainer->threads = vt_threads_resolve(options->threads);
    VT_TRY(vt__keep_back(matrix, options->seed, &trainer->data));
    VT_TRY(collect_users(trainer));
    VT_TRY(
        vt__network_init(&trainer->data.train, options->hidden, options->seed, &trainer->network));
    VT_TRY(vt__adam_init(&trainer->network, &trainer->adam));
    trainer->best = malloc(trainer->network.n_parameters * sizeof *trainer->best);
    VT_CHECK(trainer->best != NULL, VT_EXHAUSTED, "out of memory for the best network");
    uint32_t batch = options->batch < trainer->n_users ? options->batch : trainer->n_users;
    return vt__pass_new(&trainer->network, &trainer->data.train, batch, trainer->threads,
                        &trainer->pass);
}

static void release(struct trainer *trainer)
{
    vt__kept_back_free(&trainer->data);
    vt__adam_fini(&trainer->adam);
    vt__pass_free(trainer->pass);
    free(trainer->network.parameters);
    free(trainer->users);
    free(trainer->best);
}

/* ---- an epoch ---- */

/* Fisher and Yates, from the seed and the epoch. */
static void shuffle(struct trainer *trainer, uint64_t seed)
{
    for (uint32_t i = trainer->n_users; i > 1; i--) {
        uint32_t other = (uint32_t)(vt_mix64(seed + i * VT_MIX64_STEP) % i);
        uint32_t kept = trainer->users[i - 1];
        trainer->users[i - 1] = trainer->users[other];
        trainer->users[other] = kept;
    }
}

/* Returns the mean loss. */
static double run_epoch(struct trainer *trainer, uint32_t epoch)
{
    const struct vt_autoencoder_options *options = trainer->options;
    const uint64_t seed = vt_mix64(options->seed + epoch * VT_MIX64_STEP);
    const struct vt__pass_options pass = {.dropout = options->dropout,
                                          .user_exponent = options->user_exponent,
                                          .seed = vt_mix64(seed),
                                          .threads = trainer->threads,
                                          .apply = vt__adam_apply,
                                          .apply_ctx = &trainer->adam};
    double loss = 0;
    shuffle(trainer, seed);
    for (uint32_t first = 0; first < trainer->n_users; first += options->batch) {
        uint32_t left = trainer->n_users - first;
        vt__adam_begin(&trainer->adam, ++trainer->step, options->learning_rate,
                       options->weight_decay);
        loss += vt__pass_run(trainer->pass, trainer->users + first,
                             left < options->batch ? left : options->batch, &pass);
    }
    return loss / trainer->n_users;
}

static struct vt_err score(const void *self, const struct vt_weighted_history *history,
                           void *scratch, double *ret_scores)
{
    vt_autoencoder_score(self, history->columns, history->weights, history->n, scratch, ret_scores);
    return vt_ok();
}

/* NaN where nothing is kept back. */
static struct vt_err measure(const struct trainer *trainer, double *ret_ndcg)
{
    const struct vt_autoencoder view = vt__network_view(&trainer->network);
    const struct vt_recommender recommender = {.name = "autoencoder",
                                               .self = &view,
                                               .scratch_bytes =
                                                   vt_autoencoder_scratch_bytes(view.hidden),
                                               .score = score};
    const struct vt_eval_options options = {.train = &trainer->data.train,
                                            .test = &trainer->data.test,
                                            .k = VALIDATION_K,
                                            .threads = trainer->threads};
    struct vt_metrics_at_k metrics = {.ndcg = (double)NAN};
    if (trainer->data.any)
        VT_TRY(vt_evaluate(&recommender, &options, &metrics));
    *ret_ndcg = metrics.ndcg;
    return vt_ok();
}

/* The last one stands for the best where nothing is measured. */
static void remember(struct trainer *trainer, uint32_t epoch, double ndcg)
{
    if (trainer->best_epoch > 0 && ndcg <= trainer->best_ndcg)
        return;
    memcpy(trainer->best, trainer->network.parameters,
           trainer->network.n_parameters * sizeof *trainer->best);
    trainer->best_ndcg = ndcg;
    trainer->best_epoch = epoch;
}

static struct vt_err check_finite(const struct trainer *trainer, double loss, struct vt_diag *diag)
{
    bool finite = isfinite(loss) != 0;
    for (size_t i = 0; finite && i < trainer->network.n_parameters; i++)
        finite = isfinite(trainer->network.parameters[i]) != 0;
    if (finite)
        return vt_ok();
    vt_diag_set(diag, "learning_rate", "training diverged; try %g",
                trainer->options->learning_rate / 4);
    return VT_ERR(VT_CORRUPT, "training of the autoencoder diverged");
}

static struct vt_err run_epochs(struct trainer *trainer, struct vt_diag *diag)
{
    const struct vt_autoencoder_options *options = trainer->options;
    for (uint32_t epoch = 1; epoch <= options->epochs; epoch++) {
        double ndcg = (double)NAN, loss = run_epoch(trainer, epoch);
        VT_TRY(check_finite(trainer, loss, diag));
        VT_TRY(measure(trainer, &ndcg));
        remember(trainer, epoch, ndcg);
        const struct vt_autoencoder_progress at = {epoch, options->epochs, loss, ndcg};
        if (options->progress != NULL && !options->progress(options->progress_ctx, &at))
            return VT_ERR(VT_CANCELLED, "training the autoencoder was ended");
        if (options->patience > 0 && epoch - trainer->best_epoch >= options->patience)
            break;
    }
    return vt_ok();
}

struct vt_err vt_autoencoder_train(const struct vt_sparse *matrix,
                                   const struct vt_autoencoder_options *options,
                                   struct vt_diag *diag, struct vt_autoencoder *ret_model)
{
    VT_TRY(check_options(options, diag));
    VT_TRY(check_matrix(matrix, diag));
    struct trainer trainer = {.options = options};
    struct vt_err err = prepare(&trainer, matrix);
    if (!vt_failed(err))
        err = run_epochs(&trainer, diag);
    if (!vt_failed(err)) {
        memcpy(trainer.network.parameters, trainer.best,
               trainer.network.n_parameters * sizeof *trainer.best);
        vt__network_finish(&trainer.network, ret_model);
        ret_model->validation_ndcg = trainer.best_ndcg;
        ret_model->epoch = trainer.best_epoch;
    }
    release(&trainer);
    return err;
}
