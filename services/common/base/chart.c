/*
 * SVG by hand: a chart is a rectangle of the page's width, a scale of round numbers, and marks.
 * Sizes are in the viewBox's units, about a pixel each at the width of half a page. Numbers are
 * printed with one digit behind the point: more would not be seen.
 */
#include "services/common/base/chart.h"

#include "services/common/base/html.h"

#include <math.h>

enum {
    WIDTH = 500,
    HEIGHT = 240,
    LEFT = 58,
    RIGHT = 14,
    TOP = 30,
    BOTTOM = 44,
    ROW_HEIGHT = 30,
    NAME_WIDTH = 150,
    TICKS = 5,
};

/* ---- scales ---- */

/* From low to high in steps of 1, 2 or 5 · 10^n. */
struct scale {
    double low, high, step;
};

static struct scale scale_over(double low, double high)
{
    if (!(high > low)) {
        double margin = fabs(low) > 0 ? fabs(low) * 0.1 : 1;
        low -= margin;
        high += margin;
    }
    double rough = (high - low) / TICKS, power = pow(10, floor(log10(rough)));
    double share = rough / power;
    double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
    return (struct scale){floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step};
}

static double place(const struct scale *scale, double value, double from, double to)
{
    return from + (value - scale->low) / (scale->high - scale->low) * (to - from);
}

static int n_steps(const struct scale *scale)
{
    return (int)lround((scale->high - scale->low) / scale->step);
}

/* So many digits that neighbouring ticks differ. */
static void print_tick(const struct scale *scale, double value, bool percent, FILE *out)
{
    if (percent) {
        fprintf(out, "%g&#8239;%%", round(value * 1e4) / 100);
        return;
    }
    if (fabs(value) >= 1e6) {
        fprintf(out, "%.3g M", value / 1e6);
        return;
    }
    int digits = (int)ceil(-log10(scale->step) - 1e-9);
    fprintf(out, "%.*f", digits > 0 ? digits : 0, fabs(value) < scale->step / 2 ? 0.0 : value);
}

static void begin(int height, const char *what, FILE *out)
{
    fprintf(out, "<svg viewBox='0 0 %d %d' width='100%%' role='img' aria-label='%s'>", WIDTH,
            height, what);
}

static void y_axis(const struct scale *scale, const char *label, bool percent, FILE *out)
{
    fprintf(out, "<text x='0' y='12'>%s</text>", label);
    for (int i = 0; i <= n_steps(scale); i++) {
        double value = scale->low + i * scale->step;
        double y = place(scale, value, HEIGHT - BOTTOM, TOP);
        fprintf(out,
                "<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/><text x='%d' y='%.1f' "
                "text-anchor='end'>",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 7, y + 4);
        print_tick(scale, value, percent, out);
        fputs("</text>", out);
    }
}

static void x_title(const char *label, int height, FILE *out)
{
    fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%s</text>", (LEFT + WIDTH - RIGHT) / 2,
            height - 6, label);
}

/* ---- a line ---- */

static void span_of(const struct vt_chart_line *line, double *ret_low, double *ret_high,
                    uint32_t *ret_best)
{
    *ret_best = UINT32_MAX;
    for (uint32_t i = 0; i < line->n; i++) {
        double y = line->ys[i];
        if (!isfinite(y) || y < line->gap_below)
            continue;
        bool first = *ret_best == UINT32_MAX;
        *ret_low = first || y < *ret_low ? y : *ret_low;
        *ret_best = first || y > line->ys[*ret_best] ? i : *ret_best;
        *ret_high = line->ys[*ret_best];
    }
}

static void mark_best(double x, double y, double value, FILE *out)
{
    bool late = x > WIDTH - RIGHT - 60; /* no room on the right */
    fprintf(out,
            "<circle cx='%.1f' cy='%.1f' r='4.5' fill='var(--hue)'/><text class='big' x='%.1f' "
            "y='%.1f' text-anchor='%s'>%.4f</text>",
            x, y, late ? x : x + 8, y - 8, late ? "end" : "start", value);
}

static void x_ticks(const struct scale *scale, FILE *out)
{
    for (int i = 0; i <= n_steps(scale); i++) {
        double value = scale->low + i * scale->step;
        fprintf(out, "<text x='%.1f' y='%d' text-anchor='middle'>",
                place(scale, value, LEFT, WIDTH - RIGHT), HEIGHT - BOTTOM + 18);
        print_tick(scale, value, false, out);
        fputs("</text>", out);
    }
}

void vt_chart_line(const struct vt_chart_line *line, FILE *out)
{
    double low = 0, high = 0;
    uint32_t best;
    span_of(line, &low, &high, &best);
    if (best == UINT32_MAX)
        return;
    const struct scale y = scale_over(low, high);
    struct scale x = scale_over(line->xs[0], line->xs[line->n - 1]);
    x.step = x.step < 1 ? 1 : x.step; /* iterations are whole */
    x.low = floor(x.low / x.step) * x.step;
    x.high = ceil(x.high / x.step) * x.step;
    begin(HEIGHT, line->y_label, out);
    y_axis(&y, line->y_label, false, out);
    x_ticks(&x, out);
    fputs("<path fill='none' stroke='var(--hue)' stroke-width='2.2' stroke-linejoin='round' d='",
          out);
    bool drawn = false;
    for (uint32_t i = 0; i < line->n; i++) {
        if (!isfinite(line->ys[i]) || line->ys[i] < line->gap_below)
            continue;
        fprintf(out, "%c%.1f %.1f", drawn ? 'L' : 'M', place(&x, line->xs[i], LEFT, WIDTH - RIGHT),
                place(&y, line->ys[i], HEIGHT - BOTTOM, TOP));
        drawn = true;
    }
    fputs("'/>", out);
    if (line->mark_best)
        mark_best(place(&x, line->xs[best], LEFT, WIDTH - RIGHT),
                  place(&y, high, HEIGHT - BOTTOM, TOP), high, out);
    x_title(line->x_label, HEIGHT, out);
    fputs("</svg>", out);
}

