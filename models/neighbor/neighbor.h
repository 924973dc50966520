#ifndef VT_NEIGHBOR_NEIGHBOR_H
#define VT_NEIGHBOR_NEIGHBOR_H

#include "models/dataset/dataset.h"
#include "models/neighbor/item_kernel.h"

#include <stdint.h>

/*
 * Item-item collaborative filtering: which items the same users took. What item i of a history adds
 * to item j is their similarity, shrunk towards 0 when few users have both:
 *
 *   cosine       Σ_u r_ui r_uj / (|r_i| |r_j|)   (Sarwar et al. 2001)
 *   bm25         Σ_u b_ui b_uj, b = idf_u · r·(k1 + 1) / (r + k1·(1 − b + b·length_i / mean))
 *   tfidf        the cosine of idf_u · r_ui; idf_u falls with how many items the user has
 *   conditional  Σ_u∈i (r_uj / |r_u|) / (n_i · n_j^½)   (Deshpande and Karypis 2004)
 *   all of them  · n_ij / (n_ij + shrinkage)   (Koren 2008)
 *
 * Dislikes are negative r: who likes one and dislikes the other speaks against the pair. n_i are
 * the users of an item, n_ij those of both. Of each row the
 * best `neighbors` are kept, best first, ties by the lower column; the item itself and 0 never.
 */
enum { VT_NEIGHBORS_MAX = 10000 };

enum vt_similarity {
    VT_SIMILARITY_COSINE,
    VT_SIMILARITY_BM25,
    VT_SIMILARITY_TFIDF,
    VT_SIMILARITY_CONDITIONAL,
    VT_SIMILARITY_COUNT
};

struct vt_neighbor_options {
    uint32_t similarity;     /* enum vt_similarity */
    uint32_t neighbors;      /* of a row; 1 … VT_NEIGHBORS_MAX */
    double shrinkage;        /* ≥ 0, users */
    uint32_t user_items_max; /* a user with more items is no shopper: left out; 0: nobody is */
    uint32_t threads;        /* 0: one per CPU */
};
/* 100 neighbours, shrinkage 10, users of up to 5,000 items. */
void vt_neighbor_options_default(struct vt_neighbor_options *ret_options);

/* Same matrix and options: same bytes, for any thread count. VT_INVALID for options out of range;
 * VT_EXHAUSTED without memory. Cost: Σ over users of the square of their items; memory: the matrix
 * transposed, 16 bytes per item and thread, and 8 · neighbors bytes per item. */
VT_MUST_USE struct vt_err vt_neighbor_train(const struct vt_sparse *matrix,
                                            const struct vt_neighbor_options *options,
                                            struct vt_diag *diag, struct vt_item_kernel *ret_model);

#endif
