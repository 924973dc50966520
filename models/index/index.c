/*
 * Flat exact search. A block of rows is scored in float by matrix-vector product, which is fast and
 * nearly right; a row whose float score plus the proven error bound cannot beat the worst of the
 * list is skipped, every other one gets the defined score and is put into a heap. Rows ascend by
 * item number and are visited in that order, so a row that only ties with a full list loses, and
 * "cannot beat" may include equality: a vector of zeros is not a worst case.
 *
 * The block (not the whole matrix) is the unit, so the scratch is 4 KiB of stack, the scores are
 * used while in the first cache, and the list's worst entry, by which rows are skipped, is already
 * good after the first block. Where nearly all rows of a block are filtered out, the few left are
 * scored directly.
 */
#include "models/index/index.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum {
    BLOCK_ROWS = 1024,
    DIRECT_ROWS = BLOCK_ROWS / 16, /* fewer than this left of a block: the product does not pay */
    WORD_ROWS = 64,
};

struct vt_index {
    struct vt_index_rows rows;
    float norms[]; /* n_rows, rounded up */
};

/* A search in progress: the query, its bound, and the list as a heap with the worst on top. */
struct search {
    const struct vt_index *index;
    const struct vt_index_query *query;
    const struct vt_kernels *kernels;
    double relative_bound; /* times the row's norm: error of the float score */
    double absolute_bound; /* underflow, independent of the norm */
    struct vt_top top;
};

static bool round_norm_up(const float *row, uint32_t dim, float *ret_norm)
{
    double sum = 0;
    for (uint32_t d = 0; d < dim; d++)
        sum += (double)row[d] * (double)row[d];
    if (!isfinite(sum)) /* squares of finite floats cannot overflow double */
        return false;
    double norm = sqrt(sum);
    float rounded = (float)norm;
    *ret_norm = (double)rounded < norm ? nextafterf(rounded, INFINITY) : rounded;
    return true;
}

struct vt_err vt_index_new(const struct vt_index_rows *rows, struct vt_index **ret_index)
{
    VT_CHECK(rows->dim > 0 && rows->dim <= VT_INDEX_DIM_MAX && rows->row_stride >= rows->dim,
             VT_INVALID, "an index wants 1 to 1024 dimensions and a stride not below");
    struct vt_index *index = malloc(sizeof *index + rows->n_rows * sizeof index->norms[0]);
    VT_CHECK(index != NULL, VT_EXHAUSTED, "no memory for the index");
    index->rows = *rows;
    for (uint32_t r = 0; r < rows->n_rows; r++) {
        const float *row = rows->factors + (size_t)r * rows->row_stride;
        if (!round_norm_up(row, rows->dim, &index->norms[r])) {
            free(index);
            return VT_ERR(VT_CORRUPT, "an item factor is not finite");
        }
    }
    *ret_index = index;
    return vt_ok();
}

void vt_index_free(struct vt_index *index)
{
    free(index);
}

float vt_index_norm(const struct vt_index *index, uint32_t row)
{
    return index->norms[row];
}

static double measure_row(const struct search *search, uint32_t row)
{
    const struct vt_index_rows *rows = &search->index->rows;
    double dot = search->kernels->dot(rows->factors + (size_t)row * rows->row_stride,
                                      search->query->vector, rows->dim);
    if (search->query->measure == VT_INDEX_DOT)
        return dot;
    float norm = search->index->norms[row];
    return norm > 0 ? dot / (double)norm : 0;
}

double vt_index_score(const struct vt_index *index, enum vt_index_measure measure, uint32_t row,
                      const float *vector)
{
    struct vt_index_query query = {.vector = vector, .measure = measure};
    struct search search = {.index = index, .query = &query, .kernels = vt_kernels()};
    return measure_row(&search, row);
}

static void offer(struct search *search, uint32_t row)
{
    const struct vt_index_query *query = search->query;
    struct vt_index_hit hit = {.score = measure_row(search, row), .row = row};
    if (!vt_top_would_enter(&search->top, hit))
        return;
    if (query->allowed == NULL || query->allowed(query->allowed_ctx, row))
        vt_top_offer(&search->top, hit);
}

/* ---- the scan ---- */

/* True when the row's defined measure cannot be above the worst of a full list. A float score that
 * overflowed compares false, so the row gets scored. */
