/*
 * The page as a whole: heading, then the sections in the order of what is asked first: is it good,
 * for whom, what does it favour, what would it show, what changed, what was it made of. Written
 * once, when the version is stored, and kept in it; a page about a version without one (of an
 * earlier release, or imported) is made from what the version itself holds.
 */
#include "models/report/report_internal.h"
#include "services/common/base/html.h"
#include "services/common/base/text.h"
#include "services/common/base/time_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what training fills in ---- */

static const struct {
    const char *name;
    uint64_t from;
} segments[VT_REPORT_CUSTOMERS] = {
    [VT_REPORT_UNKNOWN] = {"nothing yet", 0},         [VT_REPORT_NEW] = {"new: 1–4 items", 1},
    [VT_REPORT_LIGHT] = {"light: 5–19", 5},           [VT_REPORT_REGULAR] = {"regular: 20–99", 20},
    [VT_REPORT_HEAVY] = {"heavy: 100 and more", 100},
};

enum vt_report_customers vt_report_customers_of(uint64_t n_items)
{
    unsigned segment = VT_REPORT_HEAVY;
    while (segments[segment].from > n_items)
        segment--;
    return (enum vt_report_customers)segment;
}

const char *vt_report_customers_name(enum vt_report_customers segment)
{
    return segments[segment].name;
}

uint32_t vt_report_bin(uint64_t n)
{
    uint32_t bin = 0;
    while (n > 1 && bin < VT_REPORT_BINS - 1) {
        n /= 2;
        bin++;
    }
    return bin;
}

void vt_report_title(struct vt_slice text, char ret_title[VT_REPORT_TITLE_BYTES])
{
    static const char ellipsis[] = "…";
    const size_t room = VT_REPORT_TITLE_BYTES - sizeof ellipsis;
    size_t len = 0, next = 0;
    while (next < text.len && next <= room) {
        size_t step = vt_text_sequence_bytes(text, next);
        len = next;
        next += step > 0 ? step : 1;
    }
    if (next >= text.len && text.len <= room)
        len = text.len;
    memcpy(ret_title, text.data != NULL ? text.data : "", len);
    memcpy(ret_title + len, ellipsis, sizeof ellipsis);
    if (len == text.len)
        ret_title[len] = '\0';
}

/* ---- the page ---- */

bool vt__report_metric(const struct vt_bundle_metric *metrics, uint32_t n, const char *name,
                       double *ret_value)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(metrics[i].name, name) != 0)
            continue;
        *ret_value = metrics[i].value;
        return true;
    }
    return false;
}

static void heading(const struct vt_bundle_view *view, const struct vt_report_data *data, FILE *out)
{
    char created[VT_TIME_TEXT_BYTES], first[VT_TIME_TEXT_BYTES], last[VT_TIME_TEXT_BYTES];
    vt_time_print(view->create_time_ms, created);
    vt_time_print(view->first_time_ms, first);
    vt_time_print(view->last_time_ms, last);
    fputs("<h1>Model ", out);
    vt_html_text(vt_slice_str(view->version), out);
    fputs("</h1><p><b>", out);
    vt_html_text(vt_slice_str(view->algorithm), out);
    fputs("</b>", out);
    if (view->dim > 0)
        fprintf(out, ", %" PRIu32 " factors", view->dim);
    fprintf(out, " · made %.10s %.5s UTC", created, created + 11);
    if (data->timed)
        fprintf(out, " · from events of %.10s to %.10s", first, last);
    fputs("</p>", out);
}

static void write_page(const struct vt_bundle_view *view, const struct vt_report_data *data,
                       FILE *out)
{
    char title[VT_VERSION_BYTES_MAX + 32];
    snprintf(title, sizeof title, "Vitrine: model %s", view->version);
    vt_html_begin(title, out);
    heading(view, data, out);
    vt__report_cards(view, data, out);
    vt__report_segments(data, out);
    vt__report_curves(view, out);
    vt__report_favoured(data, out);
    vt__report_examples(data, out);
    vt__report_parent(view, data, out);
    vt__report_data_section(view, data, out);
    vt_html_end(out);
}

struct vt_err vt_report_page(const struct vt_bundle_view *view, const struct vt_report_data *data,
                             char **ret_html, size_t *ret_len)
{
    static const struct vt_report_data nothing;
    char *html = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&html, &len);
    VT_CHECK(out != NULL, VT_EXHAUSTED, "out of memory for the report");
    write_page(view, data != NULL ? data : &nothing, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(html);
        return VT_ERR(VT_EXHAUSTED, "out of memory for the report");
    }
    *ret_html = html;
    *ret_len = len;
    return vt_ok();
}
