/*
 * Evaluation by full ranking. Users are cut into fixed blocks; a block's sums go to its own slot
 * and slots are added in order, so the thread count does not show in the last bit. Each thread has
 * a few rows of scores, which the model fills together (a large table of factors is then read from
 * memory once for all of them) and which it masks and scans: no sorting of the catalogue. The
 * cosine of items within a list comes from one pass over their user lists: the squared length of
 * the sum of k unit vectors is k + 2·Σ cosines.
 */
#include "models/eval/eval.h"

#include "models/index/top.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_USERS = 32, SCRATCH_ALIGNMENT = 16 };

/* Sums over users; means in the end. */
struct sums {
    double recall, ndcg, precision, hit_rate, map, diversity, novelty;
    uint64_t n_users, n_listed;
};

struct thread_scratch {
    double *scores;            /* VT_SCORE_MANY_MAX × n_items */
    double *user_sums;         /* n_users, zero between lists */
    struct vt_index_hit *hits; /* k */
    uint32_t *top;             /* k: columns of the list */
    void *recommender;
    struct vt_err err; /* the first of this thread */
};

struct evaluation {
    const struct vt_recommender *recommender;
    const struct vt_eval_options *options;
    const struct vt_sparse *histories;
    struct vt_sparse train_by_item;
    double *popularity;     /* n_items: train users of each */
    uint32_t n_train_users; /* with anything in train */
    double *discounts;      /* k: 1/log2(rank + 1) */
    atomic_uchar *listed;   /* n_items; relaxed: only ever set to 1, read after the join */
    struct sums *blocks;
    struct thread_scratch *threads;
    uint32_t n_threads, n_blocks;
};

static uint64_t row_length(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->starts[row + 1] - matrix->starts[row];
}

static struct vt_weighted_history history_of(const struct evaluation *evaluation, uint32_t user)
{
    const struct vt_sparse *histories = evaluation->histories;
    const uint64_t start = histories->starts[user];
    return (struct vt_weighted_history){.columns = histories->columns + start,
                                        .weights = histories->values + start,
                                        .n = (uint32_t)row_length(histories, user)};
}

/* Takes out of a user's scores what may not be listed. */
static void mask_user(const struct evaluation *evaluation, uint32_t user, double *scores)
{
    const struct vt_sparse *train = evaluation->options->train;
    for (uint64_t e = train->starts[user]; e < train->starts[user + 1]; e++)
        scores[train->columns[e]] = -INFINITY;
    for (uint32_t item = 0; item < train->n_cols; item++)
        if (evaluation->popularity[item] <= 0)
            scores[item] = -INFINITY;
}

/* The list in scratch->top; returns its length. Neither -INFINITY (out) nor NaN (never) enters. */
static uint32_t rank_items(const struct evaluation *evaluation, const double *scores,
                           struct thread_scratch *scratch)
{
    struct vt_top top = {.hits = scratch->hits, .capacity = evaluation->options->k};
    for (uint32_t item = 0; item < evaluation->options->train->n_cols; item++)
        if (scores[item] > -INFINITY)
            vt_top_offer(&top, (struct vt_index_hit){.score = scores[item], .row = item});
    vt_top_sort(&top);
    for (uint32_t i = 0; i < top.n; i++)
        scratch->top[i] = top.hits[i].row;
    return top.n;
}

static bool is_test_item(const struct vt_sparse *test, uint32_t user, uint32_t item)
{
    for (uint64_t e = test->starts[user]; e < test->starts[user + 1]; e++)
        if (test->columns[e] >= item)
            return test->columns[e] == item;
    return false;
}

static void note_user(const struct vt_per_user_metrics *per_user, uint32_t user, double recall,
                      double ndcg)
{
    if (per_user->recall != NULL)
        per_user->recall[user] = recall;
    if (per_user->ndcg != NULL)
        per_user->ndcg[user] = ndcg;
}

static void note_list(const struct vt_eval_options *options, uint32_t user, const uint32_t *top,
                      uint32_t n_top)
{
    if (options->lists == NULL)
        return;
    uint32_t *list = options->lists + (uint64_t)user * options->k;
    for (uint32_t i = 0; i < options->k; i++)
        list[i] = i < n_top ? top[i] : VT_EVAL_NO_ITEM;
}

