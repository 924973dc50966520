/* Rounds of two sides, and their ratios. A report's rounds are blocks of its time line: ten of them
 * are long enough for the queues of one to have little to do with those of the next. */
#include "loadtest/compare.h"

#include "services/common/base/file.h"

#include <jansson.h>
#include <stdlib.h>

const char *compare_name(enum compare_metric metric)
{
    static const char *const names[N_COMPARE_METRICS] = {"goodput", "p50", "p99"};
    return names[metric];
}

static struct vt_err settle(struct comparison *comparison)
{
    const struct compare_side *a = &comparison->sides[0], *b = &comparison->sides[1];
    for (int metric = 0; metric < N_COMPARE_METRICS; metric++) {
        for (int side = 0; side < 2; side++)
            for (uint32_t i = 0; i < comparison->sides[side].n; i++)
                VT_CHECK(comparison->sides[side].values[metric][i] > 0, VT_UNAVAILABLE,
                         "a round without a good answer cannot be compared");
        comparison->ratios[metric] =
            comparison->paired ? ratio_paired(a->values[metric], b->values[metric], a->n)
                               : ratio_separate(a->values[metric], a->n, b->values[metric], b->n);
    }
    return vt_ok();
}

/* ---- in turn ---- */

static struct vt_err add_round(const struct generator_options *options, const char *target,
                               struct compare_side *side)
{
    struct generator_options round = *options;
    struct load_result *result = NULL;
    round.target = target;
    round.seed = options->seed + side->n; /* the same customers for both, others each round */
    VT_TRY(generator_run(&round, &result));
    side->values[COMPARE_GOODPUT][side->n] = load_result_goodput(result);
    side->values[COMPARE_P50][side->n] = load_result_quantile_us(result, 0.5);
    side->values[COMPARE_P99][side->n] = load_result_quantile_us(result, 0.99);
    side->failed += load_result_n_errors(&result->all);
    side->degraded += result->all.degraded;
    side->limited |= load_result_doubt(result, options->rate) != NULL;
    side->n++;
    load_result_free(result);
    return vt_ok();
}

struct vt_err compare_targets(const struct generator_options *options, const char *const targets[2],
                              uint32_t rounds, struct comparison *ret_comparison)
{
    *ret_comparison = (struct comparison){.paired = true};
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t half = 0; half < 2; half++) {
            uint32_t side = (round + half) % 2; /* A B, then B A: a drift favours neither */
            VT_TRY(add_round(options, targets[side], &ret_comparison->sides[side]));
        }
    return settle(ret_comparison);
}

/* ---- reports ---- */

/* What is added up over the slots of a block. */
struct block {
    double good, failed, degraded, p50, p99, n;
};

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void add_slot(const json_t *slot, struct block *block)
{
    block->failed += number_at(slot, "failed");
    block->degraded += number_at(slot, "degraded");
    block->good += number_at(slot, "ok") - number_at(slot, "degraded");
    block->p50 += number_at(slot, "p50_us");
    block->p99 += number_at(slot, "p99_us");
    block->n++;
}

static void add_block(const struct block *block, double slot_s, struct compare_side *side)
{
    side->values[COMPARE_GOODPUT][side->n] = block->good / (block->n * slot_s);
    side->values[COMPARE_P50][side->n] = block->p50 / block->n;
    side->values[COMPARE_P99][side->n] = block->p99 / block->n;
    side->failed += (uint64_t)block->failed;
    side->degraded += (uint64_t)block->degraded;
    side->n++;
}

static struct vt_err read_report(const json_t *report, const char *path, struct vt_diag *diag,
                                 struct compare_side *side)
{
    const json_t *slots = json_object_get(report, "timeline");
    double duration_s = number_at(report, "duration_s");
    size_t n = json_array_size(slots), n_blocks = n < COMPARE_BLOCKS ? n : COMPARE_BLOCKS;
    if (n == 0 || !(duration_s > 0)) {
        vt_diag_set(diag, path, "has no time line: is it what vitrine-load … --json printed?");
        return VT_ERR(VT_INVALID, "not a report");
    }
    for (size_t b = 0; b < n_blocks; b++) {
        struct block block = {0};
        for (size_t i = b * n / n_blocks; i < (b + 1) * n / n_blocks; i++)
            add_slot(json_array_get(slots, i), &block);
        add_block(&block, duration_s / (double)n, side);
    }
    side->limited = json_is_true(json_object_get(json_object_get(report, "generator"), "limited"));
    return vt_ok();
}

static struct vt_err load_report(const char *path, struct vt_diag *diag, struct compare_side *side)
{
    char *text = NULL;
    size_t len = 0;
    json_error_t why;
    VT_TRY(vt_file_read(path, COMPARE_FILE_BYTES_MAX, diag, &text, &len));
    json_t *report = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (report == NULL) {
        vt_diag_set(diag, path, "line %d: %s", why.line, why.text);
        return VT_ERR(VT_INVALID, "not JSON");
    }
    struct vt_err err = read_report(report, path, diag, side);
    json_decref(report);
    return err;
}

struct vt_err compare_reports(const char *const paths[2], struct vt_diag *diag,
                              struct comparison *ret_comparison)
{
    *ret_comparison = (struct comparison){.paired = false};
    for (int side = 0; side < 2; side++)
        VT_TRY(load_report(paths[side], diag, &ret_comparison->sides[side]));
    return settle(ret_comparison);
}
