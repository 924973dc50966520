#ifndef VT_TRAIN_REPORT_DATA_H
#define VT_TRAIN_REPORT_DATA_H

#include "models/train/train.h"

/* Fills result->report from what training has in hand, and adds the intervals of recall and ndcg to
 * the metrics. The view must be filled. Costs one pass over the events, a bootstrap and the lists
 * of a few customers. VT_EXHAUSTED; errors of the model when it is asked. Same bytes for any number
 * of threads. */
VT_MUST_USE struct vt_err vt__train_report(const struct vt_train_input *input,
                                           const struct vt_train_options *options,
                                           struct vt_train_result *result);

/* The part about held-out customers; held_out must have been measured. */
VT_MUST_USE struct vt_err vt__train_report_quality(const struct vt_held_out *held_out,
                                                   const struct vt_train_options *options,
                                                   struct vt_report_measured *ret_quality);

/* The part about some customers and what they would see. */
VT_MUST_USE struct vt_err vt__train_report_examples(const struct vt_train_input *input,
                                                    const struct vt_train_options *options,
                                                    struct vt_train_result *result);

#endif
