/*
 * Rows of one direction. Catalogs have variants of a product, and factors of items that the same
 * customers take are nearly the same. Such rows stand together as a group, and one product of the
 * query with the group's middle says whether any of them can enter the list: by Cauchy-Schwarz,
 * x·y ≤ x·m + |x|·r for every row y within r of the middle m. That sum is itself a dot product, of
 * (x, |x|/√8 eight times) and (m, r/√8 eight times), so the middles are byte rows of dim + 8
 * numbers under the very bound that the rows have (docs/numerics.md). The eight shares keep the
 * numbers of one size, which bytes want.
 *
 * The rows, in descending order of their norms, are cut into bands of nearly one norm, those halved
 * by direction into cells. In a cell each row joins the nearest leader that is near enough, or
 * becomes one: a byte scan of the leaders, O(n · leaders) for a cell, on one thread. Whether
 * factors have groups is measured: a cell where few rows find a leader stays in the order of norms,
 * and is scanned row by row (docs/adr/0150).
 */
#include "models/index/index_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAIN_ROWS = 4096, /* of the largest norms: the search takes its first threshold from them */
    GROUPED_ROWS_MIN = 2 * PLAIN_ROWS, /* of an index; fewer are scanned in 10 µs or so */
    BAND_ROWS_MIN = 2048,
    CELL_ROWS_MAX = 8192, /* its leaders stay in the second cache */
    GROUP_ROWS_MAX = VT_SCAN_ROWS,
    GROUP_ROWS_MIN = 4,
    GROUP_ROWS_MEAN = 7, /* with less, the middles would take an eighth of the rows' memory */
    LEADERS_SHARE = 3,   /* a cell is given up when a third of the first rows are leaders */
    TRIED_ROWS = 2048,
    FAR_ROWS = 512, /* looked at for rows far from each other */
    NO_LEADER = -1,
};
#define BAND_NORMS 1.1F /* largest to least norm of a band */
#define JOIN_RADIUS 0.3 /* of a leader's norm: how far from it a row may be */
#define JOIN_SLACK 0.03 /* bytes' error of a product, of norm² */
#define NORM_MIN 1e-15F /* outside, sums of products could leave float's range */
#define NORM_MAX 1e15F

struct projected {
    double at;
    uint32_t row;
};

struct group {
    uint32_t first_place, n_rows; /* n_rows 0: none, fills a block up */
};

/* The leaders of a cell: rows as bytes, and who follows. */
struct leaders {
    struct vt__blocks blocks;
    uint32_t n;
    uint32_t n_followers[CELL_ROWS_MAX]; /* of each leader, itself among them */
    int32_t leader_of[CELL_ROWS_MAX];    /* of each row of the cell */
    uint32_t next_place[CELL_ROWS_MAX];  /* of each leader's followers */
    float thresholds[CELL_ROWS_MAX / VT_SCAN_ROWS];
    uint32_t masks[CELL_ROWS_MAX / VT_SCAN_ROWS];
};

struct grouping {
    struct vt_index *index;
    const struct vt_kernels *kernels;
    struct group *groups;
    uint32_t n_groups;
    struct projected *projected; /* of as many rows as there are */
    struct leaders *leaders;
    uint32_t *sorted; /* a cell's rows */
    float *vector;    /* dim + VT__GROUP_DIMS */
};

static const float *factors_of(const struct vt_index *index, uint32_t row)
{
    return index->rows.factors + (size_t)row * index->rows.row_stride;
}

static float norm_at(const struct vt_index *index, uint32_t place)
{
    return index->norms[index->blocks.rows[place]];
}

static double distance(const float *a, const float *b, uint32_t dim)
{
    double square = 0;
    for (uint32_t d = 0; d < dim; d++)
        square += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
    return sqrt(square);
}

/* ---- leaders ---- */

/* Bits of the leaders whose product with the row is such that it may be near enough. Their norms
 * are not below the row's, as they came before it. */
static void scan_leaders(struct grouping *grouping, const float *row, float norm)
{
    struct leaders *leaders = grouping->leaders;
    struct vt__asked asked = {0};
    uint32_t n_blocks = (leaders->n + VT_SCAN_ROWS - 1) / VT_SCAN_ROWS;
    vt__ask(&asked, row, grouping->index->rows.dim);
    double least = (double)norm * (double)norm * (1 - JOIN_RADIUS * JOIN_RADIUS / 2 - JOIN_SLACK);
    for (uint32_t b = 0; b < n_blocks; b++)
        leaders->thresholds[b] = (float)(least * asked.per_scale);
    const struct vt_scan scan = {.values = leaders->blocks.values,
                                 .scales = leaders->blocks.scales,
                                 .n_blocks = n_blocks,
                                 .n_steps = leaders->blocks.n_steps,
                                 .query = asked.bytes};
    grouping->kernels->scan(&scan, leaders->thresholds, leaders->masks, NULL);
}

