/*
 * vitrine-bench retrieval: the exact index alone, one query at a time. The answers can be written
 * out, so that another program can check them; recall is against scoring every row by the defined
 * score, on the first queries.
 */
#include "models/bundle/npy.h"
#include "models/bundle/npy_read.h"
#include "models/index/index.h"
#include "models/kernels/parallel.h"
#include "services/common/base/file.h"
#include "services/node/command.h"
#include "tests/perf/bench.h"
#include "tests/perf/samples.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_QUERIES = 20, K_MAX = 10000, THREADS_MAX = 64 };

struct retrieval_options {
    const char *items_path, *queries_path, *out_path, *variant;
    uint32_t k, threads, repeat, check;
    double filter;
    bool json;
};

#define ROW(name_, kind_, field_, argument_, help_)                                                \
    .name = (name_), .kind = (kind_), .offset = offsetof(struct retrieval_options, field_),        \
    .argument = (argument_), .help = (help_)
/* clang-format off */
static const struct vt_option option_table[] = {
    {ROW("items", VT_OPTION_TEXT, items_path, "X.npy", "item factors, a row each"), .required = true},
    {ROW("queries", VT_OPTION_TEXT, queries_path, "Q.npy", "query vectors, a row each"),
     .required = true},
    {ROW("k", VT_OPTION_U32, k, "N", "how many of the best"), .fallback = "100", .min = 1,
     .max = K_MAX},
    {ROW("threads", VT_OPTION_U32, threads, "N", "threads, each with queries of its own"),
     .fallback = "1", .min = 1, .max = THREADS_MAX},
    {ROW("repeat", VT_OPTION_U32, repeat, "N", "how often to ask all queries"), .fallback = "1",
     .min = 1, .max = 1000},
    {ROW("check", VT_OPTION_U32, check, "N", "queries whose answers are held against every row's"),
     .fallback = "50", .min = 0, .max = UINT32_MAX},
    {ROW("variant", VT_OPTION_CHOICE, variant, "NAME", "the kernels"), .fallback = "auto",
     .choices = "auto|ref|avx2|avx512"},
    {ROW("filter", VT_OPTION_F64, filter, "SHARE", "keep this share of the items, by chance"),
     .fallback = "1", .min = 0, .max = 1},
    {ROW("out", VT_OPTION_TEXT, out_path, "ids.npy", "write the answers: k item rows a query")},
    {ROW("json", VT_OPTION_BOOL, json, NULL, "print JSON, which is all it prints")},
};
/* clang-format on */
static const struct vt_options_spec options_spec = {
    .command = "vitrine-bench retrieval",
    .summary = "times the exact search for the best items, one query at a time",
    .example = "vitrine-bench retrieval --items X.npy --queries Q.npy --k 100 --json",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

/* ---- input ---- */

struct matrix {
    float *values;
    uint32_t n, dim;
};

static struct vt_err copy_matrix(const struct vt_npy *npy, struct vt_diag *diag,
                                 struct matrix *ret_matrix)
{
    if (npy->rows == 0 || npy->cols == 0 || npy->rows > UINT32_MAX ||
        npy->cols > VT_INDEX_DIM_MAX) {
        vt_diag_set(diag, "npy", "%llu rows of %llu, wants 1 to 1024 a row",
                    (unsigned long long)npy->rows, (unsigned long long)npy->cols);
        return VT_ERR(VT_INVALID, "not a matrix of vectors");
    }
    struct matrix matrix = {.n = (uint32_t)npy->rows, .dim = (uint32_t)npy->cols};
    matrix.values = malloc((size_t)matrix.n * matrix.dim * sizeof *matrix.values);
    VT_CHECK(matrix.values != NULL, VT_EXHAUSTED, "no memory for the vectors");
    for (uint32_t r = 0; r < matrix.n; r++)
        for (uint32_t d = 0; d < matrix.dim; d++)
            matrix.values[(size_t)r * matrix.dim + d] = (float)vt_npy_at(npy, r, d);
    *ret_matrix = matrix;
    return vt_ok();
}

static struct vt_err read_matrix(const char *path, struct vt_diag *diag, struct matrix *ret_matrix)
{
    struct vt_slice file = {0};
    struct vt_npy npy;
    VT_TRY(vt_file_map(path, diag, &file));
    struct vt_err err = vt_npy_decode(file, diag, &npy);
    if (!vt_failed(err))
        err = copy_matrix(&npy, diag, ret_matrix);
    vt_file_unmap(file);
    return err;
}

/* ---- the run ---- */

struct retrieval {
    const struct retrieval_options *options;
    struct matrix items, queries;
    struct vt_index *index;
    uint64_t *excluded; /* NULL: no filter */
    const struct vt_kernels *kernels;
    uint32_t *answers; /* queries × k; UINT32_MAX beyond the end */
    double build_s, elapsed_s;
};

/* One thread's queries: every n-th. */
struct share {
    struct retrieval *retrieval;
    uint32_t first;
    uint64_t n_scanned, n_scored;
    struct samples *times;
    struct vt_err err;
};

static struct vt_err ask(struct retrieval *retrieval, uint32_t query, struct vt_index_hit *hits,
                         uint32_t *ret_n, struct vt_index_work *work)
{
    const struct vt_index_query asked = {
        .vector = retrieval->queries.values + (size_t)query * retrieval->queries.dim,
        .n = retrieval->options->k,
        .measure = VT_INDEX_DOT,
        .excluded = retrieval->excluded,
        .kernels = retrieval->kernels,
        .ret_work = work,
    };
    return vt_index_search(retrieval->index, &asked, hits, ret_n);
}

static void answer_one(struct share *share, uint32_t query, struct vt_index_hit *hits, bool counted)
{
    struct retrieval *retrieval = share->retrieval;
    struct vt_index_work work = {0};
    uint32_t k = retrieval->options->k, n = 0;
    int64_t began_ns = bench_now_ns();
    share->err = ask(retrieval, query, hits, &n, &work);
    if (!counted || vt_failed(share->err))
        return;
    samples_add(share->times, (double)(bench_now_ns() - began_ns) / 1e3);
    share->n_scanned += work.n_scanned;
    share->n_scored += work.n_scored;
    for (uint32_t i = 0; i < k; i++)
        retrieval->answers[(size_t)query * k + i] = i < n ? hits[i].row : UINT32_MAX;
}

static void *answer_share(void *ctx)
{
    struct share *share = ctx;
    const struct retrieval_options *options = share->retrieval->options;
    struct vt_index_hit *hits = calloc(options->k, sizeof *hits);
    if (hits == NULL) {
        share->err = VT_ERR(VT_EXHAUSTED, "no memory for the answers");
        return NULL;
    }
    uint32_t n = share->retrieval->queries.n;
    for (uint32_t q = share->first; q < n && q < WARM_QUERIES; q += options->threads)
        answer_one(share, q, hits, false);
    for (uint32_t round = 0; round < options->repeat; round++)
        for (uint32_t q = share->first; q < n && !vt_failed(share->err); q += options->threads)
            answer_one(share, q, hits, true);
    free(hits);
    return NULL;
}

static struct vt_err answer_all(struct retrieval *retrieval, struct share *shares)
{
    pthread_t threads[THREADS_MAX];
    uint32_t n = retrieval->options->threads, n_started = 0;
    int64_t began_ns = bench_now_ns();
    while (n_started + 1 < n &&
           pthread_create(&threads[n_started], NULL, answer_share, &shares[n_started + 1]) == 0)
        n_started++;
    (void)answer_share(&shares[0]);
    for (uint32_t t = 0; t < n_started; t++)
        pthread_join(threads[t], NULL);
    retrieval->elapsed_s = (double)(bench_now_ns() - began_ns) / 1e9;
    VT_CHECK(n_started + 1 == n, VT_EXHAUSTED, "cannot start the threads");
    for (uint32_t t = 0; t < n; t++)
        VT_TRY(shares[t].err);
    return vt_ok();
}

/* ---- recall ---- */

static int by_score(const void *left, const void *right)
{
    const struct vt_index_hit *a = left, *b = right;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static uint32_t score_all(const struct retrieval *retrieval, uint32_t query,
                          struct vt_index_hit *all)
{
    const float *vector = retrieval->queries.values + (size_t)query * retrieval->queries.dim;
    uint32_t n = 0;
    for (uint32_t row = 0; row < retrieval->items.n; row++) {
        bool out =
            retrieval->excluded != NULL && (retrieval->excluded[row / 64] >> (row % 64) & 1) != 0;
        if (!out)
            all[n++] = (struct vt_index_hit){
                vt_index_score(retrieval->index, VT_INDEX_DOT, row, vector), row};
    }
    qsort(all, n, sizeof *all, by_score);
    return n < retrieval->options->k ? n : retrieval->options->k;
}

/* The share of the true lists' places that the answers have, place by place. */
static struct vt_err check_recall(const struct retrieval *retrieval, double *ret_recall)
{
    struct vt_index_hit *all = malloc(retrieval->items.n * sizeof *all);
    VT_CHECK(all != NULL, VT_EXHAUSTED, "no memory to check the answers");
    uint64_t n_right = 0, n_all = 0;
    for (uint32_t q = 0; q < retrieval->queries.n && q < retrieval->options->check; q++) {
        uint32_t n = score_all(retrieval, q, all);
        const uint32_t *answer = retrieval->answers + (size_t)q * retrieval->options->k;
        for (uint32_t i = 0; i < n; i++)
            n_right += answer[i] == all[i].row;
        n_all += n;
    }
    free(all);
    *ret_recall = n_all > 0 ? (double)n_right / (double)n_all : 1;
    return vt_ok();
}

/* ---- output ---- */

static struct vt_err write_answers(const struct retrieval *retrieval, struct vt_diag *diag)
{
    if (retrieval->options->out_path == NULL)
        return vt_ok();
    const struct vt_array array = {.type = VT_ARRAY_U32,
                                   .n_dims = 2,
                                   .values = retrieval->answers,
                                   .rows = retrieval->queries.n,
                                   .cols = retrieval->options->k};
    return vt_npy_write(retrieval->options->out_path, &array, retrieval->options->k, diag);
}

static void merge(struct share *shares, uint32_t n)
{
    for (uint32_t t = 1; t < n; t++) {
        for (uint32_t i = 0; i < shares[t].times->n; i++)
            samples_add(shares[0].times, shares[t].times->values[i]);
        shares[0].n_scanned += shares[t].n_scanned;
        shares[0].n_scored += shares[t].n_scored;
    }
}

static double mean_of(const struct samples *samples)
{
    double sum = 0;
    for (uint32_t i = 0; i < samples->n; i++)
        sum += samples->values[i];
    return samples->n > 0 ? sum / samples->n : 0;
}

static struct vt_err tell(const struct retrieval *retrieval, const struct share *sum, double recall)
{
    const struct retrieval_options *options = retrieval->options;
    double n_asked = (double)retrieval->queries.n * options->repeat, items = retrieval->items.n;
    double mean_us = mean_of(sum->times);
    return vt_command_print_json(
        json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:I}", "items",
                  (json_int_t)retrieval->items.n, "dim", (json_int_t)retrieval->items.dim, "k",
                  (json_int_t)options->k, "qps", options->threads * 1e6 / mean_us, "recall", recall,
                  "mean_us", mean_us, "p50_us", samples_quantile(sum->times, 0.5), "p99_us",
                  samples_quantile(sum->times, 0.99), "scanned_fraction",
                  (double)sum->n_scanned / n_asked / items, "scored_fraction",
                  (double)sum->n_scored / n_asked / items, "build_s", retrieval->build_s,
                  "bytes_per_item", (double)vt_index_bytes(retrieval->index) / items, "variant",
                  retrieval->kernels->name, "threads", (json_int_t)options->threads));
}

