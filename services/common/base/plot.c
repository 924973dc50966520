/*
 * A value becomes a coordinate in two steps: the axis' own scale (itself, its logarithm, or the
 * number of its nines), then a straight map onto the paper. Ticks are round numbers of the axis'
 * scale. As in chart.c one unit of the viewBox is about a pixel, and a tenth of it is printed.
 */
#include "services/common/base/plot.h"

#include <math.h>

enum {
    HEIGHT = 260,
    HALF_WIDTH = 500,
    WHOLE_WIDTH = 1020,
    LEFT = 62,
    RIGHT = 16,
    TOP = 34,
    BOTTOM = 44,
    TICKS = 5,
};

static const double NINES_MAX = 0.9999999;

/* An axis with its limits on its own scale, and where they are on the paper. */
struct axis {
    const struct vt_plot_axis *of;
    double low, high, from, to;
};

/* ---- scales ---- */

static double own_scale(enum vt_plot_scale scale, double value)
{
    switch (scale) {
    case VT_PLOT_LOG:
        return value > 0 ? log10(value) : NAN;
    case VT_PLOT_NINES:
        return -log10(1 - fmin(value, NINES_MAX));
    default:
        return value;
    }
}

static double place(const struct axis *axis, double value)
{
    double at = (own_scale(axis->of->scale, value) - axis->low) / (axis->high - axis->low);
    return axis->from + at * (axis->to - axis->from);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them make `span`. */
static double round_step(double span)
{
    double rough = span / TICKS, power = pow(10, floor(log10(rough))), share = rough / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static bool is_there(const struct vt_plot *plot, double x, double y)
{
    return isfinite(own_scale(plot->x.scale, x)) && isfinite(own_scale(plot->y.scale, y));
}

/* Limits of the data on the own scales; false when there are none. */
static bool span_of(const struct vt_plot *plot, struct axis *x, struct axis *y)
{
    x->low = y->low = INFINITY;
    x->high = y->high = -INFINITY;
    for (uint32_t s = 0; s < plot->n_series; s++)
        for (uint32_t i = 0; i < plot->series[s].n; i++) {
            double at_x = plot->series[s].xs[i], at_y = plot->series[s].ys[i];
            if (!is_there(plot, at_x, at_y))
                continue;
            x->low = fmin(x->low, own_scale(plot->x.scale, at_x));
            x->high = fmax(x->high, own_scale(plot->x.scale, at_x));
            y->low = fmin(y->low, own_scale(plot->y.scale, at_y));
            y->high = fmax(y->high, own_scale(plot->y.scale, at_y));
        }
    return x->low <= x->high;
}

/* To round numbers outwards, and never to nothing. */
static void settle(struct axis *axis, bool from_zero)
{
    const struct vt_plot_axis *of = axis->of;
    if (of->high > of->low) {
        axis->low = own_scale(of->scale, of->low);
        axis->high = own_scale(of->scale, of->high);
        return;
    }
    if (of->scale == VT_PLOT_LOG) {
        axis->low = floor(axis->low);
        axis->high = fmax(ceil(axis->high), axis->low + 1);
        return;
    }
    axis->low = from_zero ? fmin(axis->low, 0) : axis->low;
    if (!(axis->high > axis->low))
        axis->high = axis->low + 1;
    double step = round_step(axis->high - axis->low);
    if (from_zero)
        axis->high = ceil(axis->high / step - 1e-9) * step;
}

/* ---- numbers ---- */

static void print_si(double value, const char *unit, FILE *out)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    int power = 0;
    for (; fabs(value) >= 1000 && power < 4; power++)
        value /= 1000;
    fprintf(out, "%.4g", value);
    if (power > 0 || unit[0] != '\0')
        fprintf(out, "&#8239;%s%s", prefixes[power], unit);
}

static void print_value(enum vt_plot_unit unit, double value, FILE *out)
{
    switch (unit) {
    case VT_PLOT_US:
        if (value >= 1e6)
            fprintf(out, "%.4g&#8239;s", value * 1e-6);
        else if (value >= 1e3)
            fprintf(out, "%.4g&#8239;ms", value * 1e-3);
        else
            fprintf(out, "%.4g&#8239;&#181;s", value);
        break;
    case VT_PLOT_SECONDS:
        fprintf(out, "%.4g&#8239;s", value);
        break;
    case VT_PLOT_BYTES:
        print_si(value, "B", out);
        break;
    case VT_PLOT_PERCENT:
        fprintf(out, "%.6g&#8239;%%", value * 100);
        break;
    default:
        print_si(value, "", out);
    }
}

/* ---- axes ---- */

static void x_tick(const struct axis *axis, double value, FILE *out)
{
    double x = place(axis, value);
    fprintf(out,
            "<line class='grid' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/><text x='%.1f' y='%d' "
            "text-anchor='middle'>",
            x, x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 17);
    print_value(axis->of->unit, value, out);
    fputs("</text>", out);
}

static void y_tick(const struct axis *axis, double value, const struct axis *x, FILE *out)
{
    double y = place(axis, value);
    fprintf(out,
            "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/><text x='%.1f' y='%.1f' "
            "text-anchor='end'>",
            x->from, x->to, y, y, x->from - 7, y + 4);
    print_value(axis->of->unit, value, out);
    fputs("</text>", out);
}

static void tick(const struct axis *axis, double value, const struct axis *x, FILE *out)
{
    double at = own_scale(axis->of->scale, value), slack = (axis->high - axis->low) * 1e-9;
    if (at < axis->low - slack || at > axis->high + slack)
        return;
    if (axis == x)
        x_tick(axis, value, out);
    else
        y_tick(axis, value, x, out);
}

static void log_ticks(const struct axis *axis, const struct axis *x, FILE *out)
{
    static const double parts[] = {1, 2, 5};
    size_t n = axis->high - axis->low <= 2.01 ? 3 : 1;
    for (int power = (int)floor(axis->low); power <= (int)ceil(axis->high); power++)
        for (size_t i = 0; i < n; i++)
            tick(axis, parts[i] * pow(10, power), x, out);
}

static void nines_ticks(const struct axis *axis, const struct axis *x, FILE *out)
{
    static const double shares[] = {0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        tick(axis, shares[i], x, out);
}

static void linear_ticks(const struct axis *axis, const struct axis *x, FILE *out)
{
    double step = round_step(axis->high - axis->low);
    long first = lround(ceil(axis->low / step - 1e-9)), last = lround(axis->high / step + 0.499);
    for (long i = first; i <= last; i++)
        tick(axis, (double)i * step, x, out);
}

static void ticks(const struct axis *axis, const struct axis *x, FILE *out)
{
    switch (axis->of->scale) {
    case VT_PLOT_LOG:
        log_ticks(axis, x, out);
        break;
    case VT_PLOT_NINES:
        nines_ticks(axis, x, out);
        break;
    default:
        linear_ticks(axis, x, out);
    }
}

/* ---- curves ---- */

static void path_points(const struct vt_plot *plot, const struct vt_plot_series *series,
                        const struct axis *x, const struct axis *y, FILE *out)
{
    bool drawing = false;
    double last_x = 0, base = y->from;
    for (uint32_t i = 0; i < series->n; i++) {
        if (!is_there(plot, series->xs[i], series->ys[i])) {
            if (drawing && series->area)
                fprintf(out, "L%.1f %.1fZ", last_x, base);
            drawing = false;
            continue;
        }
        double at_x = place(x, series->xs[i]), at_y = place(y, series->ys[i]);
        if (!drawing && series->area)
            fprintf(out, "M%.1f %.1fL%.1f %.1f", at_x, base, at_x, at_y);
        else
            fprintf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', at_x, at_y);
        drawing = true;
        last_x = at_x;
    }
    if (drawing && series->area)
        fprintf(out, "L%.1f %.1fZ", last_x, base);
}

static void draw_dots(const struct vt_plot *plot, const struct vt_plot_series *series,
                      const struct axis *x, const struct axis *y, FILE *out)
{
    for (uint32_t i = 0; i < series->n; i++) {
        if (!is_there(plot, series->xs[i], series->ys[i]))
            continue;
        fprintf(out, "<circle cx='%.1f' cy='%.1f' r='3.5' fill='%s'><title>",
                place(x, series->xs[i]), place(y, series->ys[i]), series->color);
        print_value(plot->x.unit, series->xs[i], out);
        fputs(", ", out);
        print_value(plot->y.unit, series->ys[i], out);
        fputs("</title></circle>", out);
    }
}

static void draw_series(const struct vt_plot *plot, const struct vt_plot_series *series,
                        const struct axis *x, const struct axis *y, FILE *out)
{
    if (series->area)
        fprintf(out, "<path fill='%s' fill-opacity='.3' stroke='none' d='", series->color);
    else
        fprintf(out, "<path fill='none' stroke='%s' stroke-width='2' stroke-linejoin='round'%s d='",
                series->color, series->dashed ? " stroke-dasharray='5 4'" : "");
    path_points(plot, series, x, y, out);
    fputs("'/>", out);
    if (series->dots)
        draw_dots(plot, series, x, y, out);
}

/* On the right, where the y axis' label is not. */
static void draw_legend(const struct vt_plot *plot, double right, FILE *out)
{
    const char *gap = "";
    fprintf(out, "<text x='%.1f' y='12' text-anchor='end'>", right);
    for (uint32_t i = 0; i < plot->n_series; i++) {
        const struct vt_plot_series *series = &plot->series[i];
        if (series->name == NULL)
            continue;
        fprintf(out, "%s<tspan style='fill:%s'>&#9679;</tspan> %s", gap, series->color,
                series->name);
        gap = "&#8195;";
    }
    fputs("</text>", out);
}

static void draw_marks(const struct vt_plot *plot, const struct axis *x, FILE *out)
{
    for (uint32_t i = 0; i < plot->n_marks; i++) {
        double at = place(x, plot->marks[i].x);
        bool late = at > (x->from + x->to) / 2;
        fprintf(out,
                "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='var(--soft)' "
                "stroke-dasharray='3 3'/><text class='ink' x='%.1f' y='%d' "
                "text-anchor='%s'>%s</text>",
                at, at, TOP, HEIGHT - BOTTOM, late ? at - 6 : at + 6, TOP + 13,
                late ? "end" : "start", plot->marks[i].label);
    }
}

void vt_plot(const struct vt_plot *plot, FILE *out)
{
    const int width = plot->wide ? WHOLE_WIDTH : HALF_WIDTH;
    struct axis x = {.of = &plot->x, .from = LEFT, .to = width - RIGHT};
    struct axis y = {.of = &plot->y, .from = HEIGHT - BOTTOM, .to = TOP};
    fprintf(out, "<svg viewBox='0 0 %d %d' width='100%%' role='img' aria-label='%s'>", width,
            HEIGHT, plot->y.label);
    if (!span_of(plot, &x, &y)) {
        fprintf(out, "<text x='%d' y='%d'>nothing to draw</text></svg>", LEFT, HEIGHT / 2);
        return;
    }
    settle(&x, false);
    settle(&y, true);
    fprintf(out, "<text x='0' y='12'>%s</text>", plot->y.label);
    ticks(&y, &x, out);
    ticks(&x, &x, out);
    draw_legend(plot, width - RIGHT, out);
    for (uint32_t i = 0; i < plot->n_series; i++)
        draw_series(plot, &plot->series[i], &x, &y, out);
    draw_marks(plot, &x, out);
    fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%s</text></svg>",
            (LEFT + width - RIGHT) / 2, HEIGHT - 6, plot->x.label);
}
