/*
 * Interactions → sparse matrices. Ids become dense by sorting; places in the input are bucketed by
 * user (a counting sort), then each user's few interactions are fetched, put newest first, cut,
 * weighed and merged: beside input and matrix that takes eight bytes an interaction. All orders are
 * total (time, then place in the input), so the result does not depend on the sort used, and
 * nothing here is threaded: building takes a small share of training's time.
 */
#include "models/dataset/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUT_OF_MEMORY VT_ERR(VT_EXHAUSTED, "out of memory for the interactions")

/* malloc of at least one byte, so that NULL always means failure. */
static void *allocate(uint64_t n, size_t size)
{
    if (n > SIZE_MAX / size - 1)
        return NULL;
    return malloc(n > 0 ? (size_t)n * size : 1);
}

void vt_sparse_free(struct vt_sparse *matrix)
{
    if (matrix == NULL)
        return;
    free(matrix->starts);
    free(matrix->columns);
    free(matrix->values);
    *matrix = (struct vt_sparse){0};
}

static struct vt_err sparse_allocate(uint32_t n_rows, uint32_t n_cols, uint64_t n_entries,
                                     struct vt_sparse *ret_matrix)
{
    struct vt_sparse matrix = {.n_rows = n_rows, .n_cols = n_cols, .n_entries = n_entries};
    matrix.starts = calloc((size_t)n_rows + 1, sizeof *matrix.starts);
    matrix.columns = allocate(n_entries, sizeof *matrix.columns);
    matrix.values = allocate(n_entries, sizeof *matrix.values);
    if (matrix.starts == NULL || matrix.columns == NULL || matrix.values == NULL) {
        vt_sparse_free(&matrix);
        return OUT_OF_MEMORY;
    }
    *ret_matrix = matrix;
    return vt_ok();
}

/* counts[i] → where bucket i starts; one more at the end. */
static void starts_from_counts(uint64_t *starts, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= n; i++) {
        uint64_t count = starts[i];
        starts[i] = sum;
        sum += count;
    }
}

struct vt_err vt_sparse_transpose(const struct vt_sparse *matrix, struct vt_sparse *ret_transposed)
{
    struct vt_sparse out;
    VT_TRY(sparse_allocate(matrix->n_cols, matrix->n_rows, matrix->n_entries, &out));
    uint64_t *next = allocate((uint64_t)matrix->n_cols + 1, sizeof *next);
    if (next == NULL) {
        vt_sparse_free(&out);
        return OUT_OF_MEMORY;
    }
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        out.starts[matrix->columns[e]]++;
    starts_from_counts(out.starts, out.n_rows);
    memcpy(next, out.starts, ((size_t)out.n_rows + 1) * sizeof *next);
    for (uint32_t row = 0; row < matrix->n_rows; row++)
        for (uint64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++) {
            uint64_t to = next[matrix->columns[e]]++;
            out.columns[to] = row;
            out.values[to] = matrix->values[e];
        }
    free(next);
    *ret_transposed = out;
    return vt_ok();
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void vt_ids_free(struct vt_ids *ids)
{
    if (ids == NULL)
        return;
    free(ids->user_ids);
    free(ids->item_ids);
    *ids = (struct vt_ids){0};
}

/* Sorted ids without repeats; most inputs come user by user, so runs are dropped before sorting. */
static struct vt_err collect_users(const struct vt_interaction *interactions, uint64_t n,
                                   struct vt_ids *ids)
{
    uint64_t *users = allocate(n, sizeof *users), n_users = 0, n_unique = 0;
    VT_CHECK(users != NULL, VT_EXHAUSTED, "out of memory for the user ids");
    for (uint64_t i = 0; i < n; i++)
        if (i == 0 || interactions[i].user != interactions[i - 1].user)
            users[n_users++] = interactions[i].user;
    qsort(users, (size_t)n_users, sizeof *users, compare_u64);
    for (uint64_t i = 0; i < n_users; i++)
        if (i == 0 || users[i] != users[i - 1])
            users[n_unique++] = users[i];
    ids->user_ids = users;
    ids->n_users = (uint32_t)n_unique;
    VT_CHECK(n_unique < UINT32_MAX, VT_EXHAUSTED, "more than 4,294,967,294 users");
    return vt_ok();
}

static struct vt_err collect_items(const struct vt_interaction *interactions, uint64_t n,
                                   struct vt_ids *ids)
{
    uint32_t *items = allocate(n, sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "out of memory for the item ids");
    for (uint64_t i = 0; i < n; i++)
        items[i] = interactions[i].item;
    qsort(items, (size_t)n, sizeof *items, compare_u32);
    uint32_t n_unique = 0;
    for (uint64_t i = 0; i < n; i++)
        if (i == 0 || items[i] != items[i - 1])
            items[n_unique++] = items[i];
    ids->item_ids = items;
    ids->n_items = n_unique;
    return vt_ok();
}

struct vt_err vt_ids_collect(const struct vt_interaction *interactions, uint64_t n,
                             struct vt_ids *ret_ids)
{
    struct vt_ids ids = {0};
    struct vt_err err = collect_users(interactions, n, &ids);
    if (!vt_failed(err))
        err = collect_items(interactions, n, &ids);
    if (vt_failed(err))
        vt_ids_free(&ids);
    else
        *ret_ids = ids;
    return err;
}

static bool find_user(const struct vt_ids *ids, uint64_t user, uint32_t *ret_row)
{
    const uint64_t *at = bsearch(&user, ids->user_ids, ids->n_users, sizeof user, compare_u64);
    if (at != NULL)
        *ret_row = (uint32_t)(at - ids->user_ids);
    return at != NULL;
}

static bool find_item(const struct vt_ids *ids, uint32_t item, uint32_t *ret_column)
{
    const uint32_t *at = bsearch(&item, ids->item_ids, ids->n_items, sizeof item, compare_u32);
    if (at != NULL)
        *ret_column = (uint32_t)(at - ids->item_ids);
    return at != NULL;
}

/* An interaction with its dense column. */
struct entry {
    int64_t time_ms;
    uint32_t place; /* in the input: breaks ties of time, later is newer */
    uint32_t column;
    float weight; /* the event's value, until it is weighed */
    uint16_t type;
    int8_t opinion; /* vt_event_opinion */
};

static int compare_newest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms > y->time_ms ? -1 : 1;
    return (x->place < y->place) - (x->place > y->place);
}