/* ---- all of it ---- */

static struct vt_err choose_kernels(struct retrieval *retrieval, struct vt_diag *diag)
{
    static const char *const names[][2] = {
        {"ref", "ref"}, {"avx2", "blas-avx2"}, {"avx512", "blas-avx512"}};
    retrieval->kernels = vt_kernels();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(retrieval->options->variant, names[i][0]) == 0)
            retrieval->kernels = vt_kernels_find(names[i][1]);
    if (retrieval->kernels == NULL)
        vt_diag_set(diag, "variant", "this CPU does not have %s", retrieval->options->variant);
    VT_CHECK(retrieval->kernels != NULL, VT_PRECONDITION, "the variant cannot run here");
    return vt_ok();
}

static struct vt_err make_filter(struct retrieval *retrieval)
{
    uint64_t state = 1;
    if (retrieval->options->filter >= 1)
        return vt_ok();
    retrieval->excluded = calloc(((size_t)retrieval->items.n + 63) / 64, sizeof(uint64_t));
    VT_CHECK(retrieval->excluded != NULL, VT_EXHAUSTED, "no memory for the filter");
    for (uint32_t row = 0; row < retrieval->items.n; row++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if ((double)(state >> 11) * 0x1p-53 >= retrieval->options->filter)
            retrieval->excluded[row / 64] |= UINT64_C(1) << (row % 64);
    }
    return vt_ok();
}

