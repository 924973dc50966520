/*
 * K is never whole in memory. Its rows are made sixteen at a time: P of sixteen unit vectors by
 * walking the few users of these items; then, for the sharpening, P applied to the whole block by
 * two sparse products whose inner loop runs over the sixteen, so that every entry of R̃ that is read
 * serves all of them from one or two vector registers. Threads take blocks of rows; a row depends
 * on the matrix alone.
 *
 * Row i of (P + βL)(I − tP)^s is gᵀ(I − tP)^s with g = P e_i + β Lᵀe_i, since P is symmetric. The
 * first part takes s steps g ← g − t P g. The second is d_i^-b V_i times the transpose of M =
 * (I − tP)^s βD^b V, which is made once: the low pass is one dense product, sharpened or not.
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
    float *left;         /* n_items: d^(−item_exponent) */
    float *passed;       /* n_items × svd.stride: M */
    float *column_scale; /* n_items: by popularity */
    struct vt_kernel_rows rows;
    struct scratch *scratch;
    uint32_t n_threads, first_block; /* of the step */
};

/* One thread's. */
struct scratch {
    float *items, *product; /* n_items × WIDTH; `product` also as WIDTH × n_items */
    float *users;           /* n_users × WIDTH; NULL where nothing is sharpened */
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
        training->left[item] = (float)pow(degree, -options->item_exponent);
        training->column_scale[item] =
            (float)pow(degree * n_wanted / sum, -options->popularity_exponent);
    }
}

/* ---- the low pass ---- */

struct product {
    const struct vt_sparse *matrix;
    const float *from;
    float *to;
    uint32_t width;
};

static void multiply_rows(void *ctx, uint32_t block, uint32_t thread)
{
    const struct product *product = ctx;
    const struct vt_sparse *matrix = product->matrix;
    const uint32_t first = block * WIDTH, left = matrix->n_rows - first;
    (void)thread;
    for (uint32_t r = first; r < first + (left < WIDTH ? left : WIDTH); r++) {
        float *restrict to = product->to + (size_t)r * product->width;
        memset(to, 0, product->width * sizeof *to);
        for (uint64_t e = matrix->starts[r]; e < matrix->starts[r + 1]; e++) {
            const float *restrict from =
                product->from + (size_t)matrix->columns[e] * product->width;
            for (uint32_t i = 0; i < product->width; i++)
                to[i] += matrix->values[e] * from[i];
        }
    }
}

static void multiply_wide(const struct training *training, const struct vt_sparse *matrix,
                          const float *from, float *to)
{
    struct product product = {matrix, from, to, training->svd.stride};
    vt_parallel((matrix->n_rows + WIDTH - 1) / WIDTH, training->n_threads, multiply_rows, &product);
}

/* M: βD^b V, then s steps M ← M − t P M. */
static struct vt_err pass_vectors(struct training *training)
{
    const struct vt_graph_options *options = training->options;
    const struct vt_svd *svd = &training->svd;
    const size_t n = (size_t)training->by_user.n_cols * svd->stride;
    const float by = (float)options->sharpening;
    float *users = calloc((size_t)training->by_user.n_rows * svd->stride + 1, sizeof *users);
    float *product = calloc(n + 1, sizeof *product);
    training->passed = calloc(n + 1, sizeof *training->passed);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for a graph filter");
    if (users == NULL || product == NULL || training->passed == NULL)
        goto done;
    for (uint32_t i = 0; i < training->by_user.n_cols; i++)
        for (uint32_t k = 0; k < svd->rank; k++)
            training->passed[(size_t)i * svd->stride + k] =
                (float)(options->low_pass * pow(training->degrees[i], options->item_exponent)) *
                svd->vectors[(size_t)i * svd->stride + k];
    for (uint32_t step = 0; step < options->sharpenings; step++) {
        multiply_wide(training, &training->by_user, training->passed, users);
        multiply_wide(training, &training->by_item, users, product);
        for (size_t i = 0; i < n; i++)
            training->passed[i] -= by * product[i];
    }
    err = vt_ok();
done:
    free(users);
    free(product);
    return err;
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

/* P e_i for the n rows i from `first`, as columns of `to`. */
static void start_rows(const struct training *training, uint32_t first, uint32_t n, float *to)
{
    const struct vt_sparse *by_item = &training->by_item, *by_user = &training->by_user;
    memset(to, 0, (size_t)by_user->n_cols * WIDTH * sizeof *to);
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t e = by_item->starts[first + i]; e < by_item->starts[first + i + 1]; e++) {
            const uint32_t user = by_item->columns[e];
            for (uint64_t o = by_user->starts[user]; o < by_user->starts[user + 1]; o++)
                to[(size_t)by_user->columns[o] * WIDTH + i] +=
                    by_item->values[e] * by_user->values[o];
        }
}

