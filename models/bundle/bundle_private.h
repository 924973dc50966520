#ifndef VT_BUNDLE_BUNDLE_PRIVATE_H
#define VT_BUNDLE_BUNDLE_PRIVATE_H

#include "models/bundle/array.h"
#include "models/bundle/bundle.h"
#include "models/bundle/manifest.h"

#include <limits.h>

/* What the files of this folder share: the names on disk, and counting references in bulk. */

enum { VT__PATH_BYTES = PATH_MAX };

/* The three arrays of a CSR stand in a row: starts, columns, values. */
enum vt__bundle_array {
    VT__ITEM_NUMBERS,
    VT__ITEM_FACTORS,
    VT__GRAM,
    VT__NEIGHBOR_STARTS,
    VT__NEIGHBOR_COLUMNS,
    VT__NEIGHBOR_VALUES,
    VT__POPULARITY,
    VT__KERNEL_STARTS,
    VT__KERNEL_COLUMNS,
    VT__KERNEL_VALUES,
    VT__FACTOR_MOMENTS,
    VT__TOGETHER_STARTS,
    VT__TOGETHER_COLUMNS,
    VT__TOGETHER_VALUES,
    VT__TRENDING,
    VT__REBUY,
    VT__GROUP_KEYS,
    VT__GROUP_STARTS,
    VT__GROUP_COLUMNS,
    VT__GROUP_VALUES,
    VT__CONTENT_TERMS,
    VT__CONTENT_IDF,
    VT__CONTENT_MAP,
    VT__RANKER_STARTS,
    VT__RANKER_NODES,
    VT__RANKER_VALUES,
    VT__RANKER_CALIBRATION,
    VT__CURVE,
    VT__N_ARRAYS
};

struct vt__bundle_file {
    const char *name;
    enum vt_array_type type;
    uint32_t n_dims;
};
extern const struct vt__bundle_file vt__bundle_files[VT__N_ARRAYS];
/* Beside the arrays, listed and hashed like them. */
#define VT__REPORT_FILE "report.html"

struct vt_bundle {
    struct vt_bundle_view view;
    struct vt_manifest manifest;
    struct vt_array arrays[VT__N_ARRAYS];
    struct vt_slice report; /* mapped */
    uint32_t *row_of;       /* [number - first number]; NULL: search */
    uint32_t n_row_of;
    struct vt_index *index;
    uint32_t *popular_rows, *trending_rows;
    double *popular_scores;
    _Atomic int64_t count; /* references; see vt_bundle_release */
};

/* What an index could go wrong by: always. */
VT_MUST_USE struct vt_err vt__bundle_check_structure(const struct vt_bundle *bundle,
                                                     struct vt_diag *diag);
/* What only makes answers wrong: with `verify`. Reads everything. */
VT_MUST_USE struct vt_err vt__bundle_check_sense(const struct vt_bundle *bundle,
                                                 struct vt_diag *diag);
/* VT_CORRUPT, with the file's name and the reason in `diag`. */
VT_MUST_USE struct vt_err vt__bundle_refuse(struct vt_diag *diag, enum vt__bundle_array which,
                                            const char *reason);

/* DIR/bundles, DIR/bundles/<name>, DIR/bundles/<name>/<file>; VT_INVALID when it gets too long. */
VT_MUST_USE struct vt_err vt__bundle_path(char ret_path[VT__PATH_BYTES], const char *data_dir,
                                          const char *name, const char *file);

/* vt_bundle_open of a folder by its path; the manifest's version is not compared with anything. */
VT_MUST_USE struct vt_err vt__bundle_open_folder(const char *folder, bool verify,
                                                 struct vt_diag *diag,
                                                 struct vt_bundle **ret_bundle);

/* Adds to the count of references, which must not reach 0 by it… */
void vt__bundle_count_add(struct vt_bundle *bundle, int64_t delta);
/* …and reads it, acquiring what releasers did before. */
int64_t vt__bundle_count(const struct vt_bundle *bundle);

/* Serialises writers and switches of CURRENT, across processes: flock on DIR/bundles/.lock, which a
 * kill gives back. */
VT_MUST_USE struct vt_err vt__bundle_lock(const char *data_dir, struct vt_diag *diag, int *ret_fd);
/* Gives the lock back. */
void vt__bundle_unlock(int fd);

/* Folders on their way in or out have this before the version's name; nobody reads them. */
#define VT__TMP_PREFIX ".tmp-"
/* Removes what killed writers left: such folders, and halves of CURRENT and PREVIOUS. The caller
 * holds the lock. */
VT_MUST_USE struct vt_err vt__bundle_remove_leftovers(const char *data_dir, struct vt_diag *diag);

#endif