static int compare_column_then_newest(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return compare_newest_first(a, b);
}

/* The interactions that count, as their places in the input, by row and there in their order. */
struct buckets {
    uint32_t *places;
    uint64_t *starts; /* n_rows + 1 */
};

static void buckets_free(struct buckets *buckets)
{
    free(buckets->places);
    free(buckets->starts);
}

static bool counts(const struct vt_interaction *interaction,
                   const struct vt_dataset_options *options)
{
    return options->until_ms == 0 || interaction->time_ms <= options->until_ms;
}

/* Each interaction's row, UINT32_MAX: none; counts[row] how many it has. */
static void find_rows(const struct vt_interaction *interactions, uint64_t n,
                      const struct vt_dataset_options *options, const struct vt_ids *ids,
                      uint32_t *ret_rows, uint64_t *ret_counts)
{
    for (uint64_t i = 0; i < n; i++) {
        ret_rows[i] = UINT32_MAX;
        if (counts(&interactions[i], options) && find_user(ids, interactions[i].user, &ret_rows[i]))
            ret_counts[ret_rows[i]]++;
    }
}

static struct vt_err buckets_fill(const struct vt_interaction *interactions, uint64_t n,
                                  const struct vt_dataset_options *options,
                                  const struct vt_ids *ids, struct buckets *buckets)
{
    const uint64_t n_starts = (uint64_t)ids->n_users + 1;
    VT_CHECK(n < UINT32_MAX, VT_EXHAUSTED, "more than 4,294,967,294 interactions");
    uint32_t *rows = allocate(n, sizeof *rows);
    uint64_t *next = allocate(n_starts, sizeof *next);
    buckets->starts = calloc((size_t)n_starts, sizeof *buckets->starts);
    buckets->places = allocate(n, sizeof *buckets->places);
    struct vt_err err = vt_ok();
    if (rows == NULL || next == NULL || buckets->starts == NULL || buckets->places == NULL) {
        err = OUT_OF_MEMORY;
        goto done;
    }
    find_rows(interactions, n, options, ids, rows, buckets->starts);
    starts_from_counts(buckets->starts, ids->n_users);
    memcpy(next, buckets->starts, (size_t)n_starts * sizeof *next);
    for (uint64_t i = 0; i < n; i++)
        if (rows[i] != UINT32_MAX)
            buckets->places[next[rows[i]]++] = (uint32_t)i;
done:
    free(rows);
    free(next);
    return err;
}

/* Of a run of one item, newest first: does its newest opinion say no? At equal times no stands. */
static const struct entry *find_dislike(const struct entry *run, uint64_t n)
{
    const struct entry *newest = NULL;
    for (uint64_t i = 0; i < n; i++) {
        if (run[i].opinion == 0)
            continue;
        if (newest != NULL && run[i].time_ms < newest->time_ms)
            break;
        if (newest == NULL || run[i].opinion < newest->opinion)
            newest = &run[i];
    }
    return newest != NULL && newest->opinion < 0 ? newest : NULL;
}

