/* The parts that the pages of runs, sweeps and comparisons share. */
#include "loadtest/report_page.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void page_us(double us, FILE *out)
{
    if (us >= 1e6)
        fprintf(out, "%.3g&#8239;s", us * 1e-6);
    else if (us >= 1e3)
        fprintf(out, "%.3g&#8239;ms", us * 1e-3);
    else
        fprintf(out, "%.0f&#8239;&#181;s", us);
}

static void card_begin(const char *tone, FILE *out)
{
    fprintf(out, "<section><div class='value %s'>", tone);
}

static void card_end(const char *label, FILE *out)
{
    fprintf(out, "</div><p>%s</p></section>", label);
}

void page_card(const char *label, const char *tone, FILE *out, const char *format, ...)
{
    va_list arguments;
    card_begin(tone, out);
    va_start(arguments, format);
    vfprintf(out, format, arguments);
    va_end(arguments);
    card_end(label, out);
}

void page_card_us(const char *label, double us, FILE *out)
{
    card_begin("", out);
    page_us(us, out);
    card_end(label, out);
}

void page_plot(const char *title, const char *note, const struct vt_plot *plot, FILE *out)
{
    fprintf(out, "<section><h2>%s</h2>", title);
    vt_plot(plot, out);
    fprintf(out, "<p class='small'>%s</p></section>", note);
}

struct vt_err page_open(const char *path, struct vt_diag *diag, FILE **ret_out)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        vt_diag_set(diag, path, "%s", strerror(errno));
        return VT_ERR(VT_INTERNAL, "cannot write the report");
    }
    *ret_out = out;
    return vt_ok();
}

struct vt_err page_close(const char *path, FILE *out, struct vt_diag *diag)
{
    bool broken = ferror(out) != 0;
    if (fclose(out) != 0 || broken) {
        vt_diag_set(diag, path, "%s", errno != 0 ? strerror(errno) : "not all of it was written");
        return VT_ERR(VT_INTERNAL, "cannot write the report");
    }
    return vt_ok();
}
