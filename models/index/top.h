#ifndef VT_INDEX_TOP_H
#define VT_INDEX_TOP_H

#include <stdbool.h>
#include <stdint.h>

struct vt_index_hit {
    double score;
    uint32_t row;
};

/* The best `capacity` of the hits offered, ties by row ascending. On memory the caller owns; one
 * thread. A heap with the worst on top until vt_top_sort. */
struct vt_top {
    struct vt_index_hit *hits; /* borrowed, capacity long */
    uint32_t capacity, n;
};

/* False when the list is full and the hit stands behind all of it. NaN is no score. */
bool vt_top_would_enter(const struct vt_top *top, struct vt_index_hit hit);
/* Puts it in, over the worst when full, where it would enter. O(log n). */
void vt_top_offer(struct vt_top *top, struct vt_index_hit hit);
/* Best first; nothing may be offered any more. O(n log n); O(n) where scores are spread. */
void vt_top_sort(struct vt_top *top);

#endif
