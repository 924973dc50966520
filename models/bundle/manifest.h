#ifndef VT_BUNDLE_MANIFEST_H
#define VT_BUNDLE_MANIFEST_H

#include "models/bundle/bundle.h"
#include "services/common/base/file.h"

/*
 * manifest.json of one bundle, as a struct of fixed size: what the version is, how it was trained,
 * and which files belong to it with their sha256. Plain data; owns nothing.
 */
enum {
    VT_MANIFEST_BYTES_MAX = 256 * 1024,
    VT_MANIFEST_FILES_MAX = 48,
    VT_MANIFEST_FILE_NAME_BYTES = 48,
};

struct vt_manifest_file {
    char name[VT_MANIFEST_FILE_NAME_BYTES]; /* in the bundle's own folder: no slash */
    char sha256[VT_SHA256_HEX_BYTES];
};

struct vt_manifest {
    char version[VT_VERSION_BYTES_MAX], parent[VT_VERSION_BYTES_MAX]; /* parent may be empty */
    char algorithm[VT_BUNDLE_NAME_BYTES], blas[VT_BUNDLE_NAME_BYTES];
    char kernel_name[VT_BUNDLE_NAME_BYTES];
    int64_t create_time_ms, first_time_ms, last_time_ms;
    uint64_t n_users, n_interactions;
    uint32_t n_items, dim, factor_stride;
    double regularization, regularization_exponent, unobserved_weight, decay_half_life_days;
    float event_weights[VT_EVENT_TYPE_COUNT], value_exponents[VT_EVENT_TYPE_COUNT];
    struct vt_bundle_mix mix;
    struct vt_rank_features ranker_features; /* of the ranker's trees, by name in the text */
    struct vt_bundle_parameter parameters[VT_BUNDLE_PARAMETERS_MAX];
    struct vt_bundle_metric metrics[VT_BUNDLE_METRICS_MAX];
    struct vt_manifest_file files[VT_MANIFEST_FILES_MAX];
    uint32_t n_parameters, n_metrics, n_files;
};

/* Letters, digits, '.', '_' and '-', not beginning with '.', 1 to VT_VERSION_BYTES_MAX - 1. */
bool vt_version_valid(const char *version);

/* The text, malloc'd: free with free(). Keys in a fixed order, so the same manifest gives the same
 * bytes. */
VT_MUST_USE struct vt_err vt_manifest_encode(const struct vt_manifest *manifest, char **ret_json);
/* VT_CORRUPT with key and reason in `diag`: not JSON, another format, a missing or impossible
 * value, more entries than the limits above, changed since it was written. Unknown keys are passed
 * over. */
VT_MUST_USE struct vt_err vt_manifest_decode(struct vt_slice json, struct vt_diag *diag,
                                             struct vt_manifest *ret_manifest);

#endif