static void add_accuracy(const struct evaluation *evaluation, uint32_t user, const uint32_t *top,
                         uint32_t n_top, struct sums *sums)
{
    const struct vt_sparse *test = evaluation->options->test;
    uint32_t k = evaluation->options->k, n_hits = 0;
    uint64_t n_test = row_length(test, user);
    double gain = 0, ideal = 0, precisions = 0;
    for (uint32_t rank = 0; rank < n_top; rank++) {
        if (!is_test_item(test, user, top[rank]))
            continue;
        n_hits++;
        gain += evaluation->discounts[rank];
        precisions += (double)n_hits / (double)(rank + 1);
    }
    uint64_t n_ideal = n_test < k ? n_test : k;
    for (uint64_t rank = 0; rank < n_ideal; rank++)
        ideal += evaluation->discounts[rank];
    double recall = (double)n_hits / (double)n_test, ndcg = gain / ideal;
    note_user(&evaluation->options->per_user, user, recall, ndcg);
    sums->recall += recall;
    sums->ndcg += ndcg;
    sums->precision += (double)n_hits / (double)k;
    sums->hit_rate += n_hits > 0 ? 1 : 0;
    sums->map += precisions / (double)n_ideal;
}

/* Σ over pairs of a list of the cosine of the two items' user sets. */
static double pair_cosines(const struct vt_sparse *by_item, const uint32_t *top, uint32_t n_top,
                           double *user_sums)
{
    double squared = 0;
    for (uint32_t i = 0; i < n_top; i++) {
        uint64_t start = by_item->starts[top[i]], end = by_item->starts[top[i] + 1];
        double unit = 1 / sqrt((double)(end - start));
        for (uint64_t e = start; e < end; e++) {
            /* (s + u)² - s² without a second pass */
            double *sum = &user_sums[by_item->columns[e]];
            squared += unit * (2 * *sum + unit);
            *sum += unit;
        }
    }
    for (uint32_t i = 0; i < n_top; i++)
        for (uint64_t e = by_item->starts[top[i]]; e < by_item->starts[top[i] + 1]; e++)
            user_sums[by_item->columns[e]] = 0;
    return (squared - (double)n_top) / 2;
}

static void add_variety(const struct evaluation *evaluation, const uint32_t *top, uint32_t n_top,
                        double *user_sums, struct sums *sums)
{
    double n_users = (double)evaluation->n_train_users;
    for (uint32_t i = 0; i < n_top; i++) {
        atomic_store_explicit(&evaluation->listed[top[i]], 1, memory_order_relaxed);
        sums->novelty += log2(n_users / evaluation->popularity[top[i]]);
    }
    sums->n_listed += n_top;
    if (n_top < 2) {
        sums->diversity += 1;
        return;
    }
    double n_pairs = (double)n_top * (double)(n_top - 1) / 2;
    sums->diversity +=
        1 - pair_cosines(&evaluation->train_by_item, top, n_top, user_sums) / n_pairs;
}

static void add_user(const struct evaluation *evaluation, uint32_t user, uint32_t n_top,
                     struct thread_scratch *scratch, struct sums *sums)
{
    sums->n_users++;
    note_list(evaluation->options, user, scratch->top, n_top);
    add_accuracy(evaluation, user, scratch->top, n_top, sums);
    add_variety(evaluation, scratch->top, n_top, scratch->user_sums, sums);
}

/* Whether the user's list is known from another pass; then it is in scratch->top. */
static bool take_known_list(const struct evaluation *evaluation, uint32_t user,
                            struct thread_scratch *scratch, uint32_t *ret_n)
{
    const struct vt_eval_options *options = evaluation->options;
    const struct vt_sparse *train = options->train;
    const struct vt_weighted_history history = history_of(evaluation, user);
    const uint64_t start = train->starts[user];
    uint32_t n = 0;
    if (options->known_lists == NULL || history.n != row_length(train, user) ||
        memcmp(history.columns, train->columns + start, history.n * sizeof *history.columns) != 0 ||
        memcmp(history.weights, train->values + start, history.n * sizeof *history.weights) != 0)
        return false;
    const uint32_t *list = options->known_lists + (uint64_t)user * options->k;
    for (; n < options->k && list[n] != VT_EVAL_NO_ITEM; n++)
        scratch->top[n] = list[n];
    *ret_n = n;
    return true;
}

/* Users who wait to be scored together. */
struct batch {
    uint32_t n, users[VT_SCORE_MANY_MAX];
    struct vt_weighted_history histories[VT_SCORE_MANY_MAX];
};

static struct vt_err evaluate_batch(const struct evaluation *evaluation, struct batch *batch,
                                    struct thread_scratch *scratch, struct sums *sums)
{
    const uint32_t n_items = evaluation->options->train->n_cols;
    if (batch->n > 0)
        VT_TRY(vt_score_many(evaluation->recommender, batch->histories, batch->n, n_items,
                             scratch->recommender, scratch->scores));
    for (uint32_t i = 0; i < batch->n; i++) {
        double *scores = scratch->scores + (size_t)i * n_items;
        mask_user(evaluation, batch->users[i], scores);
        add_user(evaluation, batch->users[i], rank_items(evaluation, scores, scratch), scratch,
                 sums);
    }
    batch->n = 0;
    return vt_ok();
}

