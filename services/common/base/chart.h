#ifndef VT_BASE_CHART_H
#define VT_BASE_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A few charts as SVG: axes with units, thin grid, colours of the page's variables. Labels are
 * ours (no text from outside), already HTML. Each writes one <svg>; same input, same bytes.
 */

/* A line over x = xs[0] … xs[n - 1], ascending; values below `floor` are gaps. */
struct vt_chart_line {
    const char *x_label, *y_label;
    const double *xs, *ys;
    uint32_t n;
    double gap_below; /* points below it are not there */
    bool mark_best;   /* a dot at the highest value */
};
void vt_chart_line(const struct vt_chart_line *line, FILE *out);

/* One or two series side by side; `second` NULL: one. Values ≥ 0. */
struct vt_chart_columns {
    const char *x_label, *y_label;
    const char *const *names; /* n, below the columns */
    const double *first, *second;
    uint32_t n;
    bool percent; /* values are shares */
};
void vt_chart_columns(const struct vt_chart_columns *columns, FILE *out);

/* A dot and its interval in each row, on one scale from 0. */
struct vt_chart_row {
    const char *name;
    double mean, low, high;
};
void vt_chart_intervals(const char *x_label, const struct vt_chart_row *rows, uint32_t n,
                        FILE *out);

/* Horizontal bars with their counts. */
struct vt_chart_bar {
    const char *name;
    uint64_t n;
};
void vt_chart_bars(const struct vt_chart_bar *bars, uint32_t n, FILE *out);

#endif