static struct vt_err prepare(struct retrieval *retrieval, struct vt_diag *diag)
{
    VT_TRY(choose_kernels(retrieval, diag));
    VT_TRY(read_matrix(retrieval->options->items_path, diag, &retrieval->items));
    VT_TRY(read_matrix(retrieval->options->queries_path, diag, &retrieval->queries));
    if (retrieval->items.dim != retrieval->queries.dim)
        vt_diag_set(diag, "queries", "vectors of %u, the items have %u", retrieval->queries.dim,
                    retrieval->items.dim);
    VT_CHECK(retrieval->items.dim == retrieval->queries.dim, VT_INVALID,
             "items and queries differ in their dimensions");
    VT_TRY(make_filter(retrieval));
    retrieval->answers =
        calloc((size_t)retrieval->queries.n * retrieval->options->k, sizeof *retrieval->answers);
    VT_CHECK(retrieval->answers != NULL, VT_EXHAUSTED, "no memory for the answers");
    const struct vt_index_rows rows = {.factors = retrieval->items.values,
                                       .n_rows = retrieval->items.n,
                                       .dim = retrieval->items.dim,
                                       .row_stride = retrieval->items.dim};
    int64_t began_ns = bench_now_ns();
    VT_TRY(vt_index_new(&rows, &retrieval->index));
    retrieval->build_s = (double)(bench_now_ns() - began_ns) / 1e9;
    return vt_ok();
}