/* A user with test items: at once where the list needs no scores of the model, else with others. */
static struct vt_err evaluate_user(const struct evaluation *evaluation, uint32_t user,
                                   struct batch *batch, struct thread_scratch *scratch,
                                   struct sums *sums)
{
    const struct vt_weighted_history history = history_of(evaluation, user);
    uint32_t n_top;
    if (take_known_list(evaluation, user, scratch, &n_top)) {
        add_user(evaluation, user, n_top, scratch, sums);
    } else if (history.n == 0) {
        VT_TRY(evaluate_batch(evaluation, batch, scratch, sums)); /* its scores' place is wanted */
        memcpy(scratch->scores, evaluation->popularity,
               evaluation->options->train->n_cols * sizeof(double));
        mask_user(evaluation, user, scratch->scores);
        add_user(evaluation, user, rank_items(evaluation, scratch->scores, scratch), scratch, sums);
    } else {
        batch->users[batch->n] = user;
        batch->histories[batch->n++] = history;
        if (batch->n == VT_SCORE_MANY_MAX)
            return evaluate_batch(evaluation, batch, scratch, sums);
    }
    return vt_ok();
}

static void evaluate_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct evaluation *evaluation = ctx;
    struct thread_scratch *scratch = &evaluation->threads[thread];
    struct sums *sums = &evaluation->blocks[block];
    struct batch batch = {0};
    uint32_t n_users = evaluation->options->test->n_rows;
    uint32_t end = (block + 1) * BLOCK_USERS < n_users ? (block + 1) * BLOCK_USERS : n_users;
    for (uint32_t user = block * BLOCK_USERS; user < end && !vt_failed(scratch->err); user++)
        if (row_length(evaluation->options->test, user) > 0) {
            scratch->err = evaluate_user(evaluation, user, &batch, scratch, sums);
        } else {
            note_user(&evaluation->options->per_user, user, (double)NAN, (double)NAN);
            note_list(evaluation->options, user, NULL, 0);
        }
    if (!vt_failed(scratch->err))
        scratch->err = evaluate_batch(evaluation, &batch, scratch, sums);
}

static struct sums add_blocks(const struct evaluation *evaluation)
{
    struct sums total = {0};
    for (uint32_t block = 0; block < evaluation->n_blocks; block++) {
        const struct sums *sums = &evaluation->blocks[block];
        total.recall += sums->recall;
        total.ndcg += sums->ndcg;
        total.precision += sums->precision;
        total.hit_rate += sums->hit_rate;
        total.map += sums->map;
        total.diversity += sums->diversity;
        total.novelty += sums->novelty;
        total.n_users += sums->n_users;
        total.n_listed += sums->n_listed;
    }
    return total;
}

static double coverage(const struct evaluation *evaluation)
{
    uint32_t n_listed = 0, n_known = 0;
    for (uint32_t item = 0; item < evaluation->options->train->n_cols; item++) {
        n_listed += atomic_load_explicit(&evaluation->listed[item], memory_order_relaxed);
        n_known += evaluation->popularity[item] > 0 ? 1 : 0;
    }
    return n_known > 0 ? (double)n_listed / (double)n_known : 0;
}

static void take_means(const struct evaluation *evaluation, struct vt_metrics_at_k *ret_metrics)
{
    struct sums total = add_blocks(evaluation);
    double n = total.n_users > 0 ? (double)total.n_users : 1;
    *ret_metrics = (struct vt_metrics_at_k){
        .n_users = (uint32_t)total.n_users,
        .recall = total.recall / n,
        .ndcg = total.ndcg / n,
        .precision = total.precision / n,
        .hit_rate = total.hit_rate / n,
        .map = total.map / n,
        .coverage = coverage(evaluation),
        .diversity = total.diversity / n,
        .novelty = total.n_listed > 0 ? total.novelty / (double)total.n_listed : 0,
    };
}

