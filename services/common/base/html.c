/*
 * What our HTML pages share: the data-quality scorecard and the model report look like one family,
 * and a text from outside is escaped in one place. Colours are variables, so that charts drawn in
 * SVG follow the reader's light or dark setting without a script.
 */
#include "services/common/base/html.h"

static const char STYLE[] =
    "<style>:root{--ink:#1c2430;--soft:#667085;--line:#e4e7ec;--paper:#fff;--back:#f5f6f8;"
    "--good:#1b8a5a;--fair:#c98a04;--poor:#c4362f;--hue:#3056d3;--hue2:#d9772b}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2b3442;"
    "--paper:#171d27;--back:#0f141c;--hue:#7d9bff;--hue2:#f2a15f;--good:#3cc48a;--fair:#e3ad3a;"
    "--poor:#f0736b}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;margin:0 0 4px}"
    "h2{font-size:17px;margin:0 0 12px}p{margin:0 0 8px;color:var(--soft)}"
    "section{background:var(--paper);border:1px solid var(--line);border-radius:12px;"
    "padding:20px;margin-top:18px;overflow-x:auto}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:14px;"
    "margin-top:18px}.cards section{margin:0;text-align:center}.two{display:grid;"
    "grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:18px}"
    "table{border-collapse:collapse;width:100%;font-size:14px}th{text-align:left;color:var(--soft);"
    "font-weight:600;white-space:nowrap}th,td{padding:6px 10px 6px 0;border-bottom:1px solid "
    "var(--line);vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font:13px ui-monospace,Menlo,Consolas,monospace}.small{font-size:13px;color:var(--soft)}"
    ".tag{border:1px solid var(--line);border-radius:99px;padding:1px 8px;font-size:12px}"
    ".value{font-size:28px;font-weight:700;color:var(--ink);line-height:1.2;"
    "font-variant-numeric:tabular-nums}.good{color:var(--good)}.poor{color:var(--poor)}"
    "ol,ul{margin:0;padding-left:20px}"
    "svg text{fill:var(--soft);font-size:12px}svg .big{fill:var(--ink);font-weight:700}"
    "svg .ink{fill:var(--ink)}svg .grid{stroke:var(--line)}"
    ".ring{stroke:var(--line)}</style>";

void vt_html_begin(const char *title, FILE *out)
{
    fputs("<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
          "content='width=device-width,initial-scale=1'><title>",
          out);
    vt_html_text(vt_slice_str(title), out);
    fputs("</title>", out);
    fputs(STYLE, out);
    fputs("</head><body><main>", out);
}

void vt_html_end(FILE *out)
{
    fputs("</main></body></html>\n", out);
}

static const char *entity_of(char byte)
{
    switch (byte) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void vt_html_text(struct vt_slice text, FILE *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char byte = text.data[i], *entity = entity_of(byte);
        if (entity != NULL)
            fputs(entity, out);
        else
            fputc((unsigned char)byte < ' ' || byte == 0x7F ? ' ' : byte, out);
    }
}

void vt_html_number(uint64_t number, FILE *out)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            fputs("&#8239;", out);
        fputc(digits[i], out);
    }
}
