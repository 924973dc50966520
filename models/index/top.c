/*
 * A bounded list of the best hits: what the exact search, the neighbour sums and the popular items
 * have in common. A binary heap whose root is the worst entry, sorted in place at the end: hits go
 * to the part of the scores' range where theirs lies, by exchanges (McIlroy, Bostic and McIlroy,
 * "Engineering radix sort", 1993), and what is not in its place then is near it. Scores that crowd
 * together are sorted as a heap.
 */
#include "models/index/top.h"

#include <math.h>

enum {
    PARTS = 256,
    PART_HITS_MAX = 32, /* more of them side by side are a heap's */
    SORTED_HITS_MIN = 32,
};

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

/* ---- the order at the end ---- */

static void sort_as_heap(struct vt_top *top)
{
    for (uint32_t left = top->n; left > 1; left--) {
        swap_hits(&top->hits[0], &top->hits[left - 1]);
        sift_down(top->hits, left - 1, 0);
    }
}

/* The range of the scores, from the best down. */
struct range {
    double best, parts_per_score;
};

/* Never ascending with the score: each of its steps is rounded, and rounding keeps order. */
static uint32_t part_of(const struct range *range, double score)
{
    double part = (range->best - score) * range->parts_per_score;
    return part >= 0 && part < PARTS ? (uint32_t)part : PARTS - 1;
}

static struct range range_of(const struct vt_top *top)
{
    double best = top->hits[0].score, worst = best;
    for (uint32_t i = 1; i < top->n; i++) {
        best = top->hits[i].score > best ? top->hits[i].score : best;
        worst = top->hits[i].score < worst ? top->hits[i].score : worst;
    }
    return (struct range){best, (PARTS - 1) / (best - worst)};
}

/* Where each part ends; false when one is crowded. */
static bool count_parts(const struct vt_top *top, const struct range *range, uint32_t ends[PARTS])
{
    uint32_t most = 0, end = 0;
    for (uint32_t part = 0; part < PARTS; part++)
        ends[part] = 0;
    for (uint32_t i = 0; i < top->n; i++)
        ends[part_of(range, top->hits[i].score)]++;
    for (uint32_t part = 0; part < PARTS; part++) {
        most = ends[part] > most ? ends[part] : most;
        end += ends[part];
        ends[part] = end;
    }
    return most <= PART_HITS_MAX;
}

/* Each hit into its part: one after the other is exchanged with what stands where it belongs. */
static void move_to_parts(struct vt_top *top, const struct range *range, const uint32_t ends[PARTS])
{
    uint32_t next[PARTS];
    next[0] = 0;
    for (uint32_t part = 1; part < PARTS; part++)
        next[part] = ends[part - 1];
    for (uint32_t part = 0; part < PARTS; part++)
        while (next[part] < ends[part]) {
            struct vt_index_hit *hit = &top->hits[next[part]];
            uint32_t its = part_of(range, hit->score);
            if (its != part)
                swap_hits(hit, &top->hits[next[its]]);
            next[its]++;
        }
}

static void insert_each(struct vt_top *top)
{
    for (uint32_t i = 1; i < top->n; i++) {
        struct vt_index_hit hit = top->hits[i];
        uint32_t at = i;
        for (; at > 0 && is_worse(top->hits[at - 1], hit); at--)
            top->hits[at] = top->hits[at - 1];
        top->hits[at] = hit;
    }
}

void vt_top_sort(struct vt_top *top)
{
    uint32_t ends[PARTS];
    if (top->n >= SORTED_HITS_MIN) {
        const struct range range = range_of(top);
        if (!isfinite(range.parts_per_score) || !count_parts(top, &range, ends)) {
            sort_as_heap(top);
            return;
        }
        move_to_parts(top, &range, ends);
    }
    insert_each(top);
}
