#ifndef VT_DATASET_DATASET_H
#define VT_DATASET_DATASET_H

#include "models/dataset/history.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"

#include <stdbool.h>
#include <stdint.h>

/* Sparse user × item matrix in CSR: rows ascending by column, no column twice. Owned arrays, one
 * malloc each; immutable once built, then any thread. */
struct vt_sparse {
    uint32_t n_rows, n_cols;
    uint64_t n_entries;
    uint64_t *starts;  /* n_rows + 1 */
    uint32_t *columns; /* n_entries */
    float *values; /* n_entries; confidence: above 0 that it is wanted, below 0 that it is not */
};
void vt_sparse_free(struct vt_sparse *matrix); /* NULL or zeroed is allowed */
VT_MUST_USE struct vt_err vt_sparse_transpose(const struct vt_sparse *matrix,
                                              struct vt_sparse *ret_transposed);

/* One interaction, any order, duplicates allowed. */
struct vt_interaction {
    uint64_t user;    /* customer number or file's user id */
    uint32_t item;    /* item number or file's item id */
    uint16_t type;    /* enum vt_event_type */
    uint16_t channel; /* channel number of the store, 0 unknown */
    float value;
    int64_t time_ms;
};

/* Interactions made dense: rows are users ascending by id, columns items ascending by id. */
struct vt_dataset {
    struct vt_sparse matrix;
    uint64_t *user_ids; /* n_rows */
    uint32_t *item_ids; /* n_cols */
    int64_t first_time_ms, last_time_ms;
};
struct vt_dataset_options {
    float event_weights[VT_EVENT_TYPE_COUNT];
    float value_exponents[VT_EVENT_TYPE_COUNT]; /* history.h; 0: an event's value does not enter */
    double decay_half_life_days; /* 0: none; age counts from each user's newest event */
    int64_t until_ms;            /* leave out later events; 0: none */
    uint32_t history_max;        /* newest N events of a user; 0: all */
    bool once;                   /* a repeated (user, item) counts its newest event only */
};
/* The weights of services/common/base/event.h and no decay: what training and evaluation begin
 * with, and what a manifest says when nobody chose otherwise. */
void vt_dataset_options_default(struct vt_dataset_options *ret_options);
/* As history.h takes it. Borrows. */
struct vt_event_weighing vt_dataset_weighing(const struct vt_dataset_options *options);
/* Sums weights of repeated (user, item); entries whose sum is not above 0 are left out. Where the
 * newest opinion is a dislike and these count (history.h), the entry is minus its confidence. An id
 * stays even when nothing of it is left: its row or column is empty. VT_INVALID without
 * interactions, with a weight that is not finite, or with an exponent outside 0 to 1; VT_EXHAUSTED
 * when memory is. Same input, same bytes. */
VT_MUST_USE struct vt_err vt_dataset_build(const struct vt_interaction *interactions, uint64_t n,
                                           const struct vt_dataset_options *options,
                                           struct vt_diag *diag, struct vt_dataset *ret_dataset);
void vt_dataset_free(struct vt_dataset *dataset);

/* The ids of rows and columns, each ascending and without repeats; owned arrays. */
struct vt_ids {
    uint64_t *user_ids;
    uint32_t *item_ids;
    uint32_t n_users, n_items;
};
VT_MUST_USE struct vt_err vt_ids_collect(const struct vt_interaction *interactions, uint64_t n,
                                         struct vt_ids *ret_ids);
void vt_ids_free(struct vt_ids *ids);

/* As vt_dataset_build, with rows and columns given: interactions of other ids are left out. For
 * train and test parts that must share their numbering. */
VT_MUST_USE struct vt_err vt_sparse_build(const struct vt_interaction *interactions, uint64_t n,
                                          const struct vt_dataset_options *options,
                                          const struct vt_ids *ids, struct vt_diag *diag,
                                          struct vt_sparse *ret_matrix);

#endif
