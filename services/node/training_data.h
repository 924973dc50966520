#ifndef VT_NODE_TRAINING_DATA_H
#define VT_NODE_TRAINING_DATA_H

#include "models/dataset/dataset.h"
#include "models/dataset/interactions.h"

/* Every event of the folder's log as interactions (user: customer number, item: item number), in
 * the order of the log. When a server holds the folder, it is asked for a checkpoint over
 * DIR/admin.sock, which is read and removed; else the folder is opened here. Blocking.
 * VT_INVALID when there is no event; VT_UNAVAILABLE when somebody holds the folder and does not
 * answer. What was read before a failure stays in `ret` for the caller to free. */
VT_MUST_USE struct vt_err vt_training_data_read(const char *data_dir, struct vt_diag *diag,
                                                struct vt_interactions *ret);

/* How interactions of an adjacency file count: it has neither types nor times, and says each thing
 * once. Sets the weights and `once`. */
void vt_training_data_weigh_adjacency(struct vt_dataset_options *dataset);

#endif
