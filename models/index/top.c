/*
 * A bounded list of the best hits: what the exact search, the neighbour sums and the popular items
 * have in common. A binary heap whose root is the worst entry, sorted in place at the end.
 */
#include "models/index/top.h"

/* True when a stands behind b. */
static bool is_worse(struct vt_index_hit a, struct vt_index_hit b)
{
    return a.score < b.score || (!(a.score > b.score) && a.row > b.row);
}

static void swap_hits(struct vt_index_hit *a, struct vt_index_hit *b)
{
    struct vt_index_hit kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(struct vt_index_hit *heap, uint32_t n, uint32_t at)
{
    for (uint32_t child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        if (child + 1 < n && is_worse(heap[child + 1], heap[child]))
            child++;
        if (!is_worse(heap[child], heap[at]))
            return;
        swap_hits(&heap[child], &heap[at]);
    }
}

static void sift_up(struct vt_index_hit *heap, uint32_t at)
{
    while (at > 0 && is_worse(heap[at], heap[(at - 1) / 2])) {
        swap_hits(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

bool vt_top_would_enter(const struct vt_top *top, struct vt_index_hit hit)
{
    if (top->n < top->capacity)
        return true;
    return top->capacity > 0 && is_worse(top->hits[0], hit);
}

void vt_top_offer(struct vt_top *top, struct vt_index_hit hit)
{
    if (!vt_top_would_enter(top, hit))
        return;
    if (top->n == top->capacity) {
        top->hits[0] = hit;
        sift_down(top->hits, top->n, 0);
        return;
    }
    top->hits[top->n] = hit;
    sift_up(top->hits, top->n++);
}

void vt_top_sort(struct vt_top *top)
{
    for (uint32_t left = top->n; left > 1; left--) {
        swap_hits(&top->hits[0], &top->hits[left - 1]);
        sift_down(top->hits, left - 1, 0);
    }
}
