#ifndef VT_BASE_PLOT_H
#define VT_BASE_PLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Curves as SVG, for measurements that span powers of ten: several series on one pair of axes, each
 * linear, logarithmic, or by nines (90 %, 99 %, 99.9 % at even distances). Colours are the page's
 * variables. Labels and names are HTML already (text from outside is escaped before). Each writes
 * one <svg>; same input, same bytes. Any thread.
 */
enum vt_plot_scale { VT_PLOT_LINEAR, VT_PLOT_LOG, VT_PLOT_NINES };
enum vt_plot_unit { VT_PLOT_NUMBER, VT_PLOT_US, VT_PLOT_SECONDS, VT_PLOT_BYTES, VT_PLOT_PERCENT };

struct vt_plot_axis {
    const char *label;
    enum vt_plot_scale scale; /* by nines: values are shares of 1 */
    enum vt_plot_unit unit;
    double low, high; /* both 0: from the data; linear y begins at 0 */
};

/* xs ascending; a y that is not finite (or on a log axis not above 0) is a gap. */
struct vt_plot_series {
    const char *name;  /* in the legend; NULL: not there */
    const char *color; /* "var(--hue)" */
    const double *xs, *ys;
    uint32_t n;
    bool area;   /* filled down to the axis */
    bool dots;   /* a dot at every point */
    bool dashed; /* of what is only for comparison */
};

/* A moment or a place on x that the text points at. */
struct vt_plot_mark {
    double x;
    const char *label;
};

struct vt_plot {
    struct vt_plot_axis x, y;
    const struct vt_plot_series *series;
    uint32_t n_series;
    const struct vt_plot_mark *marks;
    uint32_t n_marks;
    bool wide; /* for a whole page's width, otherwise half */
};

/* Without a point that can be drawn a line says so. O(points). */
void vt_plot(const struct vt_plot *plot, FILE *out);

#endif