static bool cannot_enter(const struct search *search, uint32_t row, float proposed)
{
    if (search->top.n < search->top.capacity)
        return false;
    double norm = (double)search->index->norms[row];
    double worst = search->top.hits[0].score;
    if (search->query->measure == VT_INDEX_COSINE)
        worst *= norm; /* the slack in relative_bound covers this rounding too */
    return isfinite(proposed) &&
           (double)proposed + search->relative_bound * norm + search->absolute_bound <= worst;
}

/* Rows of the word's 64 that the filter leaves, as bits. */
static uint64_t rows_left(const struct search *search, uint32_t word, uint32_t end)
{
    uint64_t left = search->query->excluded != NULL ? ~search->query->excluded[word] : ~UINT64_C(0);
    uint32_t first = word * WORD_ROWS;
    if (end - first < WORD_ROWS)
        left &= (UINT64_C(1) << (end - first)) - 1;
    return left;
}

static uint32_t count_left(const struct search *search, uint32_t begin, uint32_t end)
{
    if (search->query->excluded == NULL)
        return end - begin;
    uint32_t n = 0;
    for (uint32_t word = begin / WORD_ROWS; word * WORD_ROWS < end; word++)
        n += (uint32_t)__builtin_popcountll(rows_left(search, word, end));
    return n;
}

/* `proposed` NULL: no float scores were made. */
static void offer_block(struct search *search, uint32_t begin, uint32_t end, const float *proposed)
{
    for (uint32_t word = begin / WORD_ROWS; word * WORD_ROWS < end; word++)
        for (uint64_t left = rows_left(search, word, end); left != 0; left &= left - 1) {
            uint32_t row = word * WORD_ROWS + (uint32_t)__builtin_ctzll(left);
            if (proposed == NULL || !cannot_enter(search, row, proposed[row - begin]))
                offer(search, row);
        }
}

static void scan_block(struct search *search, uint32_t begin, uint32_t end)
{
    const struct vt_index_rows *rows = &search->index->rows;
    uint32_t n_left = count_left(search, begin, end);
    if (n_left < DIRECT_ROWS) {
        offer_block(search, begin, end, NULL);
        return;
    }
    float proposed[BLOCK_ROWS];
    search->kernels->matvec_f32(rows->factors + (size_t)begin * rows->row_stride, end - begin,
                                rows->row_stride, search->query->vector, rows->dim, proposed);
    offer_block(search, begin, end, proposed);
}

/* The bound of docs/numerics.md, "Exact retrieval". */
static void set_bounds(struct search *search, double vector_norm, uint32_t dim)
{
    double float_unit = (double)FLT_EPSILON / 2, double_unit = DBL_EPSILON / 2;
    double terms = (double)dim + 2;
    double gamma_float = terms * float_unit / (1 - terms * float_unit);
    double gamma_double = terms * double_unit / (1 - terms * double_unit);
    double slack = 1 + 0x1p-20;
    search->relative_bound = (gamma_float + gamma_double) * vector_norm * slack;
    search->absolute_bound = vector_norm > 0 ? (double)dim * 0x1p-148 : 0;
}

struct vt_err vt_index_search(const struct vt_index *index, const struct vt_index_query *query,
                              struct vt_index_hit *ret_hits, uint32_t *ret_n)
{
    const struct vt_index_rows *rows = &index->rows;
    double square = 0;
    for (uint32_t d = 0; d < rows->dim; d++)
        square += (double)query->vector[d] * (double)query->vector[d];
    VT_CHECK(isfinite(square), VT_INVALID, "the query vector is not finite");
    struct search search = {
        .index = index,
        .query = query,
        .kernels = query->kernels != NULL ? query->kernels : vt_kernels(),
        .top = {.hits = ret_hits, .capacity = query->n},
    };
    set_bounds(&search, sqrt(square), rows->dim);
    for (uint32_t begin = 0; begin < rows->n_rows && query->n > 0; begin += BLOCK_ROWS) {
        uint32_t left = rows->n_rows - begin;
        scan_block(&search, begin, begin + (left < BLOCK_ROWS ? left : BLOCK_ROWS));
    }
    vt_top_sort(&search.top);
    *ret_n = search.top.n;
    return vt_ok();
}
