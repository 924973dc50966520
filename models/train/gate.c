/*
 * The gate between a trained model and CURRENT: first what can be seen as it lies, then how it
 * answers held-out customers beside the version that serves. A refusal costs a night with the old
 * model; a false pass costs sales until somebody looks. So every comparison is on the same
 * customers, and refuses only what chance rarely shows.
 */
#include "models/eval/significance.h"
#include "models/train/gate_internal.h"
#include "models/train/recipe.h"
#include "models/train/served.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

void vt_gate_options_default(struct vt_gate_options *ret_options)
{
    *ret_options = (struct vt_gate_options){
        .margin = 0.02,
        .significance = 0.05,
        .part_margin = 0.1,
        .manifest_margin = 0.1,
        .coverage_min = 0.8,
        .older_max_ms = DAY_MS,
        .k = 20,
        .seed = 1,
    };
}

struct gate {
    const struct vt_gate_input *input;
    const struct vt_gate_options *options;
    struct vt_diag *diag;
    struct vt_gate_opinion *opinion; /* may be NULL */
};

static void say(const struct gate *gate, const char *line)
{
    struct vt_gate_opinion *opinion = gate->opinion;
    if (opinion != NULL && opinion->n < VT_GATE_LINES_MAX)
        snprintf(opinion->lines[opinion->n++], sizeof opinion->lines[0], "%s", line);
}

/* ---- what the manifests say ---- */

static bool find_metric(const struct vt_bundle_view *view, const char *name, double *ret_value)
{
    for (uint32_t i = 0; i < view->n_metrics; i++)
        if (strcmp(view->metrics[i].name, name) == 0) {
            *ret_value = view->metrics[i].value;
            return true;
        }
    return false;
}

static struct vt_err check_manifest_metric(const struct gate *gate, const char *name)
{
    const struct vt_bundle_view *parent = gate->input->parent;
    double ours, theirs, margin = gate->options->manifest_margin;
    if (!find_metric(parent, name, &theirs))
        return vt_ok();
    if (!find_metric(gate->input->content, name, &ours)) {
        vt_diag_set(gate->diag, name,
                    "%s could not be measured, and the serving version has it: %.4f", name, theirs);
        return VT_ERR(VT_PRECONDITION, "a metric is missing");
    }
    char line[VT_DIAG_TEXT_BYTES];
    snprintf(line, sizeof line,
             "%s by the manifests: %.4f, of the serving version %.4f; each on its own held-out "
             "events",
             name, ours, theirs);
    say(gate, line);
    if (ours >= theirs * (1 - margin))
        return vt_ok();
    vt_diag_set(gate->diag, name,
                "%s is %.4f, the serving version %s has %.4f: more than %.0f %% worse. Look at the "
                "data, or publish all the same with --no-gate",
                name, ours, parent->version, theirs, margin * 100);
    return VT_ERR(VT_PRECONDITION, "metrics are worse than the serving version's");
}

static struct vt_err compare_manifests(const struct gate *gate)
{
    VT_TRY(check_manifest_metric(gate, "recall"));
    return check_manifest_metric(gate, "ndcg");
}

/* ---- answers to the judged customers ---- */

/* By row of what is held out; owned. */
struct answers {
    double *recall, *ndcg;
};

static void answers_free(struct answers *answers)
{
    free(answers->recall);
    free(answers->ndcg);
    *answers = (struct answers){0};
}

static struct vt_err ask_served(const struct gate *gate, const struct vt_served *served,
                                struct answers *answers)
{
    const struct vt_held_out *held_out = gate->input->held_out;
    const struct vt_eval_options eval = {.train = &held_out->split.train,
                                         .histories = &held_out->split.served,
                                         .test = &held_out->judged,
                                         .k = gate->options->k,
                                         .threads = gate->options->threads,
                                         .per_user = {answers->recall, answers->ndcg}};
    const struct vt_recommender recommender = vt_served_recommender(served);
    struct vt_metrics_at_k metrics;
    return vt_evaluate(&recommender, &eval, &metrics);
}

