/*
 * Eclat. Each item has the ascending list of its baskets; the list of a set is the intersection of
 * two lists of sets one item shorter, and its length is the set's count. Depth first: only the
 * lists of the classes on the way down are held, one class a level. Items go from rare to frequent,
 * which keeps the classes small at the top (Zaki 2000, section 5).
 *
 * The first level would intersect every pair of frequent items. Instead the baskets of the prefix
 * are read once and its partners counted, which costs what stands in those baskets.
 *
 * Memory is counted before it is asked for, so that a support too low for the data ends in a
 * refusal that says so and not in the machine's swap.
 */
#include "models/rules/itemsets.h"

#include <stdlib.h>
#include <string.h>

#define ITEMSETS_MAX_DEFAULT (UINT64_C(4) << 20)
#define MEMORY_BYTES_DEFAULT (UINT64_C(1) << 30)
enum { FIRST_SETS = 1024, LENGTH_DEFAULT = 10 };

/* One item that extends a prefix, with the baskets that hold both. */
struct member {
    uint32_t item;
    uint32_t n;
    const uint32_t *baskets;
};

/* All items that extend the same prefix. */
struct class
{
    struct member *members;
    uint32_t n;
};

struct mining {
    const struct vt_sparse *baskets;
    struct vt_itemset_options options;
    struct vt_diag *diag;
    struct vt_sparse by_item;
    uint32_t n_min;    /* baskets that a set needs */
    uint32_t *order;   /* by column: its member of the first class; UINT32_MAX: not frequent */
    uint32_t *partner; /* by member of the first class: baskets shared with the prefix */
    uint32_t prefix[VT_ITEMSET_LENGTH_MAX];
    uint32_t length; /* of prefix */
    uint64_t bytes;  /* held now */
    struct vt_itemsets found;
    uint64_t sets_capacity, items_capacity;
};

void vt_itemset_options_default(struct vt_itemset_options *ret_options)
{
    *ret_options = (struct vt_itemset_options){.support = 0.001,
                                               .length_max = LENGTH_DEFAULT,
                                               .itemsets_max = ITEMSETS_MAX_DEFAULT,
                                               .memory_bytes = MEMORY_BYTES_DEFAULT};
}

void vt_itemsets_free(struct vt_itemsets *itemsets)
{
    if (itemsets == NULL)
        return;
    free(itemsets->starts);
    free(itemsets->items);
    free(itemsets->counts);
    *itemsets = (struct vt_itemsets){0};
}

/* ---- memory ---- */

static struct vt_err refuse_size(const struct mining *mining, const char *what, uint64_t limit)
{
    vt_diag_set(mining->diag, "support",
                "at a support of %g (%u of %u baskets) there are more than %llu %s; ask for a "
                "higher support or shorter sets",
                mining->options.support, mining->n_min, mining->baskets->n_rows,
                (unsigned long long)limit, what);
    return VT_ERR(VT_EXHAUSTED, "too many frequent itemsets");
}

static struct vt_err hold(struct mining *mining, uint64_t bytes)
{
    if (bytes > mining->options.memory_bytes ||
        mining->bytes > mining->options.memory_bytes - bytes)
        return refuse_size(mining, "bytes of lists", mining->options.memory_bytes);
    mining->bytes += bytes;
    return vt_ok();
}

/* Makes room for `needed` elements of `size` in *array. */
static struct vt_err grow(struct mining *mining, void **array, size_t size, uint64_t needed,
                          uint64_t *capacity)
{
    if (needed <= *capacity)
        return vt_ok();
    uint64_t larger = *capacity > 0 ? 2 * *capacity : FIRST_SETS;
    while (larger < needed)
        larger *= 2;
    VT_TRY(hold(mining, (larger - *capacity) * size));
    void *grown = realloc(*array, (size_t)larger * size);
    VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory for itemsets");
    *array = grown;
    *capacity = larger;
    return vt_ok();
}

/* ---- what is found ---- */

/* The prefix and one item more, ascending. */
static void write_items(const struct mining *mining, uint32_t item, uint32_t *ret_items)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i <= mining->length; i++) {
        uint32_t next = i < mining->length ? mining->prefix[i] : item;
        uint32_t at = n++;
        for (; at > 0 && ret_items[at - 1] > next; at--)
            ret_items[at] = ret_items[at - 1];
        ret_items[at] = next;
    }
}

