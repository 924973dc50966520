#ifndef VT_BUNDLE_BUNDLE_H
#define VT_BUNDLE_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"

/*
 * One model version on disk: DIR/bundles/<version>/ with `manifest.json` (version, parent, data
 * range, parameters, metrics, sha256 of each file) and arrays that are mapped, not read. Immutable
 * once published. Speaks item numbers outside, rows inside.
 */
struct vt_bundle;
struct vt_index;

enum { VT_BUNDLE_FORMAT = 1, VT_VERSION_BYTES_MAX = 64 };

/* Item-item kernel or neighbour list in CSR: row i holds the neighbours of row i, best first. */
struct vt_csr {
    uint32_t n_rows;
    const uint64_t *starts; /* n_rows + 1 */
    const uint32_t *columns;
    const float *values;
};

struct vt_bundle_metric {
    char name[32];
    double value;
};

/* Everything a reader needs, as plain pointers into the mapping. Valid while the bundle is held. */
struct vt_bundle_view {
    const char *version, *parent, *algorithm;
    int64_t create_time_ms;
    uint64_t n_users, n_interactions;
    uint32_t n_items;
    const uint32_t *item_numbers; /* row → number, ascending */
    uint32_t dim, factor_stride;  /* floats; stride is dim rounded up to 16 */
    const float *item_factors; /* n_items × factor_stride, row-major, 64-byte aligned; NULL: none */
    const double *gram;        /* dim × dim: unobserved_weight · Σ y yᵀ, NULL: none */
    double regularization, regularization_exponent, unobserved_weight; /* fold-in as trained */
    float event_weights[VT_EVENT_TYPE_COUNT];
    double decay_half_life_days; /* 0: no decay; age counts from the newest event of the history */
    struct vt_csr neighbors;     /* item-CF, cosine; n_rows 0: none */
    const float *popularity;     /* n_items, weighted users; always there */
    const struct vt_bundle_metric *metrics;
    uint32_t n_metrics;
    /* Made when the bundle is opened, off the serving threads; not part of what is written: */
    const struct vt_index *index; /* exact search over item_factors; NULL without factors */
    const uint32_t *popular_rows; /* n_items rows by popularity, best first, ties by row */
};

/* Maps and checks DIR/bundles/<version>: format, shapes, sizes; with `verify` also every sha256 and
 * that all numbers are finite. VT_CORRUPT with the file and reason in `diag`; VT_NOT_FOUND. */
VT_MUST_USE struct vt_err vt_bundle_open(const char *data_dir, const char *version, bool verify,
                                         struct vt_diag *diag, struct vt_bundle **ret_bundle);
const struct vt_bundle_view *vt_bundle_view(const struct vt_bundle *bundle);
/* UINT32_MAX when the item has no row. O(log n) or better. */
uint32_t vt_bundle_row(const struct vt_bundle *bundle, uint32_t item_number);
void vt_bundle_acquire(struct vt_bundle *bundle);
void vt_bundle_release(struct vt_bundle *bundle); /* unmaps at the last; NULL is allowed */

/* Writes a version: DIR/bundles/.tmp-<version>/ → verify → fsync → rename. The view is the
 * content; version must be new. */
VT_MUST_USE struct vt_err
vt_bundle_write(const char *data_dir, const struct vt_bundle_view *content, struct vt_diag *diag);
/* CURRENT → version by rename; the one before is remembered in PREVIOUS. */
VT_MUST_USE struct vt_err vt_bundle_publish(const char *data_dir, const char *version,
                                            struct vt_diag *diag);
/* `ret_version` of VT_VERSION_BYTES_MAX; VT_NOT_FOUND when there is none yet. */
VT_MUST_USE struct vt_err vt_bundle_current(const char *data_dir, struct vt_diag *diag,
                                            char *ret_version);
VT_MUST_USE struct vt_err vt_bundle_previous(const char *data_dir, struct vt_diag *diag,
                                             char *ret_version);
/* Versions on disk, newest first; *ret_versions is malloc'd, free with free(). */
VT_MUST_USE struct vt_err
vt_bundle_list(const char *data_dir, char (**ret_versions)[VT_VERSION_BYTES_MAX], uint32_t *ret_n);

#endif
