#ifndef VT_BUNDLE_BUNDLE_H
#define VT_BUNDLE_BUNDLE_H

#include "models/rank/row.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One model version on disk: DIR/bundles/<version>/ with `manifest.json` (version, parent, data
 * range, parameters, metrics, sha256 of each file) and arrays that are mapped, not read. Immutable
 * once published. Speaks item numbers outside, rows inside.
 */
struct vt_bundle;
struct vt_index;

enum {
    VT_BUNDLE_FORMAT = 2,        /* what is written */
    VT_BUNDLE_FORMAT_OLDEST = 1, /* what still opens: without the parts that came with 2 */
    VT_VERSION_BYTES_MAX = 64,
    VT_BUNDLE_NAME_BYTES = 32,
    VT_BUNDLE_VALUE_BYTES = 96,
    VT_BUNDLE_PARAMETERS_MAX = 96,
    VT_BUNDLE_METRICS_MAX = 48,
    VT_BUNDLE_DIM_MAX = 1024,
    VT_BUNDLE_REBUY_COLUMNS = 3,
    VT_BUNDLE_CURVE_COLUMNS = 3,  /* iteration, loss, held-out ndcg (below 0: not measured) */
    VT_BUNDLE_CURVE_MAX = 1000,   /* points */
    VT_BUNDLE_STRIDE_FLOATS = 16, /* factor_stride is dim rounded up to this: 64 bytes */
};

/* Item-item kernel or neighbour list in CSR: row i holds the neighbours of row i, best first. A
 * borrowed view of mapped arrays; training's struct vt_sparse owns its own, ascending by column. */
struct vt_csr {
    uint32_t n_rows;
    const uint64_t *starts; /* n_rows + 1 */
    const uint32_t *columns;
    const float *values;
};

/* The members of the served model and their weights:
 *   score(i) = Σ over members of weight · (s(i) − mean) / deviation,
 * mean and deviation over all items of the version, for this history. docs/models.md. All 0: the
 * version says nothing of it (format 1), and ranking blends by its configuration. */
struct vt_bundle_mix {
    float factor;   /* x·y_i, x folded in */
    float kernel;   /* Σ over the history of weight · kernel[h][i] */
    float neighbor; /* the same with `neighbors` */
    float popular;  /* ln(1 + popularity) */
};

/* Lists of items by a hashed name ("category:tea", "channel:app"): row i of `lists` belongs to
 * keys[i], best first. */
struct vt_bundle_groups {
    const uint64_t *keys; /* ascending, lists.n_rows of them */
    struct vt_csr lists;  /* n_rows 0: none */
};

/* From texts to factors, for items that the model has no row for: the factor of an item is
 * Σ over its terms of tf · idf · map[term], with tf as models/content says. */
struct vt_bundle_content {
    uint32_t n_terms;      /* 0: none */
    const uint64_t *terms; /* hashes, ascending */
    const float *idf;      /* n_terms, ≥ 0 */
    const float *map;      /* n_terms × factor_stride; NULL: no factors to map to */
};

/* Boosted trees, flattened (models/rank): tree t has the nodes starts[t] … starts[t + 1] - 1. */
struct vt_bundle_ranker {
    uint32_t n_trees;       /* 0: none */
    const uint32_t *starts; /* n_trees + 1 */
    /* n_nodes × 4: feature, left, right, 1 when missing goes left; children are places in this
     * array, behind their parent; both 0: a leaf */
    const uint32_t *nodes;
    const float *values; /* n_nodes: the threshold of a split, the value of a leaf */
    struct vt_rank_features
        features; /* of the rows that the trees were learnt on, in their order */
    /* 2 × n_knots: scores, then how often such a candidate was wanted (models/rank/calibration.h)
     */
    const float *calibration;
    uint32_t n_knots; /* 0: none */
};

struct vt_bundle_metric {
    char name[VT_BUNDLE_NAME_BYTES];
    double value;
};

