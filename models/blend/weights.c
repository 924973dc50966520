/*
 * A small search by coordinates, from several starts. The measure is a step function of the weights
 * (lists change or do not), so steps are factors, not derivatives, and a step is taken only when it
 * is better. Users are summed in their order.
 */
#include "models/blend/weights.h"

#include "models/index/top.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_PER_BLOCK = 64, ROUNDS_MAX = 6 };
#define WEIGHT_STEP 1e-4
#define JOIN_SHARE 0.15 /* of all weights: with what a part joins that had none */
static const double factors[] = {0, 0.5, 2, 0.75, 1.3333, 0.9, 1.1111};
enum { N_FACTORS = sizeof factors / sizeof factors[0] };

struct trial {
    const struct vt_blend_table *table;
    const double *weight;
    uint32_t k;
    double *recall, *ndcg; /* n_users */
    double discounts[VT_BLEND_DEPTH];
};

/* ---- one trial ---- */

/* What a candidate's scores are multiplied by, for this user. */
static void multipliers_of(const struct trial *trial, uint32_t at, double *ret_multipliers)
{
    const struct vt_blend_table *table = trial->table;
    const uint32_t n = table->n_parts;
    const double *covariances = table->covariances + (size_t)at * n * n;
    double variance = 0, kernel = 0;
    for (uint32_t p = 0; p < n; p++) {
        if (!table->in_kernel[p])
            continue;
        kernel += trial->weight[p];
        for (uint32_t q = 0; q < n; q++)
            if (table->in_kernel[q])
                variance += trial->weight[p] * trial->weight[q] * covariances[p * n + q];
    }
    const double by = variance > 0 ? kernel / sqrt(variance) : 0;
    for (uint32_t p = 0; p < n; p++)
        ret_multipliers[p] = trial->weight[p] * (table->in_kernel[p] ? by : 1);
}

static void rank_candidates(const struct trial *trial, uint32_t at, struct vt_top *top)
{
    const struct vt_blend_table *table = trial->table;
    double multipliers[VT_BLEND_PARTS_MAX];
    multipliers_of(trial, at, multipliers);
    for (uint32_t c = 0; c < table->n_candidates[at]; c++) {
        const float *scores = table->scores + ((size_t)at * table->width + c) * table->n_parts;
        double score = 0;
        for (uint32_t p = 0; p < table->n_parts; p++)
            score += multipliers[p] * (double)scores[p];
        vt_top_offer(top, (struct vt_index_hit){.score = score, .row = c});
    }
    vt_top_sort(top);
}

static void measure_user(const struct trial *trial, uint32_t at)
{
    struct vt_index_hit hits[VT_BLEND_DEPTH];
    struct vt_top top = {.hits = hits, .capacity = trial->k};
    const uint32_t n_held = trial->table->n_held[at];
    uint32_t n_hits = 0;
    double gain = 0, ideal = 0;
    rank_candidates(trial, at, &top);
    for (uint32_t rank = 0; rank < top.n; rank++) {
        if (!trial->table->is_hit[(size_t)at * trial->table->width + hits[rank].row])
            continue;
        n_hits++;
        gain += trial->discounts[rank];
    }
    for (uint32_t rank = 0; rank < n_held && rank < trial->k; rank++)
        ideal += trial->discounts[rank];
    trial->recall[at] = (double)n_hits / n_held;
    trial->ndcg[at] = gain / ideal;
}

static void measure_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct trial *trial = ctx;
    const uint32_t first = block * USERS_PER_BLOCK, n = trial->table->n_users;
    const uint32_t end = n - first < USERS_PER_BLOCK ? n : first + USERS_PER_BLOCK;
    (void)thread;
    for (uint32_t at = first; at < end; at++)
        measure_user(trial, at);
}

static double mean_of(const double *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += values[i];
    return sum / n;
}