static struct vt_err grow_found(struct mining *mining)
{
    struct vt_itemsets *found = &mining->found;
    uint64_t end = found->n > 0 ? found->starts[found->n] : 0;
    uint64_t counts_capacity = mining->sets_capacity, starts_capacity = counts_capacity;
    void *starts = found->starts, *counts = found->counts, *items = found->items;
    struct vt_err err =
        grow(mining, &starts, sizeof *found->starts, found->n + UINT64_C(2), &starts_capacity);
    if (!vt_failed(err))
        err =
            grow(mining, &counts, sizeof *found->counts, found->n + UINT64_C(2), &counts_capacity);
    if (!vt_failed(err))
        err = grow(mining, &items, sizeof *found->items, end + mining->length + 1,
                   &mining->items_capacity);
    found->starts = starts;
    found->counts = counts;
    found->items = items;
    mining->sets_capacity = counts_capacity;
    return err;
}

static struct vt_err add_found(struct mining *mining, const struct member *member)
{
    struct vt_itemsets *found = &mining->found;
    if (found->n >= mining->options.itemsets_max)
        return refuse_size(mining, "frequent itemsets", mining->options.itemsets_max);
    VT_TRY(grow_found(mining));
    if (found->n == 0)
        found->starts[0] = 0;
    write_items(mining, member->item, &found->items[found->starts[found->n]]);
    found->counts[found->n] = member->n;
    found->starts[found->n + 1] = found->starts[found->n] + mining->length + 1;
    found->n++;
    return vt_ok();
}

/* ---- one class ---- */

static uint32_t intersect(const struct member *a, const struct member *b, uint32_t *ret_baskets)
{
    uint32_t n = 0;
    for (uint32_t i = 0, j = 0; i < a->n && j < b->n;) {
        uint32_t left = a->baskets[i], right = b->baskets[j];
        if (left == right)
            ret_baskets[n++] = left;
        i += left <= right;
        j += right <= left;
    }
    return n;
}

/* How many baskets the extended prefix shares with `next` at most; known on the first level, below
 * it the shorter list. */
static uint32_t most_shared(const struct mining *mining, const struct class *class, uint32_t at,
                            uint32_t next)
{
    uint32_t n = class->members[at].n, other = class->members[next].n;
    if (mining->length == 1)
        return mining->partner[next];
    return n < other ? n : other;
}

/* The most bytes that the class of members[at] can take. */
static uint64_t class_bytes(const struct mining *mining, const struct class *class, uint32_t at)
{
    uint64_t bytes = 0;
    for (uint32_t next = at + 1; next < class->n; next++) {
        uint64_t n = most_shared(mining, class, at, next);
        if (n >= mining->n_min)
            bytes += sizeof(struct member) + n * sizeof(uint32_t);
    }
    return bytes;
}

/* Members first, their lists behind, in one block. */
static void fill_class(const struct mining *mining, const struct class *class, uint32_t at,
                       struct class *ret_class)
{
    uint32_t n_most = 0;
    for (uint32_t next = at + 1; next < class->n; next++)
        n_most += most_shared(mining, class, at, next) >= mining->n_min;
    uint32_t *list = (uint32_t *)(void *)(ret_class->members + n_most);
    for (uint32_t next = at + 1; next < class->n; next++) {
        if (most_shared(mining, class, at, next) < mining->n_min)
            continue;
        uint32_t n = intersect(&class->members[at], &class->members[next], list);
        if (n < mining->n_min)
            continue;
        ret_class->members[ret_class->n++] =
            (struct member){.item = class->members[next].item, .n = n, .baskets = list};
        list += n;
    }
}

static struct vt_err mine_class(struct mining *mining, const struct class *class);

/* The class of the prefix, which ends in members[at]. */
static struct vt_err mine_below(struct mining *mining, const struct class *class, uint32_t at)
{
    uint64_t bytes = class_bytes(mining, class, at);
    if (bytes == 0)
        return vt_ok();
    VT_TRY(hold(mining, bytes));
    struct class below = {.members = malloc((size_t)bytes)};
    struct vt_err err = vt_ok();
    if (below.members == NULL)
        err = VT_ERR(VT_EXHAUSTED, "out of memory for itemsets");
    else
        fill_class(mining, class, at, &below);
    if (!vt_failed(err))
        err = mine_class(mining, &below);
    free(below.members);
    mining->bytes -= bytes;
    return err;
}

/* On the first level: in how many baskets of the member each later one stands too. */
static void count_partners(struct mining *mining, const struct class *class, uint32_t at)
{
    memset(mining->partner, 0, class->n * sizeof *mining->partner);
    for (uint32_t i = 0; i < class->members[at].n; i++) {
        uint32_t basket = class->members[at].baskets[i];
        for (uint64_t e = mining->baskets->starts[basket]; e < mining->baskets->starts[basket + 1];
             e++) {
            uint32_t next = mining->order[mining->baskets->columns[e]];
            if (next != UINT32_MAX)
                mining->partner[next]++;
        }
    }
}

