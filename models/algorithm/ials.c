/*
 * iALS as a family: fold the history in, score every item by the defined dot product.
 */
#include "models/algorithm/algorithm_internal.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>

/* As models/factor has them, for an estimate from above. */
enum { STRIDE_FLOATS = 16, GRAM_BLOCKS = 64, GATHER_DOUBLES = 128, SCRATCH_BYTES = 5 << 18 };
/* Rows that are scored for one history after the other: they stay in the second cache. */
enum { ROWS_TOGETHER = 128 };

struct ials_scratch_layout {
    size_t vector_at, bytes;
};

static struct ials_scratch_layout ials_layout(uint32_t dim)
{
    size_t fold_in = vt_fold_in_scratch_bytes(dim);
    return (struct ials_scratch_layout){fold_in, fold_in + VT_SCORE_MANY_MAX * dim * sizeof(float)};
}

static struct vt_err ials_score_many(const void *self, const struct vt_weighted_history *histories,
                                     uint32_t n, void *scratch, double *ret_scores)
{
    const struct vt_ials_model *model = self;
    const struct vt_fold_in_model fold_in = vt_ials_fold_in_model(model);
    float *vectors = (float *)(void *)((char *)scratch + ials_layout(model->dim).vector_at);
    for (uint32_t h = 0; h < n; h++)
        VT_TRY(vt_fold_in(&fold_in, histories[h].columns, histories[h].weights, histories[h].n,
                          scratch, vectors + (size_t)h * model->dim));
    for (uint32_t first = 0; first < model->n_items; first += ROWS_TOGETHER) {
        const uint32_t left = model->n_items - first;
        for (uint32_t h = 0; h < n; h++)
            vt_kernels()->dots(model->item_factors + (size_t)first * model->row_stride,
                               left < ROWS_TOGETHER ? left : ROWS_TOGETHER, model->row_stride,
                               vectors + (size_t)h * model->dim, model->dim,
                               ret_scores + (size_t)h * model->n_items + first);
    }
    return vt_ok();
}

static struct vt_err ials_score(const void *self, const struct vt_weighted_history *history,
                                void *scratch, double *ret_scores)
{
    return ials_score_many(self, history, 1, scratch, ret_scores);
}

static void ials_free(void *model)
{
    vt_ials_model_free(model);
    free(model);
}

static bool ials_progress(void *ctx, const struct vt_ials_progress *progress)
{
    const struct vt_algorithm_options *options = ctx;
    bool go_on = options->ials.progress == NULL ||
                 options->ials.progress(options->ials.progress_ctx, progress);
    return (options->progress == NULL ||
            options->progress(options->progress_ctx, progress->iteration, progress->iterations,
                              progress->loss)) &&
           go_on;
}

static struct vt_err ials_train(const struct vt_sparse *matrix,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct vt_trained *ret_trained)
{
    struct vt_ials_model *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_ials_options ials = options->ials;
    ials.threads = options->threads;
    ials.seed = options->seed;
    ials.progress = ials_progress; /* tells both: who wants a bar, and who wants the factors */
    ials.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    struct vt_err err = vt_ials_train(matrix, &ials, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "ials",
                        .self = model,
                        .scratch_bytes = ials_layout(model->dim).bytes,
                        .score = ials_score,
                        .score_many = ials_score_many},
        .factors = model,
        .mix = {.weight = {[VT_MEMBER_FACTOR] = 1}},
        .model = model,
        .free_model = ials_free,
    };
    return vt_ok();
}

/* Multiply-adds for each entry of the matrix, both half-iterations, and for each row: the formulas
 * of ials.h. */
static double adds_per_entry(const struct vt_ials_options *options)
{
    const double dim = options->factors;
    switch ((enum vt_ials_solver)options->solver) {
    case VT_IALS_CG:
        return dim * (4.0 * options->cg_steps + 5);
    case VT_IALS_SUBSPACE:
        return dim * (fmin(options->block_size, dim) + 6);
    default:
        return dim * (dim + 2);
    }
}

static double adds_per_row(const struct vt_ials_options *options)
{
    const double dim = options->factors, gram = dim * dim / 2;
    switch ((enum vt_ials_solver)options->solver) {
    case VT_IALS_CG:
        return gram + 2 * dim * dim; /* both sides are turned twice */
    case VT_IALS_SUBSPACE:
        return gram + dim * dim + dim * pow(fmin(options->block_size, dim), 2) / 6;
    default:
        return gram + dim * dim * dim / 6;
    }
}

static struct vt_need ials_need(const struct vt_shape *shape,
                                const struct vt_algorithm_options *options)
{
    const struct vt_ials_options *ials = &options->ials;
    const double dim = ials->factors, rows = (double)(shape->n_users + shape->n_items);
    const double entries = (double)shape->n_interactions;
    const double threads = vt_threads_resolve(options->threads);
    const double adds = entries * adds_per_entry(ials) + rows * adds_per_row(ials);
    return (struct vt_need){
        .memory_bytes =
            (uint64_t)(rows * (dim + STRIDE_FLOATS + 2) * sizeof(float) + 8.0 * entries +
                       (threads + GRAM_BLOCKS) * dim * dim * sizeof(double) +
                       threads * (SCRATCH_BYTES + dim * GATHER_DOUBLES * sizeof(double))),
        .gflop = 2 * adds * ials->iterations / 1e9,
    };
}

#define AT(field_) offsetof(struct vt_algorithm_options, ials.field_)

const struct vt__family vt__family_ials = {
    .name = "ials",
    .summary = "matrix factorisation by implicit alternating least squares",
    .settings =
        (const struct vt__setting[]){
            {"factors", VT__SETTING_U32, AT(factors), 1, VT_FACTORS_MAX, NULL},
            {"iterations", VT__SETTING_U32, AT(iterations), 1, VT_IALS_ITERATIONS_MAX, NULL},
            {"regularization", VT__SETTING_F64, AT(regularization), 0, 1e6, NULL},
            {"regularization_exponent", VT__SETTING_F64, AT(regularization_exponent), 0, 2, NULL},
            {"unobserved_weight", VT__SETTING_F64, AT(unobserved_weight), 0, 1e6, NULL},
            {"init_stddev", VT__SETTING_F64, AT(init_stddev), 1e-9, 1e3, NULL},
            {"solver", VT__SETTING_CHOICE, AT(solver), 0, 0, "cholesky|cg|subspace"},
            {"cg_steps", VT__SETTING_U32, AT(cg_steps), 1, VT_IALS_CG_STEPS_MAX, NULL},
            {"block_size", VT__SETTING_U32, AT(block_size), VT_IALS_BLOCK_STEP, VT_FACTORS_MAX,
             NULL},
            {0}},
    .serves = true,
    .train = ials_train,
    .need = ials_need,
};
