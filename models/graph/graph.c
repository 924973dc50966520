/*
 * K is never whole in memory. Its rows are made sixteen at a time: P is applied to a block by two
 * sparse products whose inner loop runs over the sixteen, so that every entry of R̃ that is read
 * serves all of them from one or two vector registers. Threads take blocks of rows; a row depends
 * on the matrix alone.
 *
 * Row i of (P + βL)(I − tP)^s is gᵀ(I − tP)^s with g = P e_i + β Lᵀe_i, since P is symmetric: from
 * the right, s steps g ← g − t P g.
 */
#include "models/graph/graph.h"

#include "models/graph/svd.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/neighbor/kernel_rows.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 16,          /* rows of K made at once */
    BLOCKS_PER_STEP = 8, /* of WIDTH rows, between two calls of progress, for each thread */
};

struct training {
    const struct vt_graph_options *options;
    struct vt_sparse by_user, by_item; /* R̃ and its transpose, owned */
    double *degrees;                   /* n_items: sums of wanted confidences */
    struct vt_svd svd;
    float *left, *right; /* n_items: d^(−item_exponent), d^(item_exponent) × low_pass */
    float *column_scale; /* n_items: by popularity */
    struct vt_kernel_rows rows;
    struct scratch *scratch;
    uint32_t n_threads, first_block; /* of the step */
};

/* One thread's; n × WIDTH floats each. */
struct scratch {
    float *items, *product; /* n_items */
    float *users;           /* n_users */
    float *row;             /* n_items: one row of K */
    float *vectors;         /* WIDTH × stride of the SVD */
    struct vt_index_hit *hits;
};

void vt_graph_options_default(struct vt_graph_options *ret_options)
{
    *ret_options = (struct vt_graph_options){
        .vectors = 128,
        .low_pass = 1,
        .user_exponent = 0.5,
        .item_exponent = 0.5,
        .neighbors = 1000,
        .svd_iterations = 8,
        .seed = 1,
    };
}

void vt_graph_options_sharpened(struct vt_graph_options *ret_options)
{
    vt_graph_options_default(ret_options);
    ret_options->low_pass = 0.3;
    ret_options->popularity_exponent = 0.1;
    ret_options->sharpening = 0.5;
    ret_options->sharpenings = 1;
}

/* ---- R̃ ---- */

static void sum_degrees(const struct vt_sparse *matrix, double *by_user, double *by_item)
{
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
            if (matrix->values[e] > 0) {
                by_user[user] += (double)matrix->values[e];
                by_item[matrix->columns[e]] += (double)matrix->values[e];
            }
}

static struct vt_err copy_structure(const struct vt_sparse *matrix, struct vt_sparse *ret_copy)
{
    struct vt_sparse copy = {.n_rows = matrix->n_rows, .n_cols = matrix->n_cols};
    copy.starts = calloc((size_t)matrix->n_rows + 1, sizeof *copy.starts);
    copy.columns = calloc(matrix->n_entries + 1, sizeof *copy.columns);
    copy.values = calloc(matrix->n_entries + 1, sizeof *copy.values);
    *ret_copy = copy;
    VT_CHECK(copy.starts != NULL && copy.columns != NULL && copy.values != NULL, VT_EXHAUSTED,
             "out of memory for a graph filter");
    return vt_ok();
}

/* The wanted entries, scaled by the degrees of both ends. */
static void normalise(const struct vt_sparse *matrix, const struct training *training,
                      const double *user_degrees, struct vt_sparse *copy)
{
    const struct vt_graph_options *options = training->options;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
            uint32_t item = matrix->columns[e];
            if (!(matrix->values[e] > 0))
                continue;
            copy->columns[copy->n_entries] = item;
            copy->values[copy->n_entries++] =
                (float)((double)matrix->values[e] *
                        pow(user_degrees[user], -options->user_exponent) *
                        pow(training->degrees[item], -options->item_exponent));
        }
        copy->starts[user + 1] = copy->n_entries;
    }
}

