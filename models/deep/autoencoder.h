#ifndef VT_DEEP_AUTOENCODER_H
#define VT_DEEP_AUTOENCODER_H

#include "models/dataset/dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The deep member of the family: a denoising autoencoder over the history with a multinomial
 * likelihood (Mult-DAE of Liang, Krishnan, Hoffman, Jebara, "Variational Autoencoders for
 * Collaborative Filtering", 2018), one hidden layer:
 *
 *   x_i = sign(w_i) ln(1 + |w_i|), brought to length 1; of each entry a share is dropped in
 * training h = tanh(b + Σ_i x_i · in_i) score_i = out_i · h + bias_i,   p = softmax(score) loss =
 * Σ_u n_u^(−user_exponent) · Σ over the n_u wanted items of −ln p_i
 *
 * in, out: n_items × hidden. Dislikes are negative inputs and no targets. Trained by Adam with
 * decoupled weight decay (Kingma, Ba 2015; Loshchilov, Hutter 2019) in minibatches; it stops when
 * customers that were kept back are no longer found better, and gives the best epoch's network.
 */
struct vt_autoencoder_progress {
    uint32_t epoch, epochs; /* 1-based */
    double loss;            /* mean over the users of this epoch, while it trained */
    double validation_ndcg; /* NaN: there are too few customers to keep any back */
};
/* False ends training. Runs on the caller's thread. */
typedef bool (*vt_autoencoder_progress_fn)(void *ctx, const struct vt_autoencoder_progress *at);

struct vt_autoencoder_options {
    uint32_t hidden;      /* 1 … VT_AUTOENCODER_HIDDEN_MAX */
    uint32_t epochs;      /* at most; 1 … VT_AUTOENCODER_EPOCHS_MAX */
    uint32_t patience;    /* epochs without a better one before it stops; 0: never */
    uint32_t batch;       /* users; 1 … VT_AUTOENCODER_BATCH_MAX */
    double learning_rate; /* (0, 1] */
    double weight_decay;  /* ≥ 0 */
    double dropout;       /* of inputs, [0, 1) */
    double user_exponent; /* 0: every interaction counts; 1: every user counts the same */
    uint64_t seed;
    uint32_t threads;                    /* 0: one per CPU */
    vt_autoencoder_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
enum {
    VT_AUTOENCODER_HIDDEN_MAX = 4096,
    VT_AUTOENCODER_EPOCHS_MAX = 1000,
    VT_AUTOENCODER_BATCH_MAX = 65536
};
/* The defaults of docs/models.md. */
void vt_autoencoder_options_default(struct vt_autoencoder_options *ret_options);

/* Owned by `memory`; immutable once trained, any thread. */
struct vt_autoencoder {
    uint32_t n_items, hidden, row_stride; /* stride: hidden rounded up to 16, the padding is 0 */
    const float *in, *out;                /* n_items × row_stride */
    const float *in_bias;                 /* row_stride */
    const float *out_bias;                /* n_items */
    double validation_ndcg;               /* of the epoch that was kept; NaN: none was measured */
    uint32_t epoch;                       /* that was kept */
    float *memory;
};
void vt_autoencoder_free(struct vt_autoencoder *model); /* zeroed is allowed */

/* Memory of training beside the matrix, from above. */
uint64_t vt_autoencoder_memory_bytes(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                     const struct vt_autoencoder_options *options);

/*
 * Same matrix, options and BLAS kernels: same bytes, for any thread count. VT_INVALID for options
 * out of range, a value that is not finite, or a matrix without a wanted item (`diag` says which);
 * VT_EXHAUSTED without memory; VT_CORRUPT when training diverged (a smaller learning_rate helps);
 * VT_CANCELLED when `progress` said so. Cost of an epoch: 3 · n_users · n_items · hidden
 * multiply-adds.
 */
VT_MUST_USE struct vt_err vt_autoencoder_train(const struct vt_sparse *matrix,
                                               const struct vt_autoencoder_options *options,
                                               struct vt_diag *diag,
                                               struct vt_autoencoder *ret_model);

/* Bytes of scratch (8-byte aligned) for scoring. */
size_t vt_autoencoder_scratch_bytes(uint32_t hidden);
/* The hidden vector of a history, row_stride floats, sums in double; columns < n_items. No
 * allocation; any thread, scratch is the caller's. O(n · hidden). */
void vt_autoencoder_encode(const struct vt_autoencoder *model, const uint32_t *columns,
                           const float *weights, uint32_t n, void *scratch, float *ret_hidden);
/* score_i for every item, in double. */
void vt_autoencoder_score(const struct vt_autoencoder *model, const uint32_t *columns,
                          const float *weights, uint32_t n, void *scratch, double *ret_scores);

#endif
