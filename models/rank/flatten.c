/*
 * XGBoost's JSON model → flat trees. It writes floats with as many digits as it takes to read them
 * back, so nothing is lost. Its node ids may have gaps where pruning took nodes away; ours are
 * numbered by a walk from the root, breadth first, each pair of children beside each other.
 */
#include "models/rank/xgboost.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The arrays of one tree of the JSON, all n long. */
struct source {
    json_t *left, *right, *feature, *value, *missing_left;
    size_t n;
};

struct flat {
    uint32_t *starts, *nodes;
    float *values;
    uint32_t *source_ids; /* of the nodes of the tree at hand, in our order */
    uint32_t n_nodes, capacity;
};

static json_t *trees_of(json_t *root)
{
    static const char *const way[] = {"learner", "gradient_booster", "model", "trees"};
    json_t *at = root;
    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++)
        at = json_object_get(at, way[i]);
    return json_is_array(at) ? at : NULL;
}

static bool open_source(json_t *tree, struct source *ret)
{
    *ret = (struct source){
        .left = json_object_get(tree, "left_children"),
        .right = json_object_get(tree, "right_children"),
        .feature = json_object_get(tree, "split_indices"),
        .value = json_object_get(tree, "split_conditions"),
        .missing_left = json_object_get(tree, "default_left"),
    };
    ret->n = json_array_size(ret->left);
    return ret->n > 0 && json_array_size(ret->right) == ret->n &&
           json_array_size(ret->feature) == ret->n && json_array_size(ret->value) == ret->n &&
           json_array_size(ret->missing_left) == ret->n;
}

static json_int_t integer_at(const json_t *array, uint32_t id)
{
    const json_t *value = json_array_get(array, id);
    return json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
}

/* Puts the node behind the others; false when the arrays are full: the tree is no tree. */
static bool put(struct flat *flat, uint32_t tree_start, uint32_t source_id)
{
    if (flat->n_nodes == flat->capacity)
        return false;
    flat->source_ids[flat->n_nodes - tree_start] = source_id;
    flat->n_nodes++;
    return true;
}

/* Writes the node at `place`, after its children were put. */
static bool write_node(struct flat *flat, const struct source *source, uint32_t tree_start,
                       uint32_t place)
{
    uint32_t id = flat->source_ids[place - tree_start];
    uint32_t *node = flat->nodes + (size_t)place * VT_TREES_NODE_WORDS;
    json_int_t left = integer_at(source->left, id), right = integer_at(source->right, id);
    flat->values[place] = (float)json_number_value(json_array_get(source->value, id));
    memset(node, 0, VT_TREES_NODE_WORDS * sizeof *node);
    if (left < 0)
        return isfinite(flat->values[place]);
    json_int_t feature = integer_at(source->feature, id);
    if ((size_t)left >= source->n || right < 0 || (size_t)right >= source->n || feature < 0 ||
        feature >= VT_TREES_FEATURES_MAX)
        return false;
    node[0] = (uint32_t)feature;
    node[1] = flat->n_nodes;
    node[2] = flat->n_nodes + 1;
    node[3] = integer_at(source->missing_left, id) != 0;
    return isfinite(flat->values[place]) && put(flat, tree_start, (uint32_t)left) &&
           put(flat, tree_start, (uint32_t)right);
}

static bool flatten_tree(struct flat *flat, json_t *tree)
{
    struct source source;
    uint32_t start = flat->n_nodes;
    if (!open_source(tree, &source) || !put(flat, start, 0))
        return false;
    for (uint32_t place = start; place < flat->n_nodes; place++)
        if (!write_node(flat, &source, start, place))
            return false;
    return true;
}

/* One block of memory for n_trees trees of n_nodes nodes; the source ids are behind the rest. */
static void *allocate(uint32_t n_trees, uint32_t n_nodes, struct flat *ret_flat)
{
    size_t words = (size_t)n_trees + 1 + (size_t)n_nodes * (VT_TREES_NODE_WORDS + 2);
    uint32_t *memory = calloc(words, sizeof *memory);
    if (memory == NULL)
        return NULL;
    *ret_flat = (struct flat){.starts = memory, .nodes = memory + n_trees + 1, .capacity = n_nodes};
    ret_flat->source_ids = ret_flat->nodes + (size_t)n_nodes * VT_TREES_NODE_WORDS;
    ret_flat->values = (float *)(void *)(ret_flat->source_ids + n_nodes);
    return memory;
}

/* The nodes of all trees, as far as the JSON has room for; 0: there are none, or too many. */
static uint32_t count_nodes(json_t *trees)
{
    size_t index, n = 0;
    json_t *tree;
    if (trees == NULL || json_array_size(trees) == 0 || json_array_size(trees) > VT_TREES_MAX)
        return 0;
    json_array_foreach(trees, index, tree) n +=
        json_array_size(json_object_get(tree, "left_children"));
    return n <= INT32_MAX / VT_TREES_NODE_WORDS ? (uint32_t)n : 0;
}

static struct vt_err flatten(json_t *trees, struct vt_diag *diag, struct vt_boosted *ret_boosted)
{
    struct flat flat;
    uint32_t n_nodes = count_nodes(trees), n_trees = (uint32_t)json_array_size(trees);
    VT_CHECK(n_nodes > 0, VT_CORRUPT, "no trees in XGBoost's model");
    void *memory = allocate(n_trees, n_nodes, &flat);
    VT_CHECK(memory != NULL, VT_EXHAUSTED, "out of memory for the trees");
    for (uint32_t tree = 0; tree < n_trees; tree++) {
        if (!flatten_tree(&flat, json_array_get(trees, tree))) {
            vt_diag_set(diag, "ranker", "tree %u of XGBoost's model is none", tree);
            free(memory);
            return VT_ERR(VT_CORRUPT, "XGBoost's model is not as expected");
        }
        flat.starts[tree + 1] = flat.n_nodes;
    }
    *ret_boosted = (struct vt_boosted){
        .trees = {n_trees, flat.starts, flat.nodes, flat.values},
        .n_nodes = flat.n_nodes,
        .memory = memory,
    };
    return vt_ok();
}

struct vt_err vt__boosted_flatten(const char *text, size_t len, struct vt_diag *diag,
                                  struct vt_boosted *ret_boosted)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error);
    if (root == NULL) {
        vt_diag_set(diag, "ranker", "XGBoost's model is no JSON: %s", error.text);
        return VT_ERR(VT_CORRUPT, "XGBoost's model is not as expected");
    }
    struct vt_err err = flatten(trees_of(root), diag, ret_boosted);
    json_decref(root);
    return err;
}
