/*
 * The families climb beside each other, each along the axes of auto_axes.c. The next to try
 * something is the one that has spent least for what it is worth: first each of them once, in their
 * order, then those that are cheap and find most, until the budget is spent or nobody gets better.
 * So an expensive family cannot eat the budget of the others, and a hopeless one asks for little.
 */
#include "models/algorithm/auto_search.h"

#include "models/eval/eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct vt_shape shape_of(const struct vt_sparse *matrix)
{
    return (struct vt_shape){matrix->n_rows, matrix->n_cols, matrix->n_entries};
}

static uint32_t held_users(const struct vt_sparse *held)
{
    uint32_t n = 0;
    for (uint32_t user = 0; user < held->n_rows; user++)
        n += held->starts[user + 1] > held->starts[user];
    return n;
}

/* ---- one try ---- */

static uint64_t kernel_bytes(const struct vt_item_kernel *kernel)
{
    return kernel != NULL && kernel->n_items > 0
               ? kernel->starts[kernel->n_items] * (sizeof(uint32_t) + sizeof(float))
               : 0;
}

/* Of the models that are kept while others are tried. */
static uint64_t kept_bytes(const struct vt__auto_search *search)
{
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < search->n_climbs; c++) {
        const struct vt_trained *trained = &search->climbs[c].model.trained[0];
        if (search->climbs[c].model.n == 0)
            continue;
        bytes += kernel_bytes(trained->kernel) + kernel_bytes(trained->neighbors);
        if (trained->factors != NULL)
            bytes += sizeof(float) * trained->factors->n_items * trained->factors->row_stride;
    }
    return bytes;
}

/* Whether there is memory and budget for it; pays for it. The first that a family cannot have is
 * told, not each. */
static bool may_try(struct vt__auto_search *search, struct vt__auto_climb *climb,
                    const struct vt_algorithm_options *options, const char *what)
{
    const struct vt_shape shape = shape_of(&search->fit);
    const struct vt__family *family = vt__blend_family(climb->family);
    const uint64_t memory = family->need(&shape, options).memory_bytes + kept_bytes(search);
    const double cost =
        vt__auto_core_seconds(climb->family, &shape, held_users(&search->held), options);
    const double left = search->core_seconds_max - search->core_seconds_spent;
    if (memory <= search->memory_max && cost <= left) {
        search->core_seconds_spent += cost;
        climb->spent += cost;
        return true;
    }
    if (!climb->is_told)
        vt__tell(&search->options,
                 "auto: %s%s would take %.0f MiB and %.0f core seconds, of which %.0f are left: "
                 "not tried",
                 family->name, what, (double)memory / (1 << 20), cost, left);
    climb->is_told = true;
    return false;
}

static struct vt_err measure(const struct vt__auto_search *search,
                             const struct vt_recommender *recommender, double *ret_value)
{
    const struct vt_eval_options eval = {.train = &search->fit,
                                         .test = &search->held,
                                         .k = search->options.blend.k,
                                         .threads = search->options.threads};
    struct vt_metrics_at_k metrics;
    VT_TRY(vt_evaluate(recommender, &eval, &metrics));
    *ret_value = (metrics.recall + metrics.ndcg) / 2;
    return vt_ok();
}

/* Trains and measures; takes it over where it is better. Settings that make no model are not
 * better: so it is told, and no reason to end. `what` is for people: " key=value". */
static struct vt_err try_options(struct vt__auto_search *search, struct vt__auto_climb *climb,
                                 const struct vt_algorithm_options *options, const char *what,
                                 struct vt_diag *diag)
{
    struct vt__blend_parts tried = {0};
    double value = -1;
    struct vt_err err = vt__blend_parts_add(climb->family, &search->fit, options, diag, &tried);
    if (!vt_failed(err))
        err = measure(search, &tried.trained[0].recommender, &value);
    const bool is_better = !vt_failed(err) && value > climb->value;
    if (is_better) {
        vt__blend_parts_free(&climb->model);
        climb->model = tried;
        climb->value = value;
        climb->best = *options;
    } else {
        vt__blend_parts_free(&tried);
    }
    if (err.code == VT_CANCELLED || err.code == VT_EXHAUSTED)
        return err;
    vt__auto_took(climb, is_better);
    if (vt_failed(err)) {
        vt__tell(&search->options, "auto: %s%s: %s", vt__blend_family(climb->family)->name, what,
                 err.what);
        return vt_ok();
    }
    vt__tell(&search->options, "auto: %s%s: %.4f%s (%.0f of %.0f core seconds)",
             vt__blend_family(climb->family)->name, what, value, is_better ? ", better" : "",
             search->core_seconds_spent, search->core_seconds_max);
    return vt_ok();
}

/* One step of one family: the first that it can pay. */
static struct vt_err take_turn(struct vt__auto_search *search, struct vt__auto_climb *climb,
                               struct vt_diag *diag)
{
    const struct vt_shape shape = shape_of(&search->fit);
    struct vt_algorithm_options options;
    char what[VT__AUTO_WHAT_BYTES];
    while (vt__auto_next(climb, &shape, &options, what)) {
        const bool is_first = climb->n_tried == 1;
        if (may_try(search, climb, &options, what)) {
            VT_TRY(try_options(search, climb, &options, what, diag));
            climb->axis = is_first ? 0 : climb->axis;
            climb->n_idle = is_first ? 0 : climb->n_idle;
            return vt_ok();
        }
        if (is_first)
            break;
        vt__auto_took(climb, false);
    }
    climb->is_done = true;
    return vt_ok();
}

/* ---- all families ---- */

static double best_value(const struct vt__auto_search *search)
{
    double best = 0;
    for (uint32_t c = 0; c < search->n_climbs; c++)
        best = fmax(best, search->climbs[c].value);
    return best;
}

/* What was spent, more for those that find less: quality counts squared. Below 0: not tried yet. */
static double priority(const struct vt__auto_climb *climb, double best)
{
    if (climb->n_tried == 0)
        return -1;
    const double worth = climb->value > 0 ? climb->value / fmax(best, climb->value) : 1e-3;
    return climb->spent / (worth * worth);
}

static struct vt__auto_climb *next_climb(struct vt__auto_search *search)
{
    const double best = best_value(search);
    struct vt__auto_climb *next = NULL;
    for (uint32_t c = 0; c < search->n_climbs; c++) {
        struct vt__auto_climb *climb = &search->climbs[c];
        if (!climb->is_done && (next == NULL || priority(climb, best) < priority(next, best)))
            next = climb;
    }
    return next;
}

struct vt_err vt__auto_climb_all(struct vt__auto_search *search, struct vt_diag *diag)
{
    struct vt__auto_climb *climb;
    for (uint32_t c = 0; c < search->n_climbs; c++) {
        search->climbs[c].best = search->options;
        VT_TRY(
            vt__auto_begin(search->climbs[c].family, &search->fit, diag, &search->climbs[c].best));
    }
    while ((climb = next_climb(search)) != NULL)
        VT_TRY(take_turn(search, climb, diag));
    return vt_ok();
}