static int32_t nearest_leader(const struct grouping *grouping, const float *row, float norm)
{
    const struct leaders *leaders = grouping->leaders;
    int32_t found = NO_LEADER;
    double nearest = JOIN_RADIUS * (double)norm;
    for (uint32_t place = 0; place < leaders->n; place += VT_SCAN_ROWS)
        for (uint32_t left = leaders->masks[place / VT_SCAN_ROWS]; left != 0; left &= left - 1) {
            uint32_t at = place + (uint32_t)__builtin_ctz(left);
            if (at >= leaders->n || leaders->n_followers[at] == GROUP_ROWS_MAX)
                continue;
            const float *leader = factors_of(grouping->index, leaders->blocks.rows[at]);
            double away = distance(row, leader, grouping->index->rows.dim);
            if (away <= nearest) {
                nearest = away;
                found = (int32_t)at;
            }
        }
    return found;
}

static int32_t become_leader(struct grouping *grouping, uint32_t row)
{
    struct leaders *leaders = grouping->leaders;
    leaders->blocks.rows[leaders->n] = row;
    vt__blocks_put(&leaders->blocks, leaders->n, factors_of(grouping->index, row),
                   grouping->index->rows.dim, grouping->index->norms[row]);
    leaders->n_followers[leaders->n] = 0;
    return (int32_t)leaders->n++;
}

/* Gives each row of the cell a leader; false when few rows follow one. */
static bool find_leaders(struct grouping *grouping, const uint32_t *rows, uint32_t n)
{
    struct leaders *leaders = grouping->leaders;
    leaders->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const float *row = factors_of(grouping->index, rows[i]);
        float norm = grouping->index->norms[rows[i]];
        scan_leaders(grouping, row, norm);
        int32_t leader = nearest_leader(grouping, row, norm);
        if (leader == NO_LEADER)
            leader = become_leader(grouping, rows[i]);
        leaders->leader_of[i] = leader;
        leaders->n_followers[leader]++;
        if (i >= TRIED_ROWS && leaders->n > i / LEADERS_SHARE)
            return false;
    }
    return true;
}

/* ---- groups of a cell ---- */

/* Puts the followers of each leader that has enough side by side, the other rows behind them in
 * their order; how many are in groups. */
static uint32_t stand_together(struct grouping *grouping, uint32_t first, uint32_t n)
{
    struct leaders *leaders = grouping->leaders;
    uint32_t *rows = grouping->index->blocks.rows + first, place = 0;
    for (uint32_t leader = 0; leader < leaders->n; leader++) {
        leaders->next_place[leader] = place;
        if (leaders->n_followers[leader] < GROUP_ROWS_MIN)
            continue;
        grouping->groups[grouping->n_groups++] =
            (struct group){first + place, leaders->n_followers[leader]};
        place += leaders->n_followers[leader];
    }
    uint32_t rest = place;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t leader = (uint32_t)leaders->leader_of[i];
        bool in_group = leaders->n_followers[leader] >= GROUP_ROWS_MIN;
        grouping->sorted[in_group ? leaders->next_place[leader]++ : rest++] = rows[i];
    }
    memcpy(rows, grouping->sorted, n * sizeof *rows);
    return place;
}

static bool is_worth_it(const struct grouping *grouping, uint32_t n)
{
    const struct leaders *leaders = grouping->leaders;
    uint32_t n_in_groups = 0, n_groups = 0;
    for (uint32_t leader = 0; leader < leaders->n; leader++)
        if (leaders->n_followers[leader] >= GROUP_ROWS_MIN) {
            n_in_groups += leaders->n_followers[leader];
            n_groups++;
        }
    return n_in_groups >= n / 2 && n_in_groups >= n_groups * GROUP_ROWS_MEAN;
}

static void add_cell(struct grouping *grouping, uint32_t first, uint32_t n, bool groups)
{
    struct vt_index *index = grouping->index;
    struct vt__band *band = &index->bands[index->n_bands];
    *band = (struct vt__band){.first_block = first / VT_SCAN_ROWS,
                              .end_block = (first + n + VT_SCAN_ROWS - 1) / VT_SCAN_ROWS,
                              .norm_max = norm_at(index, first)};
    index->n_bands++;
    if (!groups || !find_leaders(grouping, index->blocks.rows + first, n) ||
        !is_worth_it(grouping, n))
        return;
    uint32_t first_group = grouping->n_groups;
    uint32_t n_grouped = stand_together(grouping, first, n);
    index->n_grouped += n_grouped;
    band->rest_block = (first + n_grouped) / VT_SCAN_ROWS;
    while (grouping->n_groups % VT_SCAN_ROWS != 0)
        grouping->groups[grouping->n_groups++] = (struct group){0, 0};
    band->first_group_block = first_group / VT_SCAN_ROWS;
    band->end_group_block = grouping->n_groups / VT_SCAN_ROWS;
}

