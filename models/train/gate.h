#ifndef VT_TRAIN_GATE_H
#define VT_TRAIN_GATE_H

#include "models/bundle/bundle.h"
#include "models/dataset/dataset.h"
#include "models/train/held_out.h"

#include <stdint.h>

/*
 * Is a model fit to replace the version that serves? Judged in this order, the first failure being
 * the reason: its own sense (finite metrics, Gram matrix of these factors), its data (not older
 * than the serving version's, the same items, popularity and factors for what has events), coverage
 * of the serving version's items, and how well it answers held-out customers:
 *
 *   the finished model       against the measured one, which had not seen what is held out: it must
 *                            not be worse, or it is not what was measured
 *   its parts                against the same parts of the serving version, where those have not
 *                            seen what is held out or were made by the same recipe
 *   the model                against the serving version: the measured model when the serving
 *                            version has not seen what is held out either; the finished one, with a
 *                            wide margin, when it has and both were made by the same recipe; of
 *                            another recipe the measured model against that recipe, trained on the
 *                            same events; where it is not known, what the two manifests say, with
 *                            a wide margin too
 *
 * All on the same customers, by a paired bootstrap (models/eval/significance.h): refused is a loss
 * of more than the margin that chance would rarely show. Shapes, finite numbers and order are the
 * bundle's own checks and are not repeated here.
 */
struct vt_gate_options {
    double margin;          /* recall and ndcg may be lower by this share */
    double significance;    /* p below which a loss is not chance */
    double part_margin;     /* of the parts alone, and of what both had seen */
    double manifest_margin; /* where only the manifests can be compared */
    double coverage_min;    /* of the parent's items, the share that must still be there */
    int64_t older_max_ms;   /* the newest event may be older than the parent's by this */
    uint32_t k, threads;
    uint64_t seed;
};
/* 2 %, p 0.05; 10 % for parts and manifests; four fifths of the items; a day (erased customers may
 * take the newest events with them); lists of 20. */
void vt_gate_options_default(struct vt_gate_options *ret_options);

struct vt_gate_input {
    const struct vt_bundle_view *content;
    const struct vt_bundle_view *parent; /* NULL: nothing serves */
    const struct vt_held_out *held_out;  /* NULL: nothing is held out */
    const struct vt_dataset *dataset;    /* what the content was trained on; NULL: not known */
};

/* What was compared, a sentence each; for people and the log. */
enum { VT_GATE_LINES_MAX = 12 };
struct vt_gate_opinion {
    uint32_t n;
    char lines[VT_GATE_LINES_MAX][VT_DIAG_TEXT_BYTES];
};

/* VT_PRECONDITION with the reason in `diag`; VT_EXHAUSTED. `ret_opinion` may be NULL; it has what
 * was compared until the failure. One thread calls, others score. */
VT_MUST_USE struct vt_err vt_gate_check(const struct vt_gate_input *input,
                                        const struct vt_gate_options *options, struct vt_diag *diag,
                                        struct vt_gate_opinion *ret_opinion);

#endif
