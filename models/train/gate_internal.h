#ifndef VT_TRAIN_GATE_INTERNAL_H
#define VT_TRAIN_GATE_INTERNAL_H

#include "models/train/gate.h"

/* The gate in two files: what can be said of a content as it lies (gate_content.c), and how it
 * answers (gate.c). */

VT_MUST_USE struct vt_err vt__gate_check_content(const struct vt_gate_input *input,
                                                 const struct vt_gate_options *options,
                                                 struct vt_diag *diag);

#endif
