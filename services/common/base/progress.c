/*
 * A bar or a line. The bar is redrawn in place with a carriage return and an erase-to-end sequence;
 * the rate limit is here, so that callers may report after every block without thinking about it.
 * Time comes from the monotonic clock directly: what people see has no use for a fake one.
 */
#include "services/common/base/progress.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24, REDRAW_NS = 100 * 1000 * 1000 };
static const int64_t SECOND_NS = 1000 * 1000 * 1000;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

void vt_progress_begin(struct vt_progress *progress, FILE *out, const char *label, const char *unit,
                       uint64_t total)
{
    int64_t now = now_ns();
    *progress = (struct vt_progress){
        .out = out,
        .label = label,
        .unit = unit,
        .total = total,
        .started_ns = now,
        .shown_ns = now,
        .terminal = out != NULL && isatty(fileno(out)) == 1,
    };
}

static void print_bar(const struct vt_progress *progress, double share)
{
    char cells[BAR_CELLS + 1];
    int full = (int)(share * BAR_CELLS);
    for (int i = 0; i < BAR_CELLS; i++)
        cells[i] = i < full ? '#' : '.';
    cells[BAR_CELLS] = '\0';
    fprintf(progress->out, "[%s] ", cells);
}

static void print_state(const struct vt_progress *progress, uint64_t done, double elapsed_s)
{
    fprintf(progress->out, "%s ", progress->label);
    if (progress->total == 0) {
        fprintf(progress->out, "%" PRIu64 " %s, %.0f s", done, progress->unit, elapsed_s);
        return;
    }
    double share = (double)done / (double)progress->total;
    share = share > 1 ? 1 : share;
    if (progress->terminal)
        print_bar(progress, share);
    fprintf(progress->out, "%3.0f %%, %" PRIu64 " of %" PRIu64 " %s", share * 100, done,
            progress->total, progress->unit);
    if (share > 0)
        fprintf(progress->out, ", about %.0f s left", elapsed_s * (1 - share) / share);
}

void vt_progress_update(struct vt_progress *progress, uint64_t done)
{
    if (progress->out == NULL)
        return;
    int64_t now = now_ns();
    int64_t pause = progress->terminal ? REDRAW_NS : VT_PROGRESS_LINE_S * SECOND_NS;
    if (now - progress->shown_ns < pause)
        return;
    progress->shown_ns = now;
    progress->shown = true;
    if (progress->terminal)
        fputs("\r\033[K", progress->out);
    print_state(progress, done, (double)(now - progress->started_ns) / 1e9);
    if (!progress->terminal)
        fputc('\n', progress->out);
    fflush(progress->out);
}

void vt_progress_end(struct vt_progress *progress, uint64_t done)
{
    if (progress->out == NULL)
        return;
    double elapsed_s = (double)(now_ns() - progress->started_ns) / 1e9;
    if (progress->terminal && progress->shown)
        fputs("\r\033[K", progress->out);
    fprintf(progress->out, "%s: %" PRIu64 " %s in %.1f s\n", progress->label, done, progress->unit,
            elapsed_s);
    fflush(progress->out);
}
