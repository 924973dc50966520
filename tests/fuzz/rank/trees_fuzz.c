/* Any bytes as trees: refused, or walked within bounds with a finite or overflowed sum. */
#include "models/rank/trees.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES_MAX = 64, TREES_MAX = 8, FEATURES = 3, N_ROWS = 4 };

/* The bytes: number of trees, number of nodes, then starts, nodes and values as they are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float rows[N_ROWS][FEATURES] = {
        {0, 0, 0}, {-1e30F, 1, 2}, {1e30F, -1, 0.5F}, {__builtin_nanf(""), 3, -2}};
    uint32_t starts[TREES_MAX + 1] = {0}, nodes[NODES_MAX * VT_TREES_NODE_WORDS] = {0};
    float values[NODES_MAX] = {0}, scores[N_ROWS];
    if (size < 2)
        return 0;
    uint32_t n_trees = data[0] % (TREES_MAX + 1), n_nodes = data[1] % (NODES_MAX + 1);
    const size_t lens[] = {(n_trees + 1) * sizeof *starts,
                           n_nodes * VT_TREES_NODE_WORDS * sizeof *nodes, n_nodes * sizeof *values};
    void *const parts[] = {starts, nodes, values};
    size_t at = 2;
    for (size_t i = 0; i < 3; i++) {
        size_t len = size - at < lens[i] ? size - at : lens[i];
        memcpy(parts[i], data + at, len);
        at += len;
    }
    const struct vt_trees trees = {n_trees, starts, nodes, values};
    struct vt_diag diag = {0};
    if (vt_failed(vt_trees_check(&trees, n_nodes, FEATURES, &diag))) {
        VT_ASSERT(diag.text[0] != '\0');
        return 0;
    }
    vt_trees_predict(&trees, &rows[0][0], N_ROWS, FEATURES, scores);
    return 0;
}