/* How it was trained, for people and for the next training: "factors" = "64". */
struct vt_bundle_parameter {
    char name[VT_BUNDLE_NAME_BYTES];
    char value[VT_BUNDLE_VALUE_BYTES];
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
    float value_exponents[VT_EVENT_TYPE_COUNT]; /* models/dataset/history.h; usually all 0 */
    double decay_half_life_days; /* 0: no decay; age counts from the newest event of the history */
    struct vt_csr neighbors;     /* item-CF, cosine; n_rows 0: none */
    const float *popularity;     /* n_items, weighted users; always there */
    /* Of format 2, each may be missing: */
    const char *kernel_name; /* "ease", "sharpened" …; "" without a kernel */
    struct vt_csr kernel;    /* item-item, any sign, rows best first; n_rows 0: none */
    struct vt_bundle_mix mix;
    /* (1 + dim) × dim: the mean of the item factors, then their covariance; NULL: none */
    const double *factor_moments;
    struct vt_csr bought_together; /* rules per item, best first; n_rows 0: none */
    const float *trending;         /* n_items, above 0: the trend's strength; NULL: none */
    /* n_items × VT_BUNDLE_REBUY_COLUMNS: the median of the days between two purchases of one
     * customer, the deviation of their logarithm, the share of buyers who came back; a median of 0:
     * not known (models/popularity/rebuy.h). NULL: none */
    const float *rebuy;
    struct vt_bundle_groups groups;
    struct vt_bundle_content content;
    struct vt_bundle_ranker ranker;
    /* How the measured training went (models/train/curve.h): n_curve × VT_BUNDLE_CURVE_COLUMNS */
    const double *curve;
    uint32_t n_curve; /* 0: none */
    const struct vt_bundle_metric *metrics;
    uint32_t n_metrics;
    const struct vt_bundle_parameter *parameters;
    uint32_t n_parameters;
    int64_t first_time_ms, last_time_ms; /* of the events it was trained on; 0 0: not known */
    const char *blas; /* library and core type that made the numbers; may be "" */
    /* report.html (models/report), for people; nothing is computed from it. Empty: none. */
    struct vt_slice report;
    /* Made when the bundle is opened, off the serving threads; not part of what is written: */
    const struct vt_index *index; /* exact search over item_factors; NULL without factors */
    const double *popular_scores; /* n_items: ln(1 + popularity) */
    double popular_mean, popular_deviation; /* of those */
    const uint32_t *popular_rows;  /* n_items rows by popularity, best first, ties by row */
    const uint32_t *trending_rows; /* the rows that trend, strongest first, ties by row */
    uint32_t n_trending_rows;
};

/* Maps and checks DIR/bundles/<version>. Always checked: format, shapes, sizes, and all that an
 * index could go wrong by (item numbers ascending, CSR in range); with `verify` also every sha256,
 * that all numbers are finite, and the order of neighbours. VT_CORRUPT with file and reason in
 * `diag`; VT_NOT_FOUND when there is no such version. Blocking; reads the CSR, with `verify`
 * everything. */
VT_MUST_USE struct vt_err vt_bundle_open(const char *data_dir, const char *version, bool verify,
                                         struct vt_diag *diag, struct vt_bundle **ret_bundle);
/* Never NULL; valid while the bundle is held. */
const struct vt_bundle_view *vt_bundle_view(const struct vt_bundle *bundle);
/* UINT32_MAX when the item has no row. O(1) where numbers are dense, else O(log n). */
uint32_t vt_bundle_row(const struct vt_bundle *bundle, uint32_t item_number);
/* Gives a reference back; the last one unmaps. NULL is allowed. Any thread. */
void vt_bundle_release(struct vt_bundle *bundle);

/* The name a version gets: UTC time of creation, then 8 hex of a sha256 over arrays and parameters:
 * "20261122-221530123-9f86d081". Sorts by age; the same content shows the same tail. */
void vt_bundle_version_name(const struct vt_bundle_view *content,
                            char ret_version[VT_VERSION_BYTES_MAX]);
/* Writes a version: DIR/bundles/.tmp-<version>/ → verify → fsync → rename. The view is the
 * content, its `version` must be new. What a killed writer left behind is removed first. VT_CORRUPT
 * when the content does not pass the checks of vt_bundle_open (NaN, numbers not ascending, …): then
 * nothing is left on disk. Blocking; one writer at a time, others wait. */
VT_MUST_USE struct vt_err
vt_bundle_write(const char *data_dir, const struct vt_bundle_view *content, struct vt_diag *diag);
/* CURRENT → version by rename, after opening it with `verify`; the one before is remembered in
 * PREVIOUS. A kill at any step leaves the old pair in force, or the new one. */
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

/* Removes the oldest versions, so that the `keep` newest stay (at least 1), and CURRENT and
 * PREVIOUS whatever their age. A kill leaves each version whole or away. Who has one open keeps it.
 * Blocking. `ret_n_removed` may be NULL. */
VT_MUST_USE struct vt_err vt_bundle_prune(const char *data_dir, uint32_t keep, struct vt_diag *diag,
                                          uint32_t *ret_n_removed);

#endif
