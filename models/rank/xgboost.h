#ifndef VT_RANK_XGBOOST_H
#define VT_RANK_XGBOOST_H

#include "models/rank/boost.h"

#include <stddef.h>

/* XGBoost behind plain functions, for boost.c and its test. One thread. */
struct vt__booster;

/* Loads the library; as vt_boost_check. */
VT_MUST_USE struct vt_err vt__booster_check(struct vt_diag *diag);

/* Trains options->rounds trees. Errors of vt_boost_train that are XGBoost's; its own words are in
 * `diag`. Owned result. */
VT_MUST_USE struct vt_err vt__booster_train(const struct vt_boost_examples *examples,
                                            const struct vt_boost_options *options,
                                            struct vt_diag *diag, struct vt__booster **ret_booster);
void vt__booster_free(struct vt__booster *booster); /* NULL is allowed */

/* XGBoost's own prediction of n_rows × n_features: what vt_trees_predict has to give. */
VT_MUST_USE struct vt_err vt__booster_predict(struct vt__booster *booster, const float *rows,
                                              uint32_t n_rows, uint32_t n_features,
                                              struct vt_diag *diag, float *ret_scores);

/* The model as XGBoost writes it in JSON, valid until the next call or _free. */
VT_MUST_USE struct vt_err vt__booster_json(struct vt__booster *booster, struct vt_diag *diag,
                                           const char **ret_text, size_t *ret_len);

/* Flattens that JSON; nodes in the order of a walk from the root, so that children are behind
 * their parent. VT_CORRUPT when it is no such model. Fills trees, n_nodes and memory. */
VT_MUST_USE struct vt_err vt__boosted_flatten(const char *text, size_t len, struct vt_diag *diag,
                                              struct vt_boosted *ret_boosted);

#endif
