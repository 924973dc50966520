/*
 * The scorecard as one page that can be mailed around: style and SVG charts inside, no script,
 * nothing loaded from anywhere. Texts of the files are escaped; they come from outside.
 */
#include "services/common/base/html.h"
#include "services/common/base/time_text.h"
#include "services/ingest/fields.h"
#include "services/ingest/ingest.h"

#include <string.h>

static const char *color_of(double percent)
{
    return percent >= 98 ? "var(--good)" : percent >= 90 ? "var(--fair)" : "var(--poor)";
}

static const double RING_RADIUS = 44, RING_LENGTH = 276.46; /* 2 π r */

static void ring(const char *name, const char *meaning, const struct vt_dimension_score *score,
                 FILE *out)
{
    fprintf(
        out,
        "<section><svg viewBox='0 0 120 120' width='120' role='img' aria-label='%s %.2f %%'>"
        "<circle class='ring' cx='60' cy='60' r='%g' fill='none' stroke-width='10'/>"
        "<circle cx='60' cy='60' r='%g' fill='none' stroke='%s' stroke-width='10' "
        "stroke-linecap='round' stroke-dasharray='%.2f 999' transform='rotate(-90 60 60)'/>"
        "<text class='big' x='60' y='66' text-anchor='middle' style='font-size:19px'>%.1f</text>"
        "</svg><h2>%s</h2><p class='small'>%s</p><p class='small'>",
        name, score->percent, RING_RADIUS, RING_RADIUS, color_of(score->percent),
        RING_LENGTH * score->percent / 100, score->percent, name, meaning);
    vt_html_number(score->passed, out);
    fputs(" of ", out);
    vt_html_number(score->checked, out);
    fputs(" rows</p></section>", out);
}

static void rings(const struct vt_ingest_result *result, FILE *out)
{
    fputs("<div class='cards'>", out);
    for (unsigned d = 0; d < VT_DIMENSION_COUNT; d++)
        ring(vt_dimension_name((enum vt_dimension)d), vt_dimension_meaning((enum vt_dimension)d),
             &result->scores[d], out);
    fputs("</div>", out);
}

/* ---- what became of the rows: one bar ---- */
struct part {
    const char *name, *color;
    uint64_t n;
};

static void stacked_bar(const struct part *parts, size_t n_parts, uint64_t total, FILE *out)
{
    double x = 0;
    fputs("<svg viewBox='0 0 1000 34' width='100%' height='34' preserveAspectRatio='none' "
          "role='img' aria-label='what became of the rows'>",
          out);
    for (size_t i = 0; i < n_parts && total > 0; i++) {
        double width = 1000.0 * (double)parts[i].n / (double)total;
        fprintf(out, "<rect x='%.2f' y='0' width='%.2f' height='34' fill='%s'/>", x, width,
                parts[i].color);
        x += width;
    }
    fputs("</svg><p class='small'>", out);
    for (size_t i = 0; i < n_parts; i++) {
        fprintf(out, "<span style='color:%s'>&#9632;</span> %s ", parts[i].color, parts[i].name);
        vt_html_number(parts[i].n, out);
        fputs(" &nbsp; ", out);
    }
    fputs("</p>", out);
}

static void fates(const struct vt_ingest_result *result, FILE *out)
{
    const struct vt_row_counts *rows = &result->rows;
    const struct part parts[] = {
        {"accepted", "var(--good)", rows->accepted},    {"duplicates", "#8a94a6", rows->duplicates},
        {"dropped by rules", "#5b6ee1", rows->dropped}, {"for review", "var(--fair)", rows->review},
        {"rejected", "var(--poor)", rows->rejected},
    };
    fputs("<section><h2>What became of ", out);
    vt_html_number(rows->read, out);
    fputs(" rows</h2>", out);
    stacked_bar(parts, sizeof parts / sizeof parts[0], rows->read, out);
    fputs("</section>", out);
}

/* ---- columns over time, and of quality ---- */
enum { CHART_WIDTH = 460, CHART_HEIGHT = 150, CHART_TOP = 18 };