static struct vt_err measure(struct retrieval *retrieval, struct vt_diag *diag)
{
    struct share shares[THREADS_MAX] = {0};
    uint32_t n = retrieval->options->threads;
    struct vt_err err = prepare(retrieval, diag);
    for (uint32_t t = 0; t < n; t++) {
        shares[t] = (struct share){.retrieval = retrieval, .first = t};
        shares[t].times = calloc(1, sizeof *shares[t].times);
        if (shares[t].times == NULL && !vt_failed(err))
            err = VT_ERR(VT_EXHAUSTED, "no memory for the times");
    }
    double recall = 0;
    if (!vt_failed(err))
        err = answer_all(retrieval, shares);
    if (!vt_failed(err))
        err = check_recall(retrieval, &recall);
    if (!vt_failed(err))
        err = write_answers(retrieval, diag);
    if (!vt_failed(err)) {
        merge(shares, n);
        err = tell(retrieval, &shares[0], recall);
    }
    for (uint32_t t = 0; t < n; t++)
        free(shares[t].times);
    return err;
}

static int run_retrieval(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    struct vt_diag diag = {0};
    struct retrieval retrieval = {.options = target};
    struct vt_err err = measure(&retrieval, &diag);
    vt_index_free(retrieval.index);
    free(retrieval.items.values);
    free(retrieval.queries.values);
    free(retrieval.excluded);
    free(retrieval.answers);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int bench_retrieval(int argc, char **argv)
{
    struct retrieval_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_retrieval);
}
