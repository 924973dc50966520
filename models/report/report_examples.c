/*
 * What some customers would see: the page's only words from outside. Customers are chosen by a hash
 * and not named; lists are the model's alone, before stock, rules and diversity.
 */
#include "models/report/report_internal.h"
#include "services/common/base/html.h"

#include <inttypes.h>

static void list(const char (*titles)[VT_REPORT_TITLE_BYTES], uint32_t n, const char *tag,
                 FILE *out)
{
    fprintf(out, "<%s>", tag);
    for (uint32_t i = 0; i < n; i++) {
        fputs("<li>", out);
        vt_html_text(vt_slice_str(titles[i]), out);
        fputs("</li>", out);
    }
    fprintf(out, "</%s>", tag);
}

static void example(const struct vt_report_example *one, FILE *out)
{
    fputs("<tr><td class='n'>", out);
    vt_html_number(one->n_history, out);
    fputs("</td><td>", out);
    list(one->seen, one->n_seen, "ul", out);
    fputs("</td><td>", out);
    list(one->shown, one->n_shown, "ol", out);
    fputs("</td></tr>", out);
}

void vt__report_examples(const struct vt_report_data *data, FILE *out)
{
    if (data->n_examples == 0)
        return;
    fputs("<section><h2>What some customers would see</h2><p class='small'>The model’s own lists, "
          "before stock, rules and diversity. Customers are drawn by lot, one from each group by "
          "length of history.</p><table><tr><th class='n'>items</th><th>their newest</th><th>would "
          "get</th></tr>",
          out);
    for (uint32_t i = 0; i < data->n_examples; i++)
        example(&data->examples[i], out);
    fputs("</table></section>", out);
}