static void sharpen(const struct training *training, const struct scratch *scratch)
{
    const size_t n = (size_t)training->by_user.n_cols * WIDTH;
    const float by = (float)training->options->sharpening;
    for (uint32_t step = 0; step < training->options->sharpenings; step++) {
        multiply(&training->by_user, scratch->items, scratch->users);
        multiply(&training->by_item, scratch->users, scratch->product);
        for (size_t i = 0; i < n; i++)
            scratch->items[i] -= by * scratch->product[i];
    }
}

/* The low pass of the rows from `first` in scratch->product, WIDTH × n_items. */
static void pass_rows(const struct training *training, uint32_t first, uint32_t n,
                      const struct scratch *scratch)
{
    const struct vt_svd *svd = &training->svd;
    const uint32_t n_items = training->by_user.n_cols;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < svd->rank; k++)
            scratch->vectors[i * svd->stride + k] =
                training->left[first + i] * svd->vectors[(size_t)(first + i) * svd->stride + k];
    if (svd->rank > 0)
        vt_kernels()->matmul_nt_f32(scratch->vectors, n, svd->stride, training->passed, n_items,
                                    svd->stride, svd->stride, scratch->product, n_items);
    else
        memset(scratch->product, 0, (size_t)n * n_items * sizeof *scratch->product);
}

static void keep_rows(struct training *training, const struct scratch *scratch, uint32_t first,
                      uint32_t n)
{
    const uint32_t n_items = training->by_user.n_cols;
    for (uint32_t i = 0; i < n; i++) {
        const float *passed = scratch->product + (size_t)i * n_items;
        for (uint32_t j = 0; j < n_items; j++)
            scratch->row[j] =
                training->column_scale[j] * (scratch->items[(size_t)j * WIDTH + i] + passed[j]);
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
    start_rows(training, first, n, scratch->items);
    sharpen(training, scratch);
    pass_rows(training, first, n, scratch);
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
    const bool sharpens = training->options->sharpenings > 0;
    if (sharpens)
        scratch->users = calloc((size_t)training->by_user.n_rows * WIDTH, sizeof *scratch->users);
    scratch->row = calloc(training->by_user.n_cols, sizeof *scratch->row);
    scratch->vectors = calloc((size_t)WIDTH * training->svd.stride + 1, sizeof *scratch->vectors);
    scratch->hits = calloc(training->rows.per_row, sizeof *scratch->hits);
    return scratch->items != NULL && scratch->product != NULL &&
           (!sharpens || scratch->users != NULL) && scratch->row != NULL &&
           scratch->vectors != NULL && scratch->hits != NULL;
}

static struct vt_err allocate(struct training *training)
{
    const uint32_t n_items = training->by_user.n_cols;
    const uint32_t neighbors = training->options->neighbors;
    VT_TRY(
        vt_kernel_rows_init(n_items, neighbors < n_items ? neighbors : n_items, &training->rows));
    training->left = calloc(n_items, sizeof *training->left);
    training->column_scale = calloc(n_items, sizeof *training->column_scale);
    training->scratch = calloc(training->n_threads, sizeof *training->scratch);
    bool whole =
        training->left != NULL && training->column_scale != NULL && training->scratch != NULL;
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
    free(training->passed);
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
    if (training->svd.rank > 0)
        VT_TRY(pass_vectors(training));
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
    const uint64_t threads = vt_threads_resolve(options->threads);
    const uint64_t kept = options->neighbors < n_items ? options->neighbors : n_items;
    const uint64_t rows = vt_kernel_rows_bytes((uint32_t)n_items, (uint32_t)kept);
    const uint64_t sharpened_users = options->sharpenings > 0 ? n_users : 0;
    const uint64_t scratch = threads * (2 * n_items + sharpened_users) * WIDTH * sizeof(float) +
                             threads * n_items * sizeof(float);
    const uint64_t wide = (uint64_t)(options->vectors + WIDTH) * sizeof(float);
    const uint64_t svd = vt_svd_memory_bytes(n_users, n_items, options->vectors);
    const uint64_t passing = (2 * n_items + n_users) * wide; /* M, and what it is made by */
    const uint64_t graph = 2 * n_entries * (sizeof(uint32_t) + sizeof(float)) +
                           (n_users + 4 * n_items) * sizeof(double);
    const uint64_t later = rows + scratch + passing;
    return graph + (svd > later ? svd : later) + n_items * wide;
}

/* P of a unit vector is little, so it is counted by the mean length of histories and not by all. */
double vt_graph_gflop(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                      const struct vt_graph_options *options)
{
    const struct vt_svd_options svd = svd_options(options);
    const double pairs = 4.0 * (double)n_entries * (double)n_entries / (double)n_users;
    const double sharpened = 4.0 * options->sharpenings * (double)n_entries;
    const double low_pass = 2.0 * options->vectors * (double)n_items;
    const double rows = (pairs + (double)n_items * (sharpened + low_pass)) / 1e9;
    return rows + (options->vectors > 0 ? vt_svd_gflop(n_users, n_items, n_entries, &svd) : 0);
}
