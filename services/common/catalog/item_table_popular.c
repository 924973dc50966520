/* The popular list: a heap whose root is the worst that is kept, turned into a sorted list that is
 * published whole. */
#include "services/common/catalog/item_table_internal.h"

#include <stdlib.h>

static bool is_worse(const struct vt_item_table *table, uint32_t a, uint32_t b)
{
    float count_a = vt_item_table_count(table, a), count_b = vt_item_table_count(table, b);
    return count_a < count_b || (!(count_b < count_a) && a > b);
}

static void heap_sink(const struct vt_item_table *table, uint32_t *heap, uint32_t n, uint32_t i)
{
    for (;;) {
        uint32_t worst = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (is_worse(table, heap[child], heap[worst]))
                worst = child;
        if (worst == i)
            return;
        uint32_t moved = heap[i];
        heap[i] = heap[worst];
        heap[worst] = moved;
        i = worst;
    }
}

static void heap_offer(const struct vt_item_table *table, struct vt__popular_list *list,
                       uint32_t number)
{
    if (list->n < VT__POPULAR_ITEMS_MAX) {
        list->numbers[list->n++] = number;
        for (uint32_t i = list->n / 2; list->n == VT__POPULAR_ITEMS_MAX && i-- > 0;)
            heap_sink(table, list->numbers, list->n, i);
    } else if (is_worse(table, list->numbers[0], number)) {
        list->numbers[0] = number;
        heap_sink(table, list->numbers, list->n, 0);
    }
}

static void heap_sort(const struct vt_item_table *table, struct vt__popular_list *list)
{
    for (uint32_t i = list->n / 2; i-- > 0;)
        heap_sink(table, list->numbers, list->n, i);
    for (uint32_t n = list->n; n > 1; n--) {
        uint32_t worst = list->numbers[0];
        list->numbers[0] = list->numbers[n - 1];
        list->numbers[n - 1] = worst;
        heap_sink(table, list->numbers, n - 1, 0);
    }
}

void vt_item_table_refresh_popular(struct vt_item_table *table)
{
    struct vt__popular_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return; /* the last list serves on */
    uint32_t max = vt_item_table_max_number(table);
    for (uint32_t number = 1; number <= max; number++)
        if (vt__item_sellable(table, number))
            heap_offer(table, list, number);
    heap_sort(table, list);
    vt__item_table_retire(table, atomic_exchange(&table->popular, list));
}

const uint32_t *vt_item_table_popular(const struct vt_item_table *table, uint32_t *ret_n)
{
    const struct vt__popular_list *list = atomic_load(&table->popular);
    *ret_n = list->n;
    return list->numbers;
}