static struct vt_err build_graph(struct training *training, const struct vt_sparse *matrix)
{
    double *user_degrees = calloc((size_t)matrix->n_rows + 1, sizeof *user_degrees);
    training->degrees = calloc((size_t)matrix->n_cols + 1, sizeof *training->degrees);
    struct vt_err err = copy_structure(matrix, &training->by_user);
    if (!vt_failed(err) && (user_degrees == NULL || training->degrees == NULL))
        err = VT_ERR(VT_EXHAUSTED, "out of memory for a graph filter");
    if (!vt_failed(err)) {
        sum_degrees(matrix, user_degrees, training->degrees);
        normalise(matrix, training, user_degrees, &training->by_user);
        err = vt_sparse_transpose(&training->by_user, &training->by_item);
    }
    free(user_degrees);
    return err;
}

/* ---- what scales items ---- */

static void fill_scales(struct training *training)
{
    const struct vt_graph_options *options = training->options;
    const uint32_t n_items = training->by_user.n_cols;
    double sum = 0, n_wanted = 0;
    for (uint32_t item = 0; item < n_items; item++) {
        sum += training->degrees[item];
        n_wanted += training->degrees[item] > 0;
    }
    for (uint32_t item = 0; item < n_items; item++) {
        double degree = training->degrees[item];
        if (!(degree > 0))
            continue; /* all its entries are 0 */
        double power = pow(degree, options->item_exponent);
        training->left[item] = (float)(1 / power);
        training->right[item] = (float)(options->low_pass * power);
        training->column_scale[item] =
            (float)pow(degree * n_wanted / sum, -options->popularity_exponent);
    }
}

/* ---- a block of rows ---- */

/* to[r] = Σ over row r of matrix of value · from[column], for WIDTH numbers at once. */
static void multiply(const struct vt_sparse *matrix, const float *from, float *to)
{
    for (uint32_t r = 0; r < matrix->n_rows; r++) {
        float sums[WIDTH] = {0};
        for (uint64_t e = matrix->starts[r]; e < matrix->starts[r + 1]; e++) {
            const float *source = from + (size_t)matrix->columns[e] * WIDTH;
            const float value = matrix->values[e];
            for (uint32_t i = 0; i < WIDTH; i++)
                sums[i] += value * source[i];
        }
        memcpy(to + (size_t)r * WIDTH, sums, sizeof sums);
    }
}

/* to = P from. */
static void apply_p(const struct training *training, const float *from, float *users, float *to)
{
    multiply(&training->by_user, from, users);
    multiply(&training->by_item, users, to);
}

/* to[j] += low_pass · L_ij for the WIDTH rows i from `first`: d_i^-b V_i·V_j d_j^b. */
static void add_low_pass(const struct training *training, uint32_t first, uint32_t n,
                         const struct scratch *scratch, float *to)
{
    const struct vt_svd *svd = &training->svd;
    const uint32_t n_items = training->by_user.n_cols;
    if (svd->rank == 0)
        return;
    memset(scratch->vectors, 0, (size_t)WIDTH * svd->stride * sizeof *scratch->vectors);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < svd->rank; k++)
            scratch->vectors[i * svd->stride + k] =
                training->left[first + i] * svd->vectors[(size_t)(first + i) * svd->stride + k];
    vt_kernels()->matmul_nt_f32(svd->vectors, n_items, svd->stride, scratch->vectors, WIDTH,
                                svd->stride, svd->stride, scratch->product, WIDTH);
    for (uint32_t j = 0; j < n_items; j++)
        for (uint32_t i = 0; i < WIDTH; i++)
            to[(size_t)j * WIDTH + i] +=
                training->right[j] * scratch->product[(size_t)j * WIDTH + i];
}

static void sharpen(const struct training *training, const struct scratch *scratch)
{
    const size_t n = (size_t)training->by_user.n_cols * WIDTH;
    const float by = (float)training->options->sharpening;
    for (uint32_t step = 0; step < training->options->sharpenings; step++) {
        apply_p(training, scratch->items, scratch->users, scratch->product);
        for (size_t i = 0; i < n; i++)
            scratch->items[i] -= by * scratch->product[i];
    }
}

