#ifndef VT_NODE_TRAINING_DATA_H
#define VT_NODE_TRAINING_DATA_H

#include "models/dataset/catalog.h"
#include "models/dataset/dataset.h"
#include "models/dataset/interactions.h"

/* Every event of the folder's log as interactions (user: customer number, item: item number), in
 * the order of the log, and with `ret_catalog` (zeroed; NULL: not wanted) every item that is
 * described. When a server holds the folder, it is asked for a checkpoint over
 * DIR/admin.sock, which is read and removed; else the folder is opened here. Blocking.
 * VT_INVALID when there is no event; VT_UNAVAILABLE when somebody holds the folder and does not
 * answer. What was read before a failure stays in both for the caller to free. */
VT_MUST_USE struct vt_err vt_training_data_read(const char *data_dir, struct vt_diag *diag,
                                                struct vt_interactions *ret,
                                                struct vt_catalog *ret_catalog);

/* The items of the folder's catalog alone, in the same way. VT_NOT_FOUND: the folder has no store
 * (versions made from files). */
VT_MUST_USE struct vt_err vt_training_catalog_read(const char *data_dir, struct vt_diag *diag,
                                                   struct vt_catalog *ret_catalog);

/* How interactions of an adjacency file count: it has neither types nor times, and says each thing
 * once. Sets the weights and `once`. */
void vt_training_data_weigh_adjacency(struct vt_dataset_options *dataset);

#endif