struct vt_err vt_blend_measure(const struct vt_blend_table *table, const double *weight, uint32_t k,
                               uint32_t threads, struct vt_blend_weights *ret_measured)
{
    VT_CHECK(k >= 1 && k <= VT_BLEND_DEPTH, VT_INVALID, "lists of a blend are too long");
    struct trial trial = {.table = table, .weight = weight, .k = k};
    trial.recall = malloc(((size_t)table->n_users + 1) * sizeof *trial.recall);
    trial.ndcg = malloc(((size_t)table->n_users + 1) * sizeof *trial.ndcg);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the weights of a blend");
    if (trial.recall == NULL || trial.ndcg == NULL)
        goto done;
    for (uint32_t rank = 0; rank < k; rank++)
        trial.discounts[rank] = 1 / log2((double)rank + 2);
    vt_parallel((table->n_users + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK,
                vt_threads_resolve(threads), measure_block, &trial);
    memmove(ret_measured->weight, weight, table->n_parts * sizeof *weight);
    ret_measured->recall = mean_of(trial.recall, table->n_users);
    ret_measured->ndcg = mean_of(trial.ndcg, table->n_users);
    err = vt_ok();
done:
    free(trial.recall);
    free(trial.ndcg);
    return err;
}

/* ---- the search ---- */

static double value_of(const struct vt_blend_weights *weights)
{
    return (weights->recall + weights->ndcg) / 2;
}

/* Absolute values that add up to 1, each a multiple of WEIGHT_STEP: what a text of four places can
 * give back. False when nothing is left. */
static bool normalise(uint32_t n_parts, double *weight)
{
    double sum = 0;
    bool any = false;
    for (uint32_t p = 0; p < n_parts; p++)
        sum += fabs(weight[p]);
    for (uint32_t p = 0; p < n_parts; p++) {
        weight[p] = sum > 0 ? round(weight[p] / sum / WEIGHT_STEP) * WEIGHT_STEP : 0;
        any = any || weight[p] > 0;
    }
    return any;
}

/* Tries `weight` and takes it over where it is better. */
static struct vt_err consider(const struct vt_blend_table *table,
                              const struct vt_blend_search *search, double *weight,
                              struct vt_blend_weights *best)
{
    struct vt_blend_weights tried = {0};
    if (!normalise(table->n_parts, weight))
        return vt_ok();
    VT_TRY(vt_blend_measure(table, weight, search->k, search->threads, &tried));
    if (value_of(&tried) > value_of(best))
        *best = tried;
    return vt_ok();
}

/* Where climbs begin: the caller's start, the best part alone, and all parts by what they are worth
 * alone, its fourth power. */
enum { STARTS = 3 };
struct starts {
    double weight[STARTS][VT_BLEND_PARTS_MAX];
};

static struct vt_err find_starts(const struct vt_blend_table *table,
                                 const struct vt_blend_search *search, struct starts *starts)
{
    double best = -1;
    *starts = (struct starts){0};
    memcpy(starts->weight[0], search->start, sizeof starts->weight[0]);
    for (uint32_t p = 0; p < table->n_parts; p++) {
        double alone[VT_BLEND_PARTS_MAX] = {[0] = 0};
        struct vt_blend_weights measured = {0};
        alone[p] = 1;
        VT_TRY(vt_blend_measure(table, alone, search->k, search->threads, &measured));
        starts->weight[2][p] = pow(value_of(&measured), 4);
        if (!(value_of(&measured) > best))
            continue;
        best = value_of(&measured);
        memcpy(starts->weight[1], alone, sizeof alone);
    }
    return vt_ok();
}

static struct vt_err improve_part(const struct vt_blend_table *table,
                                  const struct vt_blend_search *search, uint32_t part,
                                  struct vt_blend_weights *best)
{
    const struct vt_blend_weights from = *best;
    double weight[VT_BLEND_PARTS_MAX];
    for (uint32_t f = 0; f < N_FACTORS; f++) {
        bool joins = fabs(from.weight[part]) < WEIGHT_STEP;
        memcpy(weight, from.weight, sizeof weight);
        weight[part] = joins ? JOIN_SHARE * factors[f] : from.weight[part] * factors[f];
        VT_TRY(consider(table, search, weight, best));
        if (!search->is_signed[part] || !joins)
            continue;
        memcpy(weight, from.weight, sizeof weight);
        weight[part] = -JOIN_SHARE * factors[f];
        VT_TRY(consider(table, search, weight, best));
    }
    return vt_ok();
}

/* From one start uphill until a round changes nothing. */
static struct vt_err climb(const struct vt_blend_table *table, const struct vt_blend_search *search,
                           double *start, struct vt_blend_weights *ret_best)
{
    *ret_best = (struct vt_blend_weights){.recall = -1, .ndcg = -1};
    VT_TRY(consider(table, search, start, ret_best));
    for (uint32_t round = 0; ret_best->recall >= 0 && round < ROUNDS_MAX; round++) {
        const double before = value_of(ret_best);
        for (uint32_t p = 0; p < table->n_parts; p++)
            VT_TRY(improve_part(table, search, p, ret_best));
        if (!(value_of(ret_best) > before))
            break;
    }
    return vt_ok();
}

struct vt_err vt_blend_find_weights(const struct vt_blend_table *table,
                                    const struct vt_blend_search *search,
                                    struct vt_blend_weights *ret_weights)
{
    struct vt_blend_weights best = {.recall = -1, .ndcg = -1}, found;
    struct starts starts;
    double given[VT_BLEND_PARTS_MAX];
    memcpy(given, search->start, sizeof given);
    VT_CHECK(normalise(table->n_parts, given), VT_INVALID,
             "the weights of a blend begin with zeros");
    VT_TRY(find_starts(table, search, &starts));
    for (uint32_t s = 0; s < STARTS; s++) {
        VT_TRY(climb(table, search, starts.weight[s], &found));
        if (value_of(&found) > value_of(&best))
            best = found;
    }
    *ret_weights = best;
    return vt_ok();
}
