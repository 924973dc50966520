/*
 * The regularization of EASE when nobody gave one. How much is right follows no figure of the data
 * that could be read off beforehand (docs/models.md: a factor of thirty between shops of like
 * density), but ndcg has one hill over it, and a fit is cheap: so a part is held out of some users,
 * and the hill is climbed by factors of three from where it usually is.
 */
#include "models/algorithm/ease_search.h"

#include "models/dataset/holdout.h"
#include "models/eval/eval.h"

enum {
    SEARCH_USERS_MAX = 4000,
    SEARCH_USERS_MIN = 50, /* fewer with anything held out tell nothing */
    SEARCH_STEPS_MAX = 6,  /* in one direction */
    SEARCH_SUPPORT_MAX = 64,
    SEARCH_K = 20,
};
#define SEARCH_SHARE 0.2
#define SEARCH_FACTOR 3
#define SEARCH_GFLOP_MAX 1500 /* of one fit: some 20 s on two cores */
#define SEARCH_FITS_USUAL 4

struct search {
    struct vt_sparse train, test;
    struct vt_ease_options options;
    struct vt_diag *diag;
    uint32_t n_tried;
};

static struct vt_err score(const void *self, const struct vt_weighted_history *history,
                           void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_item_kernel_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

/* Ndcg of the held-out part; 0 where the matrix is singular with so little. */
static struct vt_err measure(struct search *search, double regularization, double *ret_ndcg)
{
    struct vt_item_kernel kernel;
    struct vt_metrics_at_k metrics = {0};
    search->options.regularization = regularization;
    search->n_tried++;
    struct vt_err err = vt_ease_train(&search->train, &search->options, search->diag, &kernel);
    if (err.code == VT_INVALID) {
        *ret_ndcg = 0;
        return vt_ok();
    }
    VT_TRY(err);
    struct vt_recommender recommender = {.name = "ease", .self = &kernel, .score = score};
    struct vt_eval_options eval = {.train = &search->train,
                                   .test = &search->test,
                                   .k = SEARCH_K,
                                   .threads = search->options.threads};
    err = vt_evaluate(&recommender, &eval, &metrics);
    vt_item_kernel_free(&kernel);
    VT_TRY(err);
    *ret_ndcg = metrics.ndcg;
    return vt_ok();
}

/* Goes on by `factor` as long as it helps. */
static struct vt_err climb(struct search *search, double factor,
                           struct vt__ease_regularization *best)
{
    for (uint32_t step = 0; step < SEARCH_STEPS_MAX; step++) {
        double ndcg, regularization = best->value * factor;
        VT_TRY(measure(search, regularization, &ndcg));
        if (!(ndcg > best->ndcg))
            break;
        best->value = regularization;
        best->ndcg = ndcg;
    }
    return vt_ok();
}

static struct vt_err climb_both_ways(struct search *search, struct vt__ease_regularization *best)
{
    double start = best->value;
    VT_TRY(measure(search, start, &best->ndcg));
    VT_TRY(climb(search, SEARCH_FACTOR, best));
    if (!(best->value > start))
        VT_TRY(climb(search, 1.0 / SEARCH_FACTOR, best));
    best->n_tried = search->n_tried;
    return vt_ok();
}

static struct vt_ease_options search_options(const struct vt_ease_options *options)
{
    struct vt_ease_options search = *options;
    if (search.support > SEARCH_SUPPORT_MAX)
        search.support = SEARCH_SUPPORT_MAX;
    search.progress = NULL;
    return search;
}

struct vt_ease_plan vt__ease_search_plan(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                         const struct vt_ease_options *options)
{
    struct vt_ease_options search = search_options(options);
    struct vt_ease_plan plan = vt_ease_plan(n_users, n_items, n_entries, &search);
    if (!plan.fits || plan.gflop > SEARCH_GFLOP_MAX)
        return (struct vt_ease_plan){.form = plan.form};
    plan.memory_bytes += 28 * n_entries + 16 * n_users; /* two parts, and one of them by item */
    plan.gflop *= SEARCH_FITS_USUAL;
    return plan;
}

static uint32_t count_tested(const struct vt_sparse *test)
{
    uint32_t n = 0;
    for (uint32_t user = 0; user < test->n_rows; user++)
        n += test->starts[user + 1] > test->starts[user];
    return n;
}

struct vt_err vt__ease_choose_regularization(const struct vt_sparse *matrix,
                                             const struct vt_ease_options *options, uint64_t seed,
                                             struct vt_diag *diag,
                                             struct vt__ease_regularization *ret_chosen)
{
    struct vt__ease_regularization best = {.value = vt_ease_regularization(matrix, options)};
    struct search search = {.options = search_options(options), .diag = diag};
    struct vt_holdout_options holdout = {
        .share = SEARCH_SHARE, .users_max = SEARCH_USERS_MAX, .seed = seed};
    struct vt_ease_plan plan =
        vt__ease_search_plan(matrix->n_rows, matrix->n_cols, matrix->n_entries, options);
    struct vt_err err = vt_ok();
    if (plan.fits) {
        VT_TRY(vt_holdout_make(matrix, &holdout, &search.train, &search.test));
        if (count_tested(&search.test) >= SEARCH_USERS_MIN)
            err = climb_both_ways(&search, &best);
        vt_sparse_free(&search.train);
        vt_sparse_free(&search.test);
    }
    if (!vt_failed(err))
        *ret_chosen = best;
    return err;
}