static void column(double x, double width, uint64_t n, uint64_t most, const char *label, FILE *out)
{
    double height = most > 0 ? (double)n / (double)most * CHART_HEIGHT : 0;
    fprintf(out,
            "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' rx='2' fill='var(--hue)'>"
            "<title>%s: %llu</title></rect>",
            x, CHART_TOP + CHART_HEIGHT - height, width, height, label, (unsigned long long)n);
}

static void month_chart(const struct vt_ingest_result *result, FILE *out)
{
    unsigned first = VT_MONTHS_MAX, last = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < VT_MONTHS_MAX; i++) {
        if (result->months[i] == 0)
            continue;
        first = first < i ? first : i;
        last = i;
        most = most > result->months[i] ? most : result->months[i];
    }
    if (most == 0)
        return;
    double step = (double)CHART_WIDTH / (last - first + 1);
    unsigned every = (last - first) / 6 + 1;
    fprintf(out, "<section><h2>Events per month</h2><svg viewBox='0 0 %d %d' width='100%%'>",
            CHART_WIDTH, CHART_HEIGHT + CHART_TOP + 24);
    for (unsigned i = first; i <= last; i++) {
        char label[16];
        snprintf(label, sizeof label, "%04u-%02u", 2000 + i / 12, i % 12 + 1);
        double x = (i - first) * step;
        column(x + step * .1, step * .8, result->months[i], most, label, out);
        if ((i - first) % every == 0 && x < CHART_WIDTH - 44) /* room for the label */
            fprintf(out, "<text x='%.1f' y='%d'>%s</text>", x, CHART_HEIGHT + CHART_TOP + 18,
                    label);
    }
    fprintf(out, "<text x='0' y='12'>up to %llu a month</text></svg></section>",
            (unsigned long long)most);
}

static void quality_chart(const struct vt_ingest_result *result, FILE *out)
{
    double step = (double)CHART_WIDTH / VT_QUALITY_BINS;
    fprintf(out,
            "<section><h2>Quality of the rows, 0 to 100</h2><svg viewBox='0 0 %d %d' "
            "width='100%%'>",
            CHART_WIDTH, CHART_HEIGHT + CHART_TOP + 24);
    for (unsigned i = 0; i < VT_QUALITY_BINS; i++) {
        char label[24];
        uint64_t n = result->quality[i];
        snprintf(label, sizeof label, "%u–%u", i * 10, i == 9 ? 100 : i * 10 + 9);
        /* counts of bins span decades: the height is their share, with a sliver for any */
        column(i * step + step * .1, step * .8, n, result->rows.read, label, out);
        fprintf(out, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>", (i + .5) * step,
                CHART_HEIGHT + CHART_TOP + 18, label);
        if (n > 0)
            fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%llu</text>",
                    (i + .5) * step,
                    CHART_TOP - 5 + CHART_HEIGHT * (1 - (double)n / (double)result->rows.read),
                    (unsigned long long)n);
    }
    fputs("</svg></section>", out);
}

/* ---- completeness of fields ---- */
static void field_rows(const struct vt_ingest_result *result, enum vt_record_kind kind, FILE *out)
{
    size_t n;
    const struct vt_field_spec *fields = vt_fields(kind, &n);
    uint64_t rows = result->rows_of_kind[kind];
    for (size_t i = 0; i < n && rows > 0; i++) {
        double percent = 100.0 * (double)result->filled[kind][i] / (double)rows;
        if (result->filled[kind][i] == 0 && !fields[i].expected)
            continue;
        fprintf(out,
                "<tr><td>%s</td><td><code>%s</code></td><td width='45%%'><svg viewBox='0 0 100 8' "
                "width='100%%' height='10' preserveAspectRatio='none'><rect width='100' height='8' "
                "rx='2' fill='var(--line)'/><rect width='%.2f' height='8' rx='2' fill='%s'/></svg>"
                "</td><td class='n'>%.2f %%</td><td class='n'>",
                vt_record_kind_name(kind), fields[i].name, percent,
                fields[i].expected ? color_of(percent) : "var(--hue)", percent);
        vt_html_number(result->filled[kind][i], out);
        fputs("</td></tr>", out);
    }
}

