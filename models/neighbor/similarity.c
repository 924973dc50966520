/*
 * The weights behind each similarity of items: every one is a sum of products over common users
 * divided by a number for each side, so training needs to know none of them by name.
 */
#include "models/neighbor/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* k1 and b of BM25 where the documents are items: a confidence saturates late, since it says how
 * much and not how often (implicit's values; Robertson and Zaragoza 2009 have 1.2 and 0.75 for
 * words). */
#define BM25_K1 100.0
#define BM25_B 0.8
#define CONDITIONAL_ALPHA 0.5 /* Deshpande and Karypis 2004: 0.3 to 0.6 were best */

bool vt__user_counts(const struct vt_neighbor_options *options, uint64_t n_items)
{
    return options->user_items_max == 0 || n_items <= options->user_items_max;
}

static uint64_t length(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->starts[row + 1] - matrix->starts[row];
}

static double sum_of_squares(const struct vt_sparse *matrix, uint32_t row)
{
    double sum = 0;
    for (uint64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++)
        sum += (double)matrix->values[e] * (double)matrix->values[e];
    return sum;
}

/* How much it says that a user is among those of an item. */
static double user_weight(const struct vt_sparse *matrix, enum vt_similarity kind, uint32_t user)
{
    double n = (double)length(matrix, user), n_items = (double)matrix->n_cols;
    switch (kind) {
    case VT_SIMILARITY_TFIDF:
        return log(1 + n_items / (1 + n));
    case VT_SIMILARITY_BM25:
        return log(1 + (n_items - n + 0.5) / (n + 0.5));
    case VT_SIMILARITY_CONDITIONAL:
        return n > 0 ? 1 / sqrt(sum_of_squares(matrix, user)) : 0;
    default:
        return 1;
    }
}

static void weigh_users(const struct vt_sparse *matrix, const struct vt_neighbor_options *options,
                        struct vt_sparse *ret_right)
{
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        double weight = vt__user_counts(options, length(matrix, user))
                            ? user_weight(matrix, options->similarity, user)
                            : 0;
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
            ret_right->values[e] = (float)(weight * (double)matrix->values[e]);
    }
}

/* r → r·(k1 + 1) / (|r| + k1·(1 − b + b·length/mean)); dislikes keep their sign. `lengths`: zeros,
 * one an item. */
static void saturate(const struct vt_sparse *matrix, struct vt_sparse *right, double *lengths)
{
    double sum = 0;
    for (uint64_t e = 0; e < matrix->n_entries; e++) {
        lengths[matrix->columns[e]] += fabs((double)matrix->values[e]);
        sum += fabs((double)matrix->values[e]);
    }
    for (uint64_t e = 0; e < matrix->n_entries; e++) {
        double relative = lengths[matrix->columns[e]] / sum * (double)matrix->n_cols;
        double k = BM25_K1 * (1 - BM25_B + BM25_B * relative);
        right->values[e] = (float)((double)right->values[e] * (BM25_K1 + 1) /
                                   (fabs((double)matrix->values[e]) + k));
    }
}

static void fill_norms(const struct vt_neighbor_options *options, struct vt__similarity *similarity)
{
    for (uint32_t i = 0; i < similarity->left.n_rows; i++) {
        double n = 0;
        for (uint64_t e = similarity->left.starts[i]; e < similarity->left.starts[i + 1]; e++)
            n += fabs((double)similarity->left.values[e]) > 0;
        double norm = options->similarity == VT_SIMILARITY_BM25
                          ? (double)(n > 0)
                          : sqrt(sum_of_squares(&similarity->left, i));
        bool conditional = options->similarity == VT_SIMILARITY_CONDITIONAL;
        similarity->row_norms[i] = conditional ? n : norm;
        similarity->column_norms[i] = conditional ? pow(n, CONDITIONAL_ALPHA) : norm;
    }
}

/* What is divided by how many have the item asks only whether they do. */
static void count_only(struct vt_sparse *left)
{
    for (uint64_t e = 0; e < left->n_entries; e++)
        left->values[e] = left->values[e] > 0 ? 1 : left->values[e] < 0 ? -1 : 0;
}

struct vt_err vt__similarity_init(const struct vt_sparse *matrix,
                                  const struct vt_neighbor_options *options,
                                  struct vt__similarity *ret_similarity)
{
    struct vt__similarity similarity = {.right = *matrix};
    similarity.right.values = calloc(matrix->n_entries + 1, sizeof *similarity.right.values);
    similarity.row_norms = calloc(matrix->n_cols, sizeof *similarity.row_norms);
    similarity.column_norms = calloc(matrix->n_cols, sizeof *similarity.column_norms);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for similarities");
    if (similarity.right.values != NULL && similarity.row_norms != NULL &&
        similarity.column_norms != NULL) {
        weigh_users(matrix, options, &similarity.right);
        if (options->similarity == VT_SIMILARITY_BM25)
            saturate(matrix, &similarity.right, similarity.column_norms);
        err = vt_sparse_transpose(&similarity.right, &similarity.left);
    }
    if (vt_failed(err)) {
        vt__similarity_fini(&similarity);
        return err;
    }
    if (options->similarity == VT_SIMILARITY_CONDITIONAL)
        count_only(&similarity.left);
    fill_norms(options, &similarity);
    *ret_similarity = similarity;
    return vt_ok();
}

void vt__similarity_fini(struct vt__similarity *similarity)
{
    free(similarity->right.values);
    vt_sparse_free(&similarity->left);
    free(similarity->row_norms);
    free(similarity->column_norms);
    *similarity = (struct vt__similarity){0};
}