/* Recursion is as deep as sets are long: VT_ITEMSET_LENGTH_MAX. */
static struct vt_err mine_class(struct mining *mining, const struct class *class)
{
    for (uint32_t at = 0; at < class->n; at++) {
        VT_TRY(add_found(mining, &class->members[at]));
        if (mining->length + 1 >= mining->options.length_max)
            continue;
        if (mining->length == 0)
            count_partners(mining, class, at);
        mining->prefix[mining->length++] = class->members[at].item;
        struct vt_err err = mine_below(mining, class, at);
        mining->length--;
        VT_TRY(err);
    }
    return vt_ok();
}

/* ---- the first class ---- */

static int from_rare_to_frequent(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

static void fill_first_class(struct mining *mining, struct class *class)
{
    const struct vt_sparse *by_item = &mining->by_item;
    for (uint32_t item = 0; item < by_item->n_rows; item++) {
        uint64_t n = by_item->starts[item + 1] - by_item->starts[item];
        mining->order[item] = UINT32_MAX;
        if (n >= mining->n_min)
            class->members[class->n++] =
                (struct member){item, (uint32_t)n, by_item->columns + by_item->starts[item]};
    }
    qsort(class->members, class->n, sizeof *class->members, from_rare_to_frequent);
    for (uint32_t i = 0; i < class->n; i++)
        mining->order[class->members[i].item] = i;
}

/* The least count whose share is at least the support. The division is the one that users make, so
 * that a count that is the share on paper is so here. */
static uint32_t count_of(double support, uint32_t n_baskets)
{
    uint32_t count = (uint32_t)(support * (double)n_baskets);
    while (count > 1 && (double)(count - 1) / (double)n_baskets >= support)
        count--;
    while (count < 1 || (double)count / (double)n_baskets < support)
        count++;
    return count;
}

static struct vt_err mine(struct mining *mining)
{
    const struct vt_sparse *baskets = mining->baskets;
    uint64_t n_items = (uint64_t)baskets->n_cols + 1;
    VT_TRY(hold(mining,
                baskets->n_entries * (sizeof(uint32_t) + sizeof(float)) +
                    n_items * (sizeof(uint64_t) + sizeof(struct member) + 2 * sizeof(uint32_t))));
    VT_TRY(vt_sparse_transpose(baskets, &mining->by_item));
    mining->order = calloc(n_items, sizeof *mining->order);
    mining->partner = calloc(n_items, sizeof *mining->partner);
    struct class first = {.members = calloc(n_items, sizeof *first.members)};
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for itemsets");
    if (mining->order != NULL && mining->partner != NULL && first.members != NULL) {
        fill_first_class(mining, &first);
        err = mine_class(mining, &first);
    }
    free(first.members);
    return err;
}

static struct vt_err check_options(const struct vt_itemset_options *options, struct vt_diag *diag)
{
    if (!(options->support > 0) || !(options->support <= 1)) {
        vt_diag_set(diag, "support", "support is %g; a share above 0, at most 1", options->support);
        return VT_ERR(VT_INVALID, "support is out of range");
    }
    if (options->length_max < 1 || options->length_max > VT_ITEMSET_LENGTH_MAX) {
        vt_diag_set(diag, "length", "sets of %u items; 1 to %d", options->length_max,
                    VT_ITEMSET_LENGTH_MAX);
        return VT_ERR(VT_INVALID, "length is out of range");
    }
    return vt_ok();
}

struct vt_err vt_itemsets_mine(const struct vt_sparse *baskets,
                               const struct vt_itemset_options *options, struct vt_diag *diag,
                               struct vt_itemsets *ret_itemsets)
{
    VT_TRY(check_options(options, diag));
    struct mining mining = {.baskets = baskets, .options = *options, .diag = diag};
    mining.n_min = count_of(options->support, baskets->n_rows > 0 ? baskets->n_rows : 1);
    mining.found.n_baskets = baskets->n_rows;
    struct vt_err err = grow_found(&mining);
    if (!vt_failed(err)) {
        mining.found.starts[0] = 0;
        err = mine(&mining);
    }
    vt_sparse_free(&mining.by_item);
    free(mining.order);
    free(mining.partner);
    if (vt_failed(err))
        vt_itemsets_free(&mining.found);
    else
        *ret_itemsets = mining.found;
    return err;
}