/* ---- columns ---- */

static void column(const struct vt_chart_columns *columns, const struct scale *scale, double value,
                   double x, double width, const char *color, FILE *out)
{
    double y = place(scale, value, HEIGHT - BOTTOM, TOP);
    fprintf(out, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' rx='2' fill='%s'><title>", x,
            y, width, HEIGHT - BOTTOM - y, color);
    if (columns->percent)
        fprintf(out, "%.2f&#8239;%%", value * 100);
    else
        fprintf(out, "%.0f", value);
    fputs("</title></rect>", out);
}

void vt_chart_columns(const struct vt_chart_columns *columns, FILE *out)
{
    double most = 0;
    for (uint32_t i = 0; i < columns->n; i++) {
        most = fmax(most, columns->first[i]);
        most = columns->second != NULL ? fmax(most, columns->second[i]) : most;
    }
    if (columns->n == 0 || !(most > 0))
        return;
    const struct scale scale = scale_over(0, most);
    const double step = (double)(WIDTH - LEFT - RIGHT) / columns->n, gap = step * 0.12;
    const double width = (step - 2 * gap) / (columns->second != NULL ? 2 : 1);
    begin(HEIGHT, columns->y_label, out);
    y_axis(&scale, columns->y_label, columns->percent, out);
    for (uint32_t i = 0; i < columns->n; i++) {
        double x = LEFT + i * step;
        column(columns, &scale, columns->first[i], x + gap, width - 1,
               columns->second != NULL ? "var(--soft)" : "var(--hue)", out);
        if (columns->second != NULL)
            column(columns, &scale, columns->second[i], x + gap + width, width - 1, "var(--hue)",
                   out);
        fprintf(out, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>", x + step / 2,
                HEIGHT - BOTTOM + 18, columns->names[i]);
    }
    x_title(columns->x_label, HEIGHT, out);
    fputs("</svg>", out);
}

/* ---- intervals ---- */

static void interval_axis(const struct scale *scale, int bottom, FILE *out)
{
    for (int i = 0; i <= n_steps(scale); i++) {
        double value = scale->low + i * scale->step;
        double x = place(scale, value, NAME_WIDTH, WIDTH - RIGHT - 8);
        fprintf(out,
                "<line class='grid' x1='%.1f' x2='%.1f' y1='4' y2='%d'/><text x='%.1f' y='%d' "
                "text-anchor='middle'>",
                x, x, bottom, x, bottom + 16);
        print_tick(scale, value, false, out);
        fputs("</text>", out);
    }
}

static void interval_row(const struct scale *scale, const struct vt_chart_row *row, double y,
                         FILE *out)
{
    const double low = place(scale, row->low, NAME_WIDTH, WIDTH - RIGHT - 8);
    const double high = place(scale, row->high, NAME_WIDTH, WIDTH - RIGHT - 8);
    fprintf(out,
            "<text class='ink' x='0' y='%.1f'>%s</text><line x1='%.1f' x2='%.1f' y1='%.1f' "
            "y2='%.1f' stroke='var(--hue)' stroke-width='3' stroke-linecap='round' opacity='.45'/>"
            "<circle cx='%.1f' cy='%.1f' r='5' fill='var(--hue)'><title>%.4f, %.4f to %.4f</title>"
            "</circle>",
            y + 4, row->name, low, high, y, y,
            place(scale, row->mean, NAME_WIDTH, WIDTH - RIGHT - 8), y, row->mean, row->low,
            row->high);
}

void vt_chart_intervals(const char *x_label, const struct vt_chart_row *rows, uint32_t n, FILE *out)
{
    double most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = fmax(most, rows[i].high);
    if (n == 0 || !(most > 0))
        return;
    const struct scale scale = scale_over(0, most);
    const int bottom = (int)n * ROW_HEIGHT + 6, height = bottom + BOTTOM;
    begin(height, x_label, out);
    interval_axis(&scale, bottom, out);
    for (uint32_t i = 0; i < n; i++)
        interval_row(&scale, &rows[i], (i + 0.5) * ROW_HEIGHT + 3, out);
    fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%s</text></svg>",
            (NAME_WIDTH + WIDTH - RIGHT) / 2, height - 6, x_label);
}

/* ---- bars ---- */

void vt_chart_bars(const struct vt_chart_bar *bars, uint32_t n, FILE *out)
{
    enum { FROM = 110, TO = WIDTH - 100, THICK = 14, STEP = 26 };
    uint64_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = most > bars[i].n ? most : bars[i].n;
    if (most == 0)
        return;
    begin((int)n * STEP + 4, "counts", out);
    for (uint32_t i = 0; i < n; i++) {
        double y = i * STEP + 6, width = (double)bars[i].n / (double)most * (TO - FROM);
        fprintf(out,
                "<text class='ink' x='0' y='%.1f'>%s</text><rect x='%d' y='%.1f' width='%.1f' "
                "height='%d' rx='3' fill='var(--hue)'/><text x='%.1f' y='%.1f'>",
                y + 12, bars[i].name, FROM, y, fmax(width, 1.5), THICK, FROM + width + 8, y + 12);
        vt_html_number(bars[i].n, out);
        fputs("</text>", out);
    }
    fputs("</svg>", out);
}
