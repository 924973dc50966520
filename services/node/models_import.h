#ifndef VT_NODE_MODELS_IMPORT_H
#define VT_NODE_MODELS_IMPORT_H

#include "models/bundle/bundle.h"

/* What `vitrine models import` is told; borrowed texts. */
struct vt_models_import {
    const char *data_dir;
    const char *factors_path; /* .npy, items × dimensions */
    const char *items_path;   /* an item a line, in the order of the rows */
    const char *train_path;   /* adjacency file instead of the store's events; may be NULL */
    double regularization, regularization_exponent, unobserved_weight; /* of the fold-in */
    bool activate;
};

/* Makes a version of factors from elsewhere, and with `activate` lets it serve. VT_INVALID,
 * VT_NOT_FOUND and VT_PRECONDITION with file, place and reason in `diag`; nothing is written then.
 * Blocking; holds the trainer's lock. */
VT_MUST_USE struct vt_err vt_models_import(const struct vt_models_import *import,
                                           struct vt_diag *diag,
                                           char ret_version[VT_VERSION_BYTES_MAX]);

#endif
