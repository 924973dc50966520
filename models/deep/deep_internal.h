#ifndef VT_DEEP_DEEP_INTERNAL_H
#define VT_DEEP_DEEP_INTERNAL_H

#include "models/deep/autoencoder.h"

/*
 * The network while it learns. All parameters stand in one block, in the order in, out, in_bias,
 * out_bias, so that gradients, moments and copies of it share places.
 */
struct vt__network {
    uint32_t n_items, hidden, row_stride;
    size_t n_parameters, out_at, in_bias_at, out_bias_at;
    float *parameters; /* owned */
};
/* Seeded first parameters: in and out uniform by Glorot and Bengio (2010), out_bias the logarithm
 * of how many want the item. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__network_init(const struct vt_sparse *matrix, uint32_t hidden,
                                           uint64_t seed, struct vt__network *ret_network);
/* The parameters as a model; the block now belongs to it. */
void vt__network_finish(struct vt__network *network, struct vt_autoencoder *ret_model);
/* A borrowed view, for measuring. */
struct vt_autoencoder vt__network_view(const struct vt__network *network);

/* What to do with the gradient of n parameters from `first` on; other ranges may be handed over
 * from other threads at once. */
typedef void (*vt__apply_fn)(void *ctx, size_t first, const float *gradient, size_t n);

struct vt__pass_options {
    double dropout, user_exponent;
    uint64_t seed; /* of what is dropped: another for each epoch */
    uint32_t threads;
    vt__apply_fn apply;
    void *apply_ctx;
};

/* Room for one minibatch. */
struct vt__pass;
VT_MUST_USE struct vt_err vt__pass_new(const struct vt__network *network,
                                       const struct vt_sparse *matrix, uint32_t batch,
                                       uint32_t threads, struct vt__pass **ret_pass);
void vt__pass_free(struct vt__pass *pass); /* NULL is allowed */
uint64_t vt__pass_bytes(uint64_t n_items, uint64_t row_stride, uint64_t batch, uint64_t threads);

/* Forward and back over users[0 … n): the gradient of loss / n, of every parameter once, goes to
 * options->apply, which may change that parameter at once. Returns the loss, summed over the users
 * in order: the same bits for any thread count. */
double vt__pass_run(struct vt__pass *pass, const uint32_t *users, uint32_t n,
                    const struct vt__pass_options *options);

/* What an input of the network is before it is brought to length 1. */
double vt__input_of(float weight);

/* Adam over a block of parameters; the ranges that are applied may be on different threads. */
struct vt__adam {
    float *parameters;    /* borrowed */
    float *mean, *square; /* owned; the moments */
    float rate, decay;    /* of the step at hand, corrected for its number */
    float square_scale;
};
VT_MUST_USE struct vt_err vt__adam_init(const struct vt__network *network,
                                        struct vt__adam *ret_adam);
void vt__adam_fini(struct vt__adam *adam);
/* Before the first range of step `step` (1-based). */
void vt__adam_begin(struct vt__adam *adam, uint64_t step, double learning_rate,
                    double weight_decay);
/* A vt__apply_fn; ctx is the struct vt__adam. */
void vt__adam_apply(void *ctx, size_t first, const float *gradient, size_t n);

/* Some customers' items kept back: `train` is the rest of the matrix, `test` what is to be found.
 */
struct vt__kept_back {
    struct vt_sparse train, test;
    bool any; /* false: too small to keep anything back; train is the whole then */
};
enum { VT__KEPT_BACK_USERS_MAX = 1000 };
VT_MUST_USE struct vt_err vt__keep_back(const struct vt_sparse *matrix, uint64_t seed,
                                        struct vt__kept_back *ret_kept_back);
void vt__kept_back_free(struct vt__kept_back *kept_back);

#endif
