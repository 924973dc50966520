/*
 * Fetching costs a rank 4 bytes for each wanted row and stride floats for its answer, in pairs of
 * ranks one after the other, so that beside the block there is never more than one rank's part of
 * another in memory. Sharding both sides and gathering the rows that a batch names is how ALX does
 * it (Mehta, Rendle, Krichene, Zhang, "ALX: Large Scale Matrix Factorization on TPUs", 2021).
 */
#include "models/factor/exchange.h"

#include <stdlib.h>
#include <string.h>

#define OUT_OF_MEMORY VT_ERR(VT_EXHAUSTED, "out of memory for the exchange of factors")

/* ---- the plan ---- */

/* While it is made: seen[row] is WANTED in the run at hand, then its place in the block; else 0. */
enum { WANTED = 1 };
struct planner {
    struct vt_sparse *matrix;
    struct vt__exchange *exchange;
    uint32_t *seen, rows_max;
    uint64_t n_wanted;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Puts down what rows [row, end) add to the wanted rows of this run. */
static void add_wanted(struct planner *planner, uint32_t row, uint32_t end)
{
    const struct vt_sparse *matrix = planner->matrix;
    for (uint64_t e = matrix->starts[row]; e < matrix->starts[end]; e++) {
        uint32_t column = matrix->columns[e];
        if (planner->seen[column] == WANTED)
            continue;
        planner->seen[column] = WANTED;
        planner->exchange->wanted[planner->n_wanted++] = column;
    }
}

static uint32_t block_end(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->n_rows - row < VT__BLOCK_ROWS ? matrix->n_rows : row + VT__BLOCK_ROWS;
}

/* The end of the run that begins at `row`. A block of rows that does not fit is taken back. */
static uint32_t find_run(struct planner *planner, uint32_t row)
{
    const uint64_t begin = planner->n_wanted;
    uint32_t end = row;
    while (end < planner->matrix->n_rows) {
        const uint64_t before = planner->n_wanted;
        const uint32_t next = block_end(planner->matrix, end);
        add_wanted(planner, end, next);
        if (before > begin && planner->n_wanted - begin > planner->rows_max) {
            for (uint64_t i = before; i < planner->n_wanted; i++)
                planner->seen[planner->exchange->wanted[i]] = 0;
            planner->n_wanted = before;
            break;
        }
        end = next;
    }
    return end;
}

/* Sorts what a run wants, so that the order of columns in a row stays, and renames its columns. */
static void rename_columns(struct planner *planner, uint32_t row, uint32_t end, uint64_t begin)
{
    const struct vt_sparse *matrix = planner->matrix;
    uint32_t *wanted = planner->exchange->wanted + begin;
    const uint32_t n = (uint32_t)(planner->n_wanted - begin);
    qsort(wanted, n, sizeof *wanted, compare_u32);
    for (uint32_t i = 0; i < n; i++)
        planner->seen[wanted[i]] = i;
    for (uint64_t e = matrix->starts[row]; e < matrix->starts[end]; e++)
        matrix->columns[e] = planner->seen[matrix->columns[e]];
    for (uint32_t i = 0; i < n; i++)
        planner->seen[wanted[i]] = 0;
}

static void make_runs(struct planner *planner)
{
    struct vt__exchange *exchange = planner->exchange;
    for (uint32_t row = 0; row < planner->matrix->n_rows;) {
        const uint64_t begin = planner->n_wanted;
        const uint32_t end = find_run(planner, row), size = (uint32_t)(planner->n_wanted - begin);
        rename_columns(planner, row, end, begin);
        exchange->n_runs++;
        exchange->run_rows[exchange->n_runs] = row = end;
        exchange->run_wanted[exchange->n_runs] = planner->n_wanted;
        if (size > exchange->block_rows)
            exchange->block_rows = size;
    }
}

/* The most runs, and the largest block, of any rank: all must know. */
static struct vt_err agree(const struct vt_group *group, struct vt__exchange *exchange)
{
    uint32_t sizes[2 * VT_GROUP_RANKS_MAX];
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    for (uint32_t rank = 0; rank <= group->n_ranks; rank++)
        bounds[rank] = rank * 2 * sizeof *sizes;
    sizes[(size_t)2 * group->rank] = exchange->n_runs;
    sizes[(size_t)2 * group->rank + 1] = exchange->block_rows;
    VT_TRY(vt_group_all_gather(group, bounds, sizes));
    for (uint32_t rank = 0; rank < group->n_ranks; rank++) {
        if (sizes[(size_t)2 * rank] > exchange->n_rounds)
            exchange->n_rounds = sizes[(size_t)2 * rank];
        if (sizes[(size_t)2 * rank + 1] > exchange->block_rows)
            exchange->block_rows = sizes[(size_t)2 * rank + 1];
    }
    return vt_ok();
}

static struct vt_err plan(const struct vt_group *group, struct planner *planner, uint32_t stride)
{
    struct vt__exchange *exchange = planner->exchange;
    const struct vt_sparse *matrix = planner->matrix;
    const size_t runs_max = vt__half_step_blocks(matrix->n_rows) + (size_t)1;
    exchange->run_rows = calloc(runs_max, sizeof *exchange->run_rows);
    exchange->run_wanted = calloc(runs_max, sizeof *exchange->run_wanted);
    exchange->wanted = calloc(matrix->n_entries + 1, sizeof *exchange->wanted);
    if (exchange->run_rows == NULL || exchange->run_wanted == NULL || exchange->wanted == NULL)
        return OUT_OF_MEMORY;
    make_runs(planner);
    uint32_t *fitted =
        realloc(exchange->wanted, (planner->n_wanted + 1) * sizeof *exchange->wanted);
    exchange->wanted = fitted != NULL ? fitted : exchange->wanted;
    VT_TRY(agree(group, exchange));
    const size_t rows = exchange->block_rows + (size_t)1, bytes = rows * stride * sizeof(float);
    exchange->block = aligned_alloc(VT__FACTOR_ALIGNMENT, bytes);
    exchange->sent = aligned_alloc(VT__FACTOR_ALIGNMENT, bytes);
    exchange->asked = malloc(rows * sizeof *exchange->asked);
    return exchange->block != NULL && exchange->sent != NULL && exchange->asked != NULL
               ? vt_ok()
               : OUT_OF_MEMORY;
}

struct vt_err vt__exchange_plan(const struct vt_group *group, struct vt_sparse *matrix,
                                uint32_t rows_max, uint32_t stride,
                                struct vt__exchange *ret_exchange)
{
    struct vt__exchange exchange = {0};
    struct planner planner = {.matrix = matrix,
                              .exchange = &exchange,
                              .rows_max = rows_max,
                              .seen = calloc(matrix->n_cols + (size_t)1, sizeof(uint32_t))};
    struct vt_err err = planner.seen != NULL ? plan(group, &planner, stride) : OUT_OF_MEMORY;
    free(planner.seen);
    if (vt_failed(err))
        vt__exchange_fini(&exchange);
    else
        *ret_exchange = exchange;
    return err;
}

void vt__exchange_fini(struct vt__exchange *exchange)
{
    free(exchange->run_rows);
    free(exchange->run_wanted);
    free(exchange->wanted);
    free(exchange->block);
    free(exchange->sent);
    free(exchange->asked);
    *exchange = (struct vt__exchange){0};
}

/* ---- a round ---- */

/* What a run wants, by owner: rank r owns wanted[at[r]] … wanted[at[r + 1]]. */
struct round {
    const struct vt_group *group;
    struct vt__exchange *exchange;
    const struct vt__factors *fixed;
    const struct vt__share *share;
    const uint32_t *wanted;
    uint32_t at[VT_GROUP_RANKS_MAX + 1];
};

static void find_owners(struct round *round, uint32_t n)
{
    uint32_t at = 0;
    for (uint32_t rank = 0; rank < round->group->n_ranks; rank++) {
        round->at[rank] = at;
        while (at < n && round->wanted[at] < round->share->first[rank + 1])
            at++;
    }
    round->at[round->group->n_ranks] = n;
}

static void copy_rows(const struct round *round, const uint32_t *rows, uint32_t n, float *ret)
{
    const size_t stride = round->fixed->stride;
    const uint32_t first = vt__share_first(round->share);
    for (uint32_t i = 0; i < n; i++)
        memcpy(ret + i * stride, vt__factors_row(round->fixed, rows[i] - first),
               stride * sizeof *ret);
}

/* Asks `owner` for rows, and answers `asker`. */
static struct vt_err trade(const struct round *round, uint32_t owner, uint32_t asker)
{
    const struct vt_group *group = round->group;
    struct vt__exchange *exchange = round->exchange;
    const size_t row_bytes = round->fixed->stride * sizeof(float);
    const uint32_t n = round->at[owner + 1] - round->at[owner];
    uint32_t n_asked;
    VT_TRY(group->swap(group->self, owner, &n, sizeof n, asker, &n_asked, sizeof n_asked));
    VT_CHECK(n_asked <= exchange->block_rows, VT_INTERNAL, "ranks disagree about their blocks");
    VT_TRY(group->swap(group->self, owner, round->wanted + round->at[owner], n * sizeof n, asker,
                       exchange->asked, n_asked * sizeof n));
    copy_rows(round, exchange->asked, n_asked, exchange->sent);
    return group->swap(group->self, asker, exchange->sent, n_asked * row_bytes, owner,
                       exchange->block + (size_t)round->at[owner] * round->fixed->stride,
                       n * row_bytes);
}

struct vt_err vt__exchange_fetch(const struct vt_group *group, struct vt__exchange *exchange,
                                 uint32_t round_index, const struct vt__factors *fixed,
                                 const struct vt__share *share)
{
    struct round round = {.group = group,
                          .exchange = exchange,
                          .fixed = fixed,
                          .share = share,
                          .wanted = exchange->wanted};
    uint32_t own = group->rank, n_ranks = group->n_ranks;
    if (round_index < exchange->n_runs) {
        const uint64_t begin = exchange->run_wanted[round_index];
        round.wanted += begin;
        find_owners(&round, (uint32_t)(exchange->run_wanted[round_index + 1] - begin));
    }
    copy_rows(&round, round.wanted + round.at[own], round.at[own + 1] - round.at[own],
              exchange->block + (size_t)round.at[own] * fixed->stride);
    for (uint32_t shift = 1; shift < n_ranks; shift++)
        VT_TRY(trade(&round, (own + shift) % n_ranks, (own + n_ranks - shift) % n_ranks));
    return vt_ok();
}