/* What a version, or a part of it, answers. Owned result. */
static struct vt_err ask(const struct gate *gate, const struct vt_bundle_view *view,
                         enum vt_served_part part, struct answers *ret_answers)
{
    const struct vt_split *split = &gate->input->held_out->split;
    size_t n = split->test.n_rows;
    struct answers answers = {malloc((n + 1) * sizeof(double)), malloc((n + 1) * sizeof(double))};
    struct vt_served served = {0};
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the gate");
    if (answers.recall != NULL && answers.ndcg != NULL)
        err = vt_served_init(&served, view, part, split->ids.item_ids, split->ids.n_items);
    if (!vt_failed(err))
        err = ask_served(gate, &served, &answers);
    vt_served_fini(&served);
    if (vt_failed(err))
        answers_free(&answers);
    else
        *ret_answers = answers;
    return err;
}

/* ---- comparing ---- */

struct comparison {
    const char *ours, *theirs; /* "the finished model", "the serving version" … */
    const char *seen;          /* who had seen what is held out */
    const char *advice;
    const double *our_values[2], *their_values[2]; /* recall, ndcg */
    double margin;
};
static const char *const metric_names[2] = {"recall", "ndcg"};

static void tell_comparison(const struct gate *gate, const struct comparison *comparison,
                            const char *metric, const struct vt_paired_difference *paired)
{
    char line[VT_DIAG_TEXT_BYTES];
    snprintf(line, sizeof line,
             "%s of %s %.4f, of %s %.4f: difference %+.4f (95 %% %+.4f to %+.4f, p %.3f) on %u "
             "customers; %s",
             metric, comparison->ours, paired->mean_a, comparison->theirs, paired->mean_b,
             paired->difference.mean, paired->difference.low, paired->difference.high,
             paired->p_worse, (unsigned)paired->difference.n, comparison->seen);
    say(gate, line);
}

static struct vt_err compare_metric(const struct gate *gate, const struct comparison *comparison,
                                    unsigned metric)
{
    struct vt_bootstrap_options bootstrap;
    struct vt_paired_difference paired;
    vt_bootstrap_options_default(&bootstrap);
    bootstrap.threads = gate->options->threads;
    bootstrap.seed = gate->options->seed;
    VT_TRY(vt_bootstrap_paired(comparison->our_values[metric], comparison->their_values[metric],
                               gate->input->held_out->split.test.n_rows, &bootstrap, &paired));
    tell_comparison(gate, comparison, metric_names[metric], &paired);
    double loss = paired.mean_b > 0 ? -paired.difference.mean / paired.mean_b : 0;
    if (loss <= comparison->margin || paired.p_worse >= gate->options->significance)
        return vt_ok();
    vt_diag_set(gate->diag, metric_names[metric],
                "%s of %s is %.4f, of %s %.4f on the same %u customers: %.1f %% worse (p %.3f). %s",
                metric_names[metric], comparison->ours, paired.mean_a, comparison->theirs,
                paired.mean_b, (unsigned)paired.difference.n, loss * 100, paired.p_worse,
                comparison->advice);
    return VT_ERR(VT_PRECONDITION, "held-out customers get worse answers");
}

static struct vt_err compare(const struct gate *gate, const struct comparison *comparison)
{
    VT_TRY(compare_metric(gate, comparison, 0));
    return compare_metric(gate, comparison, 1);
}

/* The finished model has learnt from what is held out; it must find it at least as well. */
static struct vt_err compare_with_measured(const struct gate *gate, const struct answers *finished)
{
    const struct vt_held_out *held_out = gate->input->held_out;
    return compare(gate, &(struct comparison){
                             .ours = "the finished model",
                             .theirs = "the measured one",
                             .seen = "only the finished one had seen what is held out",
                             .advice = "The finished model is not what was measured: train again",
                             .our_values = {finished->recall, finished->ndcg},
                             .their_values = {held_out->recall, held_out->ndcg},
                             .margin = gate->options->margin,
                         });
}

#define LOOK_AT_THE_DATA "Look at the data, or publish all the same with --no-gate"

static struct vt_err compare_part(const struct gate *gate, enum vt_served_part part)
{
    struct answers ours = {0}, theirs = {0};
    char name[64];
    snprintf(name, sizeof name, "%s of the serving version", vt_served_part_name(part));
    struct vt_err err = ask(gate, gate->input->content, part, &ours);
    if (!vt_failed(err))
        err = ask(gate, gate->input->parent, part, &theirs);
    if (!vt_failed(err))
        err = compare(gate, &(struct comparison){
                                .ours = vt_served_part_name(part),
                                .theirs = name,
                                .seen = gate->input->held_out->parent_has_seen
                                            ? "both had seen what is held out"
                                            : "only the new one had seen what is held out",
                                .advice = LOOK_AT_THE_DATA,
                                .our_values = {ours.recall, ours.ndcg},
                                .their_values = {theirs.recall, theirs.ndcg},
                                .margin = gate->options->part_margin,
                            });
    answers_free(&ours);
    answers_free(&theirs);
    return err;
}