/* ---- bands and cells ---- */

static int by_projection(const void *left, const void *right)
{
    const struct projected *a = left, *b = right;
    if (a->at < b->at || a->at > b->at)
        return a->at < b->at ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Of some of the rows the one with the least product with `from`: of rows of one norm the
 * farthest. */
static uint32_t farthest(const struct grouping *grouping, const uint32_t *rows, uint32_t n,
                         const float *from)
{
    double least = DBL_MAX;
    uint32_t found = rows[0], step = n / FAR_ROWS + 1;
    for (uint32_t i = 0; i < n; i += step) {
        double product = grouping->kernels->dot(factors_of(grouping->index, rows[i]), from,
                                                grouping->index->rows.dim);
        if (product < least) {
            least = product;
            found = rows[i];
        }
    }
    return found;
}

static void sort_projected(struct grouping *grouping, uint32_t *rows, uint32_t n)
{
    qsort(grouping->projected, n, sizeof *grouping->projected, by_projection);
    for (uint32_t i = 0; i < n; i++)
        rows[i] = grouping->projected[i].row;
}

/* Sorts the rows along the line between two that are far from each other. */
static void sort_along_line(struct grouping *grouping, uint32_t *rows, uint32_t n)
{
    uint32_t dim = grouping->index->rows.dim;
    uint32_t one = farthest(grouping, rows, n, factors_of(grouping->index, rows[0]));
    uint32_t other = farthest(grouping, rows, n, factors_of(grouping->index, one));
    for (uint32_t d = 0; d < dim; d++)
        grouping->vector[d] =
            factors_of(grouping->index, other)[d] - factors_of(grouping->index, one)[d];
    for (uint32_t i = 0; i < n; i++)
        grouping->projected[i] = (struct projected){
            grouping->kernels->dot(factors_of(grouping->index, rows[i]), grouping->vector, dim),
            rows[i]};
    sort_projected(grouping, rows, n);
}

static void sort_by_norm(struct grouping *grouping, uint32_t *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        grouping->projected[i] =
            (struct projected){-(double)grouping->index->norms[rows[i]], rows[i]};
    sort_projected(grouping, rows, n);
}

/* Halves, at whole blocks, until the cells are small: no deeper than 20 for 2³² rows. */
static void cut_into_cells(struct grouping *grouping, uint32_t first, uint32_t n)
{
    uint32_t *rows = grouping->index->blocks.rows + first;
    if (n > CELL_ROWS_MAX) {
        uint32_t half = n / 2 / VT_SCAN_ROWS * VT_SCAN_ROWS;
        sort_along_line(grouping, rows, n);
        cut_into_cells(grouping, first, half);
        cut_into_cells(grouping, first + half, n - half);
        return;
    }
    sort_by_norm(grouping, rows, n);
    add_cell(grouping, first, n, true);
}

/* The end of the band that begins at `first`: a multiple of a block, or the last row. */
static uint32_t end_of_band(const struct vt_index *index, uint32_t first)
{
    uint32_t n_rows = index->rows.n_rows, end = first;
    float least = norm_at(index, first) / BAND_NORMS;
    while (end < n_rows && (end - first < BAND_ROWS_MIN || norm_at(index, end) >= least))
        end++;
    end = (end + VT_SCAN_ROWS - 1) / VT_SCAN_ROWS * VT_SCAN_ROWS;
    return end < n_rows ? end : n_rows;
}

/* Groups the band's rows; where that finds no groups they are one cell in the order of norms. */
static void add_band(struct grouping *grouping, uint32_t first, uint32_t end)
{
    struct vt_index *index = grouping->index;
    uint32_t first_band = index->n_bands, n_groups = grouping->n_groups;
    bool in_range = norm_at(index, first) <= NORM_MAX && norm_at(index, end - 1) >= NORM_MIN;
    if (in_range)
        cut_into_cells(grouping, first, end - first);
    if (in_range && grouping->n_groups > n_groups)
        return;
    index->n_bands = first_band;
    sort_by_norm(grouping, index->blocks.rows + first, end - first);
    add_cell(grouping, first, end - first, false);
}

static void make_bands(struct grouping *grouping)
{
    uint32_t n_rows = grouping->index->rows.n_rows, end;
    uint32_t n_plain = n_rows < GROUPED_ROWS_MIN ? n_rows : PLAIN_ROWS;
    if (n_plain > 0)
        add_cell(grouping, 0, n_plain, false);
    for (uint32_t first = n_plain; first < n_rows; first = end) {
        end = end_of_band(grouping->index, first);
        add_band(grouping, first, end);
    }
}

/* ---- groups as bytes ---- */

/* Writes the middle of the group's rows, and the largest distance from it, rounded up. Any point
 * would do for a middle, so its own rounding needs no care. */
static float find_middle(const struct vt_index *index, struct group group, float *ret_middle)
{
    const uint32_t *rows = index->blocks.rows + group.first_place, dim = index->rows.dim;
    double largest = 0;
    for (uint32_t d = 0; d < dim; d++) {
        double sum = 0;
        for (uint32_t i = 0; i < group.n_rows; i++)
            sum += (double)factors_of(index, rows[i])[d];
        ret_middle[d] = (float)(sum / group.n_rows);
    }
    for (uint32_t i = 0; i < group.n_rows; i++)
        largest = fmax(largest, distance(factors_of(index, rows[i]), ret_middle, dim));
    return vt__rounded_up(largest * (1 + 0x1p-40));
}

static void put_group(struct grouping *grouping, uint32_t place)
{
    struct vt__groups *groups = &grouping->index->groups;
    struct group group = grouping->groups[place];
    uint32_t dim = grouping->index->rows.dim;
    groups->blocks.rows[place] = UINT32_MAX;
    if (group.n_rows == 0)
        return;
    float radius = find_middle(grouping->index, group, grouping->vector);
    vt__spread(radius, grouping->vector + dim);
    double square = 0;
    for (uint32_t d = 0; d < dim + VT__GROUP_DIMS; d++)
        square += (double)grouping->vector[d] * (double)grouping->vector[d];
    groups->blocks.rows[place] = group.first_place;
    groups->n_rows[place] = (uint8_t)group.n_rows;
    vt__blocks_put(&groups->blocks, place, grouping->vector, dim + VT__GROUP_DIMS,
                   vt__rounded_up(sqrt(square) * (1 + 0x1p-40)));
}

static struct vt_err put_groups(struct grouping *grouping)
{
    struct vt__groups *groups = &grouping->index->groups;
    groups->n_rows = calloc(grouping->n_groups + (size_t)1, sizeof *groups->n_rows);
    VT_CHECK(groups->n_rows != NULL, VT_EXHAUSTED, "no memory for the groups");
    VT_TRY(vt__blocks_allocate(&groups->blocks, grouping->n_groups,
                               grouping->index->rows.dim + VT__GROUP_DIMS));
    for (uint32_t place = 0; place < grouping->n_groups; place++)
        put_group(grouping, place);
    return vt_ok();
}

/* ---- all of it ---- */

static struct vt_err allocate(struct grouping *grouping)
{
    struct vt_index *index = grouping->index;
    size_t n_rows = index->rows.n_rows, dim = index->rows.dim;
    size_t n_bands = n_rows / BAND_ROWS_MIN + 2;
    size_t n_groups = n_rows / GROUP_ROWS_MEAN + n_bands * VT_SCAN_ROWS;
    index->bands = calloc(n_bands, sizeof *index->bands);
    grouping->groups = calloc(n_groups, sizeof *grouping->groups);
    grouping->projected = calloc(n_rows + 1, sizeof *grouping->projected);
    grouping->leaders = calloc(1, sizeof *grouping->leaders);
    grouping->sorted = calloc(CELL_ROWS_MAX, sizeof *grouping->sorted);
    grouping->vector = calloc(dim + VT__GROUP_DIMS, sizeof *grouping->vector);
    VT_CHECK(index->bands != NULL && grouping->groups != NULL && grouping->projected != NULL &&
                 grouping->leaders != NULL && grouping->sorted != NULL && grouping->vector != NULL,
             VT_EXHAUSTED, "no memory to group the index");
    return vt__blocks_allocate(&grouping->leaders->blocks,
                               n_rows < GROUPED_ROWS_MIN ? 0 : CELL_ROWS_MAX, index->rows.dim);
}

struct vt_err vt__groups_make(struct vt_index *index)
{
    struct grouping grouping = {.index = index, .kernels = vt_kernels()};
    struct vt_err err = allocate(&grouping);
    if (!vt_failed(err)) {
        make_bands(&grouping);
        err = put_groups(&grouping);
    }
    if (grouping.leaders != NULL)
        vt__blocks_free(&grouping.leaders->blocks);
    free(grouping.leaders);
    free(grouping.groups);
    free(grouping.projected);
    free(grouping.sorted);
    free(grouping.vector);
    return err;
}

void vt__groups_free(struct vt__groups *groups)
{
    vt__blocks_free(&groups->blocks);
    free(groups->n_rows);
}

void vt__spread(float length, float *ret_shares)
{
    /* The double nearest to 1/√8 is above it; so is what is stored, by its own rounding. */
    float share = vt__rounded_up((double)length * 0x1.6a09e667f3bcdp-2 * (1 + 0x1p-40));
    for (uint32_t i = 0; i < VT__GROUP_DIMS; i++)
        ret_shares[i] = share;
}