static void field_table(const struct vt_ingest_result *result, FILE *out)
{
    fputs("<section><h2>How often each field is told</h2><table><tr><th>row</th><th>field</th>"
          "<th></th><th class='n'>share</th><th class='n'>rows</th></tr>",
          out);
    for (unsigned kind = 0; kind < VT_RECORD_KIND_COUNT; kind++)
        field_rows(result, (enum vt_record_kind)kind, out);
    fputs("</table></section>", out);
}

static void tally_row(const struct vt_ingest_result *result, const char *name,
                      const char *dimension, const char *action, const char *summary,
                      const struct vt_tally *tally, FILE *out)
{
    fprintf(out,
            "<tr><td><code>%s</code><div class='small'>%s</div></td><td>%s</td>"
            "<td><span class='tag'>%s</span></td><td class='n'>",
            name, summary, dimension, action);
    vt_html_number(tally->n, out);
    fputs("</td><td class='small'>", out);
    for (size_t i = 0; i < VT_EXAMPLES_MAX && i < tally->n; i++) {
        if (result->n_files > 1) {
            const char *path = result->files[tally->examples[i].file].path;
            const char *slash = strrchr(path, '/');
            vt_html_text(vt_slice_str(slash != NULL ? slash + 1 : path), out);
            fputc(' ', out);
        }
        fprintf(out, "line %llu: ", (unsigned long long)tally->examples[i].line);
        vt_html_text(vt_slice_str(tally->examples[i].text), out);
        fputs("<br>", out);
    }
    fputs("</td></tr>", out);
}

static void rule_table(const struct vt_ingest_result *result, FILE *out)
{
    static const char *const actions[] = {
        [VT_RULE_NOTE] = "note",
        [VT_RULE_HOLD] = "review",
        [VT_RULE_DUPLICATE] = "duplicate",
        [VT_RULE_DROP] = "dropped",
    };
    fputs("<section><h2>Rules that caught something</h2><table><tr><th>rule</th><th>dimension</th>"
          "<th>action</th><th class='n'>rows</th><th>examples</th></tr>",
          out);
    for (unsigned i = 0; i < VT_RULE_COUNT; i++) {
        const struct vt_rule_info *info = vt_rule_info((enum vt_rule)i);
        if (result->rules[i].n > 0)
            tally_row(result, info->name, vt_dimension_name(info->dimension), actions[info->action],
                      info->summary, &result->rules[i], out);
    }
    if (result->rejects.n > 0)
        tally_row(result, "unreadable", "validity", "rejected", "rows that cannot be read",
                  &result->rejects, out);
    fputs("</table></section>", out);
}

static void heading(const struct vt_ingest_result *result, FILE *out)
{
    char first[VT_TIME_TEXT_BYTES], last[VT_TIME_TEXT_BYTES];
    fprintf(out, "<h1>Data quality: %.1f %%</h1><p>", result->score);
    for (size_t i = 0; i < result->n_files; i++) {
        fputs(i > 0 ? ", " : "", out);
        vt_html_text(vt_slice_str(result->files[i].path), out);
    }
    fputs("</p>", out);
    if (result->last_event_ms == 0)
        return;
    vt_time_print(result->first_event_ms, first);
    vt_time_print(result->last_event_ms, last);
    fprintf(out, "<p>Events from %.10s to %.10s%s%s. %s</p>", first, last,
            result->currency[0] != '\0' ? ", amounts in " : "", result->currency,
            result->written ? "" : "Nothing was written.");
}

void vt_report_html(const struct vt_ingest_result *result, FILE *out)
{
    vt_html_begin("Vitrine: data quality", out);
    heading(result, out);
    rings(result, out);
    fates(result, out);
    fputs("<div class='two'>", out);
    month_chart(result, out);
    quality_chart(result, out);
    fputs("</div>", out);
    rule_table(result, out);
    field_table(result, out);
    vt_html_end(out);
}