static void keep_rows(struct training *training, const struct scratch *scratch, uint32_t first,
                      uint32_t n)
{
    const uint32_t n_items = training->by_user.n_cols;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n_items; j++)
            scratch->row[j] = training->column_scale[j] * scratch->items[(size_t)j * WIDTH + i];
        vt_kernel_rows_cut(&training->rows, first + i, NULL, scratch->row, n_items, scratch->hits);
    }
}

static void make_rows(void *ctx, uint32_t block, uint32_t thread)
{
    struct training *training = ctx;
    const struct scratch *scratch = &training->scratch[thread];
    const uint32_t n_items = training->by_user.n_cols;
    const uint32_t first = (training->first_block + block) * WIDTH;
    const uint32_t n = n_items - first < WIDTH ? n_items - first : WIDTH;
    memset(scratch->product, 0, (size_t)n_items * WIDTH * sizeof *scratch->product);
    for (uint32_t i = 0; i < n; i++)
        scratch->product[(size_t)(first + i) * WIDTH + i] = 1;
    apply_p(training, scratch->product, scratch->users, scratch->items);
    add_low_pass(training, first, n, scratch, scratch->items);
    sharpen(training, scratch);
    keep_rows(training, scratch, first, n);
}

static struct vt_err make_all_rows(struct training *training)
{
    const struct vt_graph_options *options = training->options;
    const uint32_t n_blocks = (training->by_user.n_cols + WIDTH - 1) / WIDTH;
    const uint32_t per_step = BLOCKS_PER_STEP * training->n_threads;
    for (uint32_t done = 0; done < n_blocks; done += per_step) {
        training->first_block = done;
        uint32_t n = n_blocks - done < per_step ? n_blocks - done : per_step;
        vt_parallel(n, training->n_threads, make_rows, training);
        VT_CHECK(options->progress == NULL ||
                     options->progress(options->progress_ctx, done + n, n_blocks),
                 VT_CANCELLED, "training was ended");
    }
    return vt_ok();
}

/* ---- memory ---- */

static bool scratch_init(const struct training *training, struct scratch *scratch)
{
    const size_t items = (size_t)training->by_user.n_cols * WIDTH;
    scratch->items = calloc(items, sizeof *scratch->items);
    scratch->product = calloc(items, sizeof *scratch->product);
    scratch->users = calloc((size_t)training->by_user.n_rows * WIDTH, sizeof *scratch->users);
    scratch->row = calloc(training->by_user.n_cols, sizeof *scratch->row);
    scratch->vectors = calloc((size_t)WIDTH * training->svd.stride + 1, sizeof *scratch->vectors);
    scratch->hits = calloc(training->rows.per_row, sizeof *scratch->hits);
    return scratch->items != NULL && scratch->product != NULL && scratch->users != NULL &&
           scratch->row != NULL && scratch->vectors != NULL && scratch->hits != NULL;
}

static struct vt_err allocate(struct training *training)
{
    const uint32_t n_items = training->by_user.n_cols;
    const uint32_t neighbors = training->options->neighbors;
    VT_TRY(
        vt_kernel_rows_init(n_items, neighbors < n_items ? neighbors : n_items, &training->rows));
    training->left = calloc(n_items, sizeof *training->left);
    training->right = calloc(n_items, sizeof *training->right);
    training->column_scale = calloc(n_items, sizeof *training->column_scale);
    training->scratch = calloc(training->n_threads, sizeof *training->scratch);
    bool whole = training->left != NULL && training->right != NULL &&
                 training->column_scale != NULL && training->scratch != NULL;
    for (uint32_t t = 0; whole && t < training->n_threads; t++)
        whole = scratch_init(training, &training->scratch[t]);
    VT_CHECK(whole, VT_EXHAUSTED, "out of memory for a graph filter");
    return vt_ok();
}

static void training_fini(struct training *training)
{
    for (uint32_t t = 0; training->scratch != NULL && t < training->n_threads; t++) {
        free(training->scratch[t].items);
        free(training->scratch[t].product);
        free(training->scratch[t].users);
        free(training->scratch[t].row);
        free(training->scratch[t].vectors);
        free(training->scratch[t].hits);
    }
    free(training->scratch);
    free(training->left);
    free(training->right);
    free(training->column_scale);
    free(training->degrees);
    vt_kernel_rows_fini(&training->rows);
    vt_svd_free(&training->svd);
    vt_sparse_free(&training->by_user);
    vt_sparse_free(&training->by_item);
}