static struct vt_err compare_parts(const struct gate *gate)
{
    for (enum vt_served_part part = VT_SERVED_FACTOR; part < VT_SERVED_PARTS; part++)
        if (vt_served_has(gate->input->content, part) && vt_served_has(gate->input->parent, part))
            VT_TRY(compare_part(gate, part));
    return vt_ok();
}

static struct vt_err compare_with_parent(const struct gate *gate, const struct answers *finished,
                                         const struct answers *parent)
{
    const struct vt_held_out *held_out = gate->input->held_out;
    const bool seen = held_out->parent_has_seen;
    return compare(gate, &(struct comparison){
                             .ours = seen ? "the finished model" : "the measured model",
                             .theirs = "the serving version",
                             .seen = seen ? "both had seen what is held out"
                                          : "neither had seen what is held out",
                             .advice = LOOK_AT_THE_DATA,
                             .our_values = {seen ? finished->recall : held_out->recall,
                                            seen ? finished->ndcg : held_out->ndcg},
                             .their_values = {parent->recall, parent->ndcg},
                             /* What a model has seen it knows by heart, more or less of it as
                              * iterations and events change: that is no loss to customers, so the
                              * margin is wide. */
                             .margin = seen ? gate->options->part_margin : gate->options->margin,
                         });
}

/* Both recipes were trained on the same events, without what is held out. */
static struct vt_err compare_recipes(const struct gate *gate)
{
    const struct vt_held_out *held_out = gate->input->held_out;
    return compare(gate, &(struct comparison){
                             .ours = "the measured model",
                             .theirs = "the serving version's recipe",
                             .seen = "neither had seen what is held out",
                             .advice = LOOK_AT_THE_DATA,
                             .our_values = {held_out->recall, held_out->ndcg},
                             .their_values = {held_out->parent_recall, held_out->parent_ndcg},
                             .margin = gate->options->margin,
                         });
}

static struct vt_err compare_without_recipe(const struct gate *gate)
{
    say(gate, "the serving version has seen what is held out, and its recipe is another that "
              "cannot be trained again: only the manifests can be compared");
    return compare_manifests(gate);
}

/* ---- which comparison is fair ---- */

static struct vt_err judge_against_parent(const struct gate *gate, const struct answers *finished)
{
    const struct vt_gate_input *input = gate->input;
    struct answers parent = {0};
    /* What a model has seen it knows by heart, the better the more factors it has: of two recipes
     * that says nothing, neither of the whole nor of a part. */
    if (input->held_out->parent_has_seen && !vt__recipe_same(input->content, input->parent))
        return input->held_out->parent_recall != NULL ? compare_recipes(gate)
                                                      : compare_without_recipe(gate);
    VT_TRY(compare_parts(gate));
    struct vt_err err = ask(gate, input->parent, VT_SERVED_WHOLE, &parent);
    if (!vt_failed(err))
        err = compare_with_parent(gate, finished, &parent);
    answers_free(&parent);
    return err;
}

static struct vt_err judge_answers(const struct gate *gate)
{
    struct answers finished = {0};
    struct vt_err err = ask(gate, gate->input->content, VT_SERVED_WHOLE, &finished);
    if (!vt_failed(err))
        err = compare_with_measured(gate, &finished);
    if (!vt_failed(err) && gate->input->parent != NULL)
        err = judge_against_parent(gate, &finished);
    answers_free(&finished);
    return err;
}

struct vt_err vt_gate_check(const struct vt_gate_input *input,
                            const struct vt_gate_options *options, struct vt_diag *diag,
                            struct vt_gate_opinion *ret_opinion)
{
    const struct gate gate = {input, options, diag, ret_opinion};
    if (ret_opinion != NULL)
        ret_opinion->n = 0;
    VT_TRY(vt__gate_check_content(input, options, diag));
    if (input->held_out != NULL && vt_held_out_any(input->held_out))
        return judge_answers(&gate);
    say(&gate, "too few events to hold any out: answers were not compared");
    return input->parent != NULL ? compare_manifests(&gate) : vt_ok();
}