/* The weight of a run of one item, newest first: as vt_history_merge has it. */
static float weigh_run(const struct entry *run, uint64_t n,
                       const struct vt_dataset_options *options)
{
    bool dislikes = vt_dislikes_count(options->event_weights);
    const struct entry *dislike = dislikes ? find_dislike(run, n) : NULL;
    float weight = 0;
    uint64_t n_summed = 0;
    if (dislike != NULL)
        return dislike->weight;
    for (uint64_t i = 0; i < n && !(options->once && n_summed > 0); i++) {
        if (dislikes && run[i].opinion < 0)
            continue; /* taken back */
        weight += run[i].weight;
        n_summed++;
    }
    return weight > 0 ? weight : 0;
}

static void weigh_entries(struct entry *entries, uint64_t n,
                          const struct vt_dataset_options *options)
{
    const struct vt_event_weighing weighing = vt_dataset_weighing(options);
    const bool dislikes = vt_dislikes_count(options->event_weights);
    for (uint64_t i = 0; i < n; i++) {
        const bool disliked = dislikes && entries[i].opinion < 0;
        entries[i].weight = vt_event_confidence(
            &weighing, disliked ? VT_EVENT_DISLIKE : entries[i].type,
            disliked ? 0 : entries[i].weight, entries[i].time_ms, entries[0].time_ms);
    }
}

/* One user's entries → at most as many (column, weight), in place, ascending. Returns how many. */
static uint64_t merge_user(struct entry *entries, uint64_t n,
                           const struct vt_dataset_options *options)
{
    qsort(entries, (size_t)n, sizeof *entries, compare_newest_first);
    if (options->history_max > 0 && n > options->history_max)
        n = options->history_max;
    weigh_entries(entries, n, options);
    qsort(entries, (size_t)n, sizeof *entries, compare_column_then_newest);
    uint64_t n_merged = 0, end = 0;
    for (uint64_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && entries[end].column == entries[i].column;)
            end++;
        struct entry merged = entries[i];
        merged.weight = weigh_run(entries + i, end - i, options);
        if (fpclassify(merged.weight) != FP_ZERO)
            entries[n_merged++] = merged;
    }
    return n_merged;
}

/* Fetches the interactions at the places whose items have a column; returns how many. */
static uint64_t fetch_entries(const struct vt_interaction *interactions, const uint32_t *places,
                              uint64_t n, const struct vt_ids *ids, struct entry *ret_entries)
{
    uint64_t n_known = 0;
    for (uint64_t i = 0; i < n; i++) {
        const struct vt_interaction *interaction = &interactions[places[i]];
        struct entry entry = {
            .time_ms = interaction->time_ms,
            .place = places[i],
            .weight = interaction->value,
            .type = interaction->type,
            .opinion = (int8_t)vt_event_opinion(interaction->type, interaction->value),
        };
        if (find_item(ids, interaction->item, &entry.column))
            ret_entries[n_known++] = entry;
    }
    return n_known;
}

void vt_dataset_options_default(struct vt_dataset_options *ret_options)
{
    *ret_options = (struct vt_dataset_options){0};
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        ret_options->event_weights[type] = vt_event_type_default_weight(type);
}

struct vt_event_weighing vt_dataset_weighing(const struct vt_dataset_options *options)
{
    return (struct vt_event_weighing){.event_weights = options->event_weights,
                                      .value_exponents = options->value_exponents,
                                      .half_life_days = options->decay_half_life_days};
}

static struct vt_err check_options(const struct vt_dataset_options *options, struct vt_diag *diag)
{
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++) {
        const char *name = vt_event_type_name(type);
        const float exponent = options->value_exponents[type];
        if (!(exponent >= 0 && exponent <= 1)) {
            vt_diag_set(diag, "value_exponents", "the exponent of %s events' value is not 0 to 1",
                        name != NULL ? name : "unspecified");
            return VT_ERR(VT_INVALID, "a value's exponent is out of range");
        }
        if (isfinite(options->event_weights[type]))
            continue;
        vt_diag_set(diag, "event_weights", "the weight of %s events is not a finite number",
                    name != NULL ? name : "unspecified");
        return VT_ERR(VT_INVALID, "an event weight is not finite");
    }
    return vt_ok();
}