/* ---- the public side ---- */

static struct vt_svd_options svd_options(const struct vt_graph_options *options)
{
    return (struct vt_svd_options){.rank = options->vectors,
                                   .iterations = options->svd_iterations,
                                   .seed = options->seed,
                                   .threads = options->threads};
}

static struct vt_err run(struct training *training, const struct vt_sparse *matrix)
{
    const struct vt_graph_options *options = training->options;
    const struct vt_svd_options svd = svd_options(options);
    VT_TRY(build_graph(training, matrix));
    VT_CHECK(training->by_user.n_entries > 0, VT_INVALID, "no interactions");
    if (options->vectors > 0 && fabs(options->low_pass) > 0)
        VT_TRY(vt_svd_right(&training->by_user, &training->by_item, &svd, &training->svd));
    VT_TRY(allocate(training));
    fill_scales(training);
    return make_all_rows(training);
}

static struct vt_err check_options(const struct vt_graph_options *options, struct vt_diag *diag)
{
    const struct {
        const char *name;
        double value, min, max;
    } ranges[] = {
        {"vectors", options->vectors, 0, VT_GRAPH_VECTORS_MAX},
        {"low_pass", options->low_pass, 0, 100},
        {"sharpening", options->sharpening, 0, 10},
        {"sharpenings", options->sharpenings, 0, VT_GRAPH_SHARPENINGS_MAX},
        {"user_exponent", options->user_exponent, 0, 2},
        {"item_exponent", options->item_exponent, 0, 2},
        {"popularity_exponent", options->popularity_exponent, -2, 2},
        {"neighbors", options->neighbors, 1, VT_GRAPH_NEIGHBORS_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= ranges[i].min && ranges[i].value <= ranges[i].max)) {
            vt_diag_set(diag, ranges[i].name, "%s is %g; it must be from %g to %g", ranges[i].name,
                        ranges[i].value, ranges[i].min, ranges[i].max);
            return VT_ERR(VT_INVALID, "an option of the graph filter is out of range");
        }
    return vt_ok();
}

struct vt_err vt_graph_train(const struct vt_sparse *matrix, const struct vt_graph_options *options,
                             struct vt_diag *diag, struct vt_item_kernel *ret_kernel)
{
    VT_TRY(check_options(options, diag));
    VT_CHECK(matrix->n_rows > 0 && matrix->n_cols > 0, VT_INVALID, "no interactions");
    struct training training = {.options = options,
                                .n_threads = vt_threads_resolve(options->threads)};
    struct vt_err err = run(&training, matrix);
    if (!vt_failed(err))
        vt_kernel_rows_finish(&training.rows, ret_kernel);
    training_fini(&training);
    return err;
}

uint64_t vt_graph_memory_bytes(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                               const struct vt_graph_options *options)
{
    uint64_t threads = vt_threads_resolve(options->threads);
    uint64_t kept = options->neighbors < n_items ? options->neighbors : n_items;
    uint64_t rows = vt_kernel_rows_bytes((uint32_t)n_items, (uint32_t)kept);
    uint64_t scratch = threads * (2 * n_items + n_users) * WIDTH * sizeof(float) +
                       threads * n_items * sizeof(float);
    uint64_t svd = vt_svd_memory_bytes(n_users, n_items, options->vectors);
    uint64_t graph = 2 * n_entries * (sizeof(uint32_t) + sizeof(float)) +
                     (n_users + 4 * n_items) * sizeof(double);
    return graph + (svd > rows + scratch ? svd : rows + scratch) +
           n_items * options->vectors * sizeof(float);
}

double vt_graph_gflop(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                      const struct vt_graph_options *options)
{
    const struct vt_svd_options svd = svd_options(options);
    double products = 4.0 * (1 + options->sharpenings) * (double)n_entries;
    double low_pass = 2.0 * options->vectors * (double)n_items;
    double rows = (double)n_items * (products + low_pass) / 1e9;
    return rows + (options->vectors > 0 ? vt_svd_gflop(n_users, n_items, n_entries, &svd) : 0);
}