static struct vt_err thread_scratch_init(struct thread_scratch *scratch,
                                         const struct evaluation *evaluation)
{
    const struct vt_eval_options *options = evaluation->options;
    size_t bytes = evaluation->recommender->scratch_bytes + SCRATCH_ALIGNMENT;
    scratch->err = vt_ok();
    scratch->scores =
        calloc((size_t)options->train->n_cols * VT_SCORE_MANY_MAX + 1, sizeof *scratch->scores);
    scratch->user_sums = calloc((size_t)options->train->n_rows + 1, sizeof *scratch->user_sums);
    scratch->top = calloc(options->k, sizeof *scratch->top);
    scratch->hits = calloc(options->k, sizeof *scratch->hits);
    scratch->recommender =
        aligned_alloc(SCRATCH_ALIGNMENT, bytes / SCRATCH_ALIGNMENT * SCRATCH_ALIGNMENT);
    VT_CHECK(scratch->scores != NULL && scratch->user_sums != NULL && scratch->top != NULL &&
                 scratch->hits != NULL && scratch->recommender != NULL,
             VT_EXHAUSTED, "out of memory for evaluation");
    return vt_ok();
}

static void fill_tables(struct evaluation *evaluation)
{
    for (uint32_t item = 0; item < evaluation->train_by_item.n_rows; item++)
        evaluation->popularity[item] = (double)row_length(&evaluation->train_by_item, item);
    for (uint32_t user = 0; user < evaluation->options->train->n_rows; user++)
        evaluation->n_train_users += row_length(evaluation->options->train, user) > 0 ? 1 : 0;
    for (uint32_t rank = 0; rank < evaluation->options->k; rank++)
        evaluation->discounts[rank] = 1 / log2((double)rank + 2);
}

static struct vt_err evaluation_init(struct evaluation *evaluation)
{
    const struct vt_eval_options *options = evaluation->options;
    VT_TRY(vt_sparse_transpose(options->train, &evaluation->train_by_item));
    evaluation->popularity = calloc((size_t)options->train->n_cols + 1, sizeof(double));
    evaluation->discounts = calloc(options->k, sizeof(double));
    evaluation->listed = calloc((size_t)options->train->n_cols + 1, sizeof *evaluation->listed);
    evaluation->blocks = calloc((size_t)evaluation->n_blocks + 1, sizeof *evaluation->blocks);
    evaluation->threads = calloc(evaluation->n_threads, sizeof *evaluation->threads);
    VT_CHECK(evaluation->popularity != NULL && evaluation->discounts != NULL &&
                 evaluation->listed != NULL && evaluation->blocks != NULL &&
                 evaluation->threads != NULL,
             VT_EXHAUSTED, "out of memory for evaluation");
    fill_tables(evaluation);
    for (uint32_t t = 0; t < evaluation->n_threads; t++)
        VT_TRY(thread_scratch_init(&evaluation->threads[t], evaluation));
    return vt_ok();
}

static void evaluation_fini(struct evaluation *evaluation)
{
    for (uint32_t t = 0; evaluation->threads != NULL && t < evaluation->n_threads; t++) {
        free(evaluation->threads[t].scores);
        free(evaluation->threads[t].user_sums);
        free(evaluation->threads[t].top);
        free(evaluation->threads[t].hits);
        free(evaluation->threads[t].recommender);
    }
    free(evaluation->threads);
    free(evaluation->blocks);
    free(evaluation->listed);
    free(evaluation->discounts);
    free(evaluation->popularity);
    vt_sparse_free(&evaluation->train_by_item);
}

static struct vt_err first_error(const struct evaluation *evaluation)
{
    for (uint32_t t = 0; t < evaluation->n_threads; t++)
        VT_TRY(evaluation->threads[t].err);
    return vt_ok();
}

static bool same_shape(const struct vt_sparse *a, const struct vt_sparse *b)
{
    return a->n_rows == b->n_rows && a->n_cols == b->n_cols;
}

struct vt_err vt_evaluate(const struct vt_recommender *recommender,
                          const struct vt_eval_options *options,
                          struct vt_metrics_at_k *ret_metrics)
{
    struct evaluation evaluation = {
        .recommender = recommender,
        .options = options,
        .histories = options->histories != NULL ? options->histories : options->train,
        .n_threads = vt_threads_resolve(options->threads),
        .n_blocks = (options->test->n_rows + BLOCK_USERS - 1) / BLOCK_USERS,
    };
    VT_CHECK(options->k >= 1 && options->k <= VT_EVAL_K_MAX, VT_INVALID, "k must be 1 to 1000");
    VT_CHECK(same_shape(options->train, options->test) &&
                 same_shape(options->train, evaluation.histories),
             VT_INVALID, "train, history and test matrices differ in shape");
    struct vt_err err = evaluation_init(&evaluation);
    if (!vt_failed(err)) {
        vt_parallel(evaluation.n_blocks, evaluation.n_threads, evaluate_block, &evaluation);
        err = first_error(&evaluation);
    }
    if (!vt_failed(err))
        take_means(&evaluation, ret_metrics);
    evaluation_fini(&evaluation);
    return err;
}
