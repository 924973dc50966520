/*
 * Purchases are sorted by customer and time, cut where a customer paused, and given the number of
 * their basket in place of the customer's; from there on a basket is a row as a customer is
 * elsewhere, and the dataset's own code makes the matrix. Runs once in a training, on its thread.
 */
#include "models/rules/baskets.h"

#include <stdlib.h>
#include <string.h>

enum { BASKET_ITEMS_MAX = 500 };

void vt_basket_options_default(struct vt_basket_options *ret_options)
{
    *ret_options =
        (struct vt_basket_options){.pause_ms = VT_BASKET_PAUSE_MS, .items_max = BASKET_ITEMS_MAX};
}

void vt_baskets_free(struct vt_baskets *baskets)
{
    if (baskets == NULL)
        return;
    vt_sparse_free(&baskets->matrix);
    free(baskets->item_ids);
    *baskets = (struct vt_baskets){0};
}

static bool is_bought(const struct vt_interaction *interaction)
{
    return interaction->type == VT_EVENT_ORDER || interaction->type == VT_EVENT_PURCHASE;
}

static int by_customer_time_item(const void *left, const void *right)
{
    const struct vt_interaction *a = left, *b = right;
    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

static uint64_t copy_bought(const struct vt_interaction *interactions, uint64_t n,
                            struct vt_interaction *ret_bought)
{
    uint64_t n_bought = 0;
    for (uint64_t i = 0; i < n; i++)
        if (is_bought(&interactions[i]))
            ret_bought[n_bought++] = interactions[i];
    return n_bought;
}

static bool is_cut(const struct vt_interaction *before, const struct vt_interaction *next,
                   int64_t pause_ms)
{
    return before->user != next->user || next->time_ms - before->time_ms > pause_ms;
}

/* Replaces customers by baskets, numbered from 0 without gaps, and drops what is in baskets of too
 * many events; returns what is left of `bought`. */
static uint64_t number_baskets(struct vt_interaction *bought, uint64_t n,
                               const struct vt_basket_options *options, uint64_t *ret_n_baskets)
{
    uint64_t kept = 0, basket = 0;
    for (uint64_t begin = 0, end; begin < n; begin = end) {
        end = begin + 1;
        while (end < n && !is_cut(&bought[end - 1], &bought[end], options->pause_ms))
            end++;
        if (options->items_max != 0 && end - begin > options->items_max)
            continue;
        for (uint64_t i = begin; i < end; i++, kept++) {
            bought[kept] = bought[i]; /* kept ≤ i: only what is read already is overwritten */
            bought[kept].user = basket;
        }
        basket++;
    }
    *ret_n_baskets = basket;
    return kept;
}

/* The columns: those given, or the items in `bought`. */
static struct vt_err choose_items(const struct vt_interaction *bought, uint64_t n,
                                  const uint32_t *item_ids, uint32_t n_items,
                                  struct vt_ids *ret_ids)
{
    struct vt_ids ids = {.n_items = n_items};
    if (item_ids == NULL) {
        VT_TRY(vt_ids_collect(bought, n, &ids));
        free(ids.user_ids);
        ids.user_ids = NULL;
    } else {
        ids.item_ids = calloc((size_t)n_items + 1, sizeof *ids.item_ids);
        VT_CHECK(ids.item_ids != NULL, VT_EXHAUSTED, "out of memory for baskets");
        memcpy(ids.item_ids, item_ids, n_items * sizeof *ids.item_ids);
    }
    *ret_ids = ids;
    return vt_ok();
}

static struct vt_err build(const struct vt_interaction *bought, uint64_t n, uint64_t n_baskets,
                           struct vt_ids *ids, struct vt_sparse *ret_matrix)
{
    struct vt_dataset_options options = {.once = true};
    options.event_weights[VT_EVENT_ORDER] = 1;
    options.event_weights[VT_EVENT_PURCHASE] = 1;
    VT_CHECK(n_baskets < UINT32_MAX, VT_EXHAUSTED, "more than 4,294,967,294 baskets");
    ids->n_users = (uint32_t)n_baskets;
    ids->user_ids = calloc((size_t)n_baskets + 1, sizeof *ids->user_ids);
    VT_CHECK(ids->user_ids != NULL, VT_EXHAUSTED, "out of memory for baskets");
    for (uint64_t basket = 0; basket < n_baskets; basket++)
        ids->user_ids[basket] = basket;
    return vt_sparse_build(bought, n, &options, ids, NULL, ret_matrix);
}

struct vt_err vt_baskets_cut(const struct vt_interaction *interactions, uint64_t n,
                             const struct vt_basket_options *options, const uint32_t *item_ids,
                             uint32_t n_items, struct vt_baskets *ret_baskets)
{
    struct vt_baskets baskets = {0};
    struct vt_interaction *bought = malloc(((size_t)n + 1) * sizeof *bought);
    VT_CHECK(bought != NULL, VT_EXHAUSTED, "out of memory for baskets");
    uint64_t n_baskets = 0;
    uint64_t n_bought = copy_bought(interactions, n, bought);
    qsort(bought, (size_t)n_bought, sizeof *bought, by_customer_time_item);
    n_bought = number_baskets(bought, n_bought, options, &n_baskets);
    struct vt_ids ids = {0};
    struct vt_err err = vt_ok();
    if (n_bought > 0)
        err = choose_items(bought, n_bought, item_ids, n_items, &ids);
    if (!vt_failed(err) && n_bought > 0)
        err = build(bought, n_bought, n_baskets, &ids, &baskets.matrix);
    baskets.item_ids = ids.item_ids;
    free(ids.user_ids);
    free(bought);
    if (vt_failed(err))
        vt_baskets_free(&baskets);
    else
        *ret_baskets = baskets;
    return err;
}
