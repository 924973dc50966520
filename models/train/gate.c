/*
 * The gate between a trained model and CURRENT. It compares what the manifests say: metrics of two
 * versions come from different held-out events, so the margin is wide enough for that noise and
 * narrow enough to catch a broken training.
 */
#include "models/train/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void vt_gate_options_default(struct vt_gate_options *ret_options)
{
    *ret_options = (struct vt_gate_options){.margin = 0.1, .coverage_min = 0.8};
}

static bool find_metric(const struct vt_bundle_view *view, const char *name, double *ret_value)
{
    for (uint32_t i = 0; i < view->n_metrics; i++)
        if (strcmp(view->metrics[i].name, name) == 0) {
            *ret_value = view->metrics[i].value;
            return true;
        }
    return false;
}

static struct vt_err check_metric(const struct vt_bundle_view *content,
                                  const struct vt_bundle_view *parent, const char *name,
                                  double margin, struct vt_diag *diag)
{
    double ours, theirs;
    if (!find_metric(parent, name, &theirs))
        return vt_ok();
    if (!find_metric(content, name, &ours)) {
        vt_diag_set(diag, name, "%s could not be measured, and the serving version has it: %.4f",
                    name, theirs);
        return VT_ERR(VT_PRECONDITION, "a metric is missing");
    }
    if (ours >= theirs * (1 - margin))
        return vt_ok();
    vt_diag_set(diag, name,
                "%s is %.4f, the serving version %s has %.4f: more than %.0f %% worse. Look at the "
                "data, or publish all the same with --no-gate",
                name, ours, parent->version, theirs, margin * 100);
    return VT_ERR(VT_PRECONDITION, "metrics are worse than the serving version's");
}

/* Both lists ascend: one walk. */
static double share_of_items_kept(const struct vt_bundle_view *content,
                                  const struct vt_bundle_view *parent)
{
    uint32_t kept = 0, at = 0;
    for (uint32_t row = 0; row < parent->n_items; row++) {
        while (at < content->n_items && content->item_numbers[at] < parent->item_numbers[row])
            at++;
        kept += at < content->n_items && content->item_numbers[at] == parent->item_numbers[row];
    }
    return (double)kept / (double)parent->n_items;
}

static struct vt_err check_coverage(const struct vt_bundle_view *content,
                                    const struct vt_bundle_view *parent, double coverage_min,
                                    struct vt_diag *diag)
{
    double share = share_of_items_kept(content, parent);
    if (share >= coverage_min)
        return vt_ok();
    vt_diag_set(diag, "items",
                "only %.0f %% of the serving version's items are in the new one (%.0f %% wanted). "
                "Look at the data, or publish all the same with --no-gate",
                share * 100, coverage_min * 100);
    return VT_ERR(VT_PRECONDITION, "too many items are lost");
}

static struct vt_err check_own_metrics(const struct vt_bundle_view *content, struct vt_diag *diag)
{
    for (uint32_t i = 0; i < content->n_metrics; i++)
        if (!isfinite(content->metrics[i].value)) {
            vt_diag_set(diag, content->metrics[i].name, "the metric is not a number");
            return VT_ERR(VT_PRECONDITION, "a metric is not finite");
        }
    return vt_ok();
}

struct vt_err vt_gate_check(const struct vt_bundle_view *content,
                            const struct vt_bundle_view *parent,
                            const struct vt_gate_options *options, struct vt_diag *diag)
{
    VT_CHECK(content->n_items > 0, VT_PRECONDITION, "the model has no items");
    VT_TRY(check_own_metrics(content, diag));
    if (parent == NULL)
        return vt_ok();
    VT_TRY(check_coverage(content, parent, options->coverage_min, diag));
    VT_TRY(check_metric(content, parent, "recall", options->margin, diag));
    return check_metric(content, parent, "ndcg", options->margin, diag);
}