static uint64_t longest_row(const uint64_t *starts, uint32_t n_rows)
{
    uint64_t longest = 0;
    for (uint32_t row = 0; row < n_rows; row++)
        if (starts[row + 1] - starts[row] > longest)
            longest = starts[row + 1] - starts[row];
    return longest;
}

/* A smaller block may be had elsewhere or not at all: then the larger one stays. */
static void sparse_trim(struct vt_sparse *matrix, uint64_t n_entries)
{
    const size_t n = n_entries > 0 ? (size_t)n_entries : 1;
    uint32_t *columns = realloc(matrix->columns, n * sizeof *columns);
    float *values = realloc(matrix->values, n * sizeof *values);
    matrix->columns = columns != NULL ? columns : matrix->columns;
    matrix->values = values != NULL ? values : matrix->values;
    matrix->n_entries = n_entries;
}

/* Merges row after row into the matrix. */
static struct vt_err sparse_from_buckets(const struct vt_interaction *interactions,
                                         const struct vt_dataset_options *options,
                                         const struct vt_ids *ids, const struct buckets *buckets,
                                         struct vt_sparse *ret_matrix)
{
    const uint64_t *starts = buckets->starts;
    struct entry *entries = allocate(longest_row(starts, ids->n_users), sizeof *entries);
    VT_CHECK(entries != NULL, VT_EXHAUSTED, "out of memory for the interactions");
    struct vt_sparse matrix;
    struct vt_err err = sparse_allocate(ids->n_users, ids->n_items, starts[ids->n_users], &matrix);
    uint64_t n_entries = 0;
    for (uint32_t row = 0; !vt_failed(err) && row < ids->n_users; row++) {
        uint64_t n = fetch_entries(interactions, buckets->places + starts[row],
                                   starts[row + 1] - starts[row], ids, entries);
        n = merge_user(entries, n, options);
        for (uint64_t i = 0; i < n; i++, n_entries++) {
            matrix.columns[n_entries] = entries[i].column;
            matrix.values[n_entries] = entries[i].weight;
        }
        matrix.starts[row + 1] = n_entries;
    }
    free(entries);
    if (vt_failed(err))
        return err;
    sparse_trim(&matrix, n_entries);
    *ret_matrix = matrix;
    return vt_ok();
}

struct vt_err vt_sparse_build(const struct vt_interaction *interactions, uint64_t n,
                              const struct vt_dataset_options *options, const struct vt_ids *ids,
                              struct vt_diag *diag, struct vt_sparse *ret_matrix)
{
    VT_TRY(check_options(options, diag));
    struct buckets buckets = {0};
    struct vt_err err = buckets_fill(interactions, n, options, ids, &buckets);
    if (!vt_failed(err))
        err = sparse_from_buckets(interactions, options, ids, &buckets, ret_matrix);
    buckets_free(&buckets);
    return err;
}

static void find_time_range(const struct vt_interaction *interactions, uint64_t n,
                            const struct vt_dataset_options *options, struct vt_dataset *dataset)
{
    dataset->first_time_ms = INT64_MAX;
    dataset->last_time_ms = INT64_MIN;
    for (uint64_t i = 0; i < n; i++) {
        if (!counts(&interactions[i], options))
            continue;
        if (interactions[i].time_ms < dataset->first_time_ms)
            dataset->first_time_ms = interactions[i].time_ms;
        if (interactions[i].time_ms > dataset->last_time_ms)
            dataset->last_time_ms = interactions[i].time_ms;
    }
}

struct vt_err vt_dataset_build(const struct vt_interaction *interactions, uint64_t n,
                               const struct vt_dataset_options *options, struct vt_diag *diag,
                               struct vt_dataset *ret_dataset)
{
    if (n == 0) {
        vt_diag_set(diag, "", "there are no interactions to learn from");
        return VT_ERR(VT_INVALID, "no interactions");
    }
    struct vt_dataset dataset = {0};
    struct vt_ids ids;
    VT_TRY(vt_ids_collect(interactions, n, &ids));
    struct vt_err err = vt_sparse_build(interactions, n, options, &ids, diag, &dataset.matrix);
    if (vt_failed(err)) {
        vt_ids_free(&ids);
        return err;
    }
    dataset.user_ids = ids.user_ids;
    dataset.item_ids = ids.item_ids;
    find_time_range(interactions, n, options, &dataset);
    *ret_dataset = dataset;
    return vt_ok();
}

void vt_dataset_free(struct vt_dataset *dataset)
{
    if (dataset == NULL)
        return;
    vt_sparse_free(&dataset->matrix);
    free(dataset->user_ids);
    free(dataset->item_ids);
    *dataset = (struct vt_dataset){0};
}
