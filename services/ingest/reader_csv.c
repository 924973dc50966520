/*
 * Tables with a header, by libcsv. Lines are fed one by one, so that a row knows the line it begins
 * at even when quoted cells hold line ends. A row is bounded in bytes and columns: a quote that is
 * never closed costs one rejected row of at most a mebibyte, and reading goes on behind it.
 */
#include "services/ingest/reader_csv.h"

#include "services/common/base/text.h"
#include "services/ingest/source.h"
#include "services/ingest/text_clean.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = VT_ROW_CELLS_MAX, MAPS_MAX = 64, COLUMN_SHOWN_BYTES = 32 };

struct csv {
    struct vt_reader_output out;
    struct csv_parser parser;
    const char *maps[MAPS_MAX]; /* borrowed, "field=column" */
    size_t n_maps;
    enum vt_record_kind kind;
    bool has_header;
    int columns[COLUMNS_MAX]; /* field of each, -1 none */
    size_t n_columns;

    uint64_t row_line; /* where the row began */
    size_t row_bytes;  /* fed since then */
    char *bytes;       /* cells of the row, end to end: VT_LINE_BYTES_MAX */
    size_t n_bytes;
    struct vt_slice cells[COLUMNS_MAX];
    size_t n_cells;
    bool overflow;        /* more columns or bytes than fit */
    struct vt_err err;    /* of the row callback */
    struct vt_diag *diag; /* borrowed during a line */
};

/* ---- cells and rows as libcsv finds them ---- */
static void on_cell(void *data, size_t len, void *ctx)
{
    struct csv *csv = ctx;
    if (csv->n_cells == COLUMNS_MAX || len > VT_LINE_BYTES_MAX - csv->n_bytes) {
        csv->overflow = true;
        return;
    }
    char *copy = csv->bytes + csv->n_bytes;
    if (len > 0)
        memcpy(copy, data, len);
    csv->n_bytes += len;
    csv->cells[csv->n_cells++] = vt_slice(copy, len);
}

static bool map_split(const char *map, struct vt_slice *ret_field, struct vt_slice *ret_column)
{
    const char *equals = strchr(map, '=');
    if (equals == NULL)
        return false;
    *ret_field = vt_slice(map, (size_t)(equals - map));
    *ret_column = vt_slice_str(equals + 1);
    return true;
}

static int column_by_name(const struct csv *csv, struct vt_slice name)
{
    for (size_t i = 0; i < csv->n_cells; i++)
        if (vt_slice_equal(vt_text_trim(csv->cells[i]), name))
            return (int)i;
    return -1;
}

static int shown_bytes(struct vt_slice name)
{
    return name.len < COLUMN_SHOWN_BYTES ? (int)name.len : COLUMN_SHOWN_BYTES;
}

/* "InvoiceNo, StockCode, …" for messages. */
static void list_columns(const struct csv *csv, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < csv->n_cells && n + 40 < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%.*s", i > 0 ? ", " : "",
                              shown_bytes(csv->cells[i]), csv->cells[i].data);
}

static struct vt_err refuse_header(struct csv *csv, const char *missing)
{
    char found[200];
    list_columns(csv, found, sizeof found);
    vt_diag_set(csv->diag, "header",
                "no column %s; found: %s. Name columns with --map FIELD=COLUMN", missing, found);
    if (csv->diag != NULL)
        csv->diag->line = csv->row_line;
    return VT_ERR(VT_INVALID, "the header lacks columns");
}

/* What is told with --map counts, whatever other columns are called. */
static void map_column(struct csv *csv, int column, int field)
{
    for (size_t i = 0; i < csv->n_columns; i++)
        if (csv->columns[i] == field)
            csv->columns[i] = -1;
    csv->columns[column] = field;
}

static struct vt_err apply_maps(struct csv *csv)
{
    char missing[120] = "";
    size_t n = 0;
    for (size_t i = 0; i < csv->n_maps; i++) {
        struct vt_slice field, column;
        if (!map_split(csv->maps[i], &field, &column))
            continue;
        int at = column_by_name(csv, column), index = vt_field_find(csv->kind, field);
        if (index < 0) {
            vt_diag_set(csv->diag, "--map", "'%.*s' is no field of an %s; see docs/data-formats.md",
                        (int)field.len, field.data, vt_record_kind_name(csv->kind));
            return VT_ERR(VT_INVALID, "unknown field in --map");
        }
        if (at >= 0)
            map_column(csv, at, index);
        else if (n + COLUMN_SHOWN_BYTES + 3 < sizeof missing)
            n += (size_t)snprintf(missing + n, sizeof missing - n, "%s%.*s", n > 0 ? ", " : "",
                                  shown_bytes(column), column.data);
    }
    return n > 0 ? refuse_header(csv, missing) : vt_ok();
}

static bool has_field(const struct csv *csv, const char *name)
{
    int index = vt_field_index(csv->kind, name);
    for (size_t i = 0; i < csv->n_columns; i++)
        if (index >= 0 && csv->columns[i] == index)
            return true;
    return false;
}

static void find_columns(struct csv *csv)
{
    csv->n_columns = csv->n_cells;
    for (size_t i = 0; i < csv->n_cells; i++) {
        csv->columns[i] = vt_field_find(csv->kind, csv->cells[i]);
        for (size_t k = 0; k < i; k++) /* the first of two columns of a name counts */
            if (csv->columns[k] == csv->columns[i])
                csv->columns[i] = -1;
    }
}

static struct vt_err judge_header(struct csv *csv)
{
    csv->kind = VT_RECORD_EVENT;
    find_columns(csv);
    VT_TRY(apply_maps(csv));
    bool who = has_field(csv, "customer_id") || has_field(csv, "visitor_id");
    if (!who && !has_field(csv, "time")) {
        csv->kind = VT_RECORD_ITEM;
        find_columns(csv);
        VT_TRY(apply_maps(csv));
        return has_field(csv, "id") && has_field(csv, "title")
                   ? vt_ok()
                   : refuse_header(csv, "for customer_id, item_id and time (of events), nor for id "
                                        "and title (of items)");
    }
    if (!who)
        return refuse_header(csv, "for customer_id or visitor_id");
    if (!has_field(csv, "item_id"))
        return refuse_header(csv, "for item_id");
    return has_field(csv, "time") ? vt_ok() : refuse_header(csv, "for time");
}

static struct vt_err reject_row(struct csv *csv, const char *reason)
{
    size_t len = csv->n_bytes;
    return csv->out.reject(csv->out.ctx, csv->row_line, reason, vt_slice(csv->bytes, len));
}

static struct vt_err emit_row(struct csv *csv)
{
    char reason[160];
    size_t bad;
    struct vt_cell cells[COLUMNS_MAX];
    struct vt_row row = {.kind = csv->kind, .cells = cells, .line = csv->row_line};
    if (csv->n_cells != csv->n_columns) {
        snprintf(reason, sizeof reason, "%zu columns where the header has %zu", csv->n_cells,
                 csv->n_columns);
        return reject_row(csv, reason);
    }
    if (!vt_text_valid(vt_slice(csv->bytes, csv->n_bytes), &bad)) {
        snprintf(reason, sizeof reason, "not UTF-8 (byte %zu of the row); try --encoding latin-1",
                 bad + 1);
        return reject_row(csv, reason);
    }
    for (size_t i = 0; i < csv->n_cells; i++)
        if (csv->columns[i] >= 0)
            cells[row.n_cells++] =
                (struct vt_cell){.field = csv->columns[i], .text = csv->cells[i]};
    return csv->out.row(csv->out.ctx, &row);
}

static bool row_is_blank(const struct csv *csv)
{
    return csv->n_cells == 0 || (csv->n_cells == 1 && vt_text_trim(csv->cells[0]).len == 0);
}

static struct vt_err finish_row(struct csv *csv)
{
    if (csv->overflow)
        return reject_row(csv, "more than 128 columns, or a row over 1 MiB (an open quote?)");
    if (row_is_blank(csv)) {
        csv->out.blank(csv->out.ctx);
        return vt_ok();
    }
    if (csv->has_header)
        return emit_row(csv);
    csv->has_header = true;
    csv->out.blank(csv->out.ctx);
    return judge_header(csv);
}

static void clear_row(struct csv *csv)
{
    csv->n_cells = csv->n_bytes = csv->row_bytes = 0;
    csv->overflow = false;
    csv->row_line = 0;
}

static void on_row(int end, void *ctx)
{
    (void)end;
    struct csv *csv = ctx;
    if (!vt_failed(csv->err))
        csv->err = finish_row(csv);
    clear_row(csv);
}

/* ---- the reader ---- */
static unsigned char sniff_delimiter(struct vt_slice head)
{
    static const char candidates[] = ",;\t|";
    struct vt_slice header = vt_first_line(head);
    unsigned char best = ',';
    size_t most = 0;
    for (const char *c = candidates; *c != '\0'; c++) {
        size_t n = 0;
        bool quoted = false;
        for (size_t i = 0; i < header.len; i++) {
            quoted ^= header.data[i] == '"';
            n += !quoted && header.data[i] == *c;
        }
        if (n > most)
            most = n, best = (unsigned char)*c;
    }
    return best;
}

static void add_maps(struct csv *csv, const char *const *maps)
{
    for (; maps != NULL && *maps != NULL && csv->n_maps < MAPS_MAX; maps++)
        csv->maps[csv->n_maps++] = *maps;
}

static struct vt_err start_parser(struct csv *csv, unsigned char delimiter)
{
    VT_CHECK(csv_init(&csv->parser, CSV_REPALL_NL) == 0, VT_EXHAUSTED, "out of memory");
    csv_set_delim(&csv->parser, delimiter);
    return vt_ok();
}

struct vt_err vt__csv_open(const struct vt_reader_options *options, const char *const *maps,
                           struct vt_diag *diag, void **ret_reader)
{
    (void)diag;
    struct csv *csv = calloc(1, sizeof *csv);
    VT_CHECK(csv != NULL, VT_EXHAUSTED, "out of memory");
    csv->out = options->out;
    csv->err = vt_ok();
    csv->bytes = malloc(VT_LINE_BYTES_MAX);
    add_maps(csv, maps);
    add_maps(csv, options->maps);
    struct vt_err err = start_parser(csv, sniff_delimiter(options->head));
    if (csv->bytes == NULL || vt_failed(err)) {
        vt__csv_close(csv);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    *ret_reader = csv;
    return vt_ok();
}

/* Gives up a row that does not end, and begins anew at the next line. */
static struct vt_err abandon_row(struct csv *csv)
{
    unsigned char delimiter = csv_get_delim(&csv->parser);
    struct vt_err err = reject_row(csv, "a row over 1 MiB: is a quote left open here?");
    csv_free(&csv->parser);
    clear_row(csv);
    VT_TRY(start_parser(csv, delimiter));
    return err;
}

struct vt_err vt__csv_line(void *reader, struct vt_slice text, uint64_t number,
                           struct vt_diag *diag)
{
    struct csv *csv = reader;
    csv->diag = diag;
    if (csv->row_bytes == 0)
        csv->row_line = number;
    csv->row_bytes += text.len + 1;
    if (csv->row_bytes > VT_LINE_BYTES_MAX)
        return abandon_row(csv);
    if (text.len == 0 && csv->row_bytes == 1) {
        clear_row(csv);
        csv->out.blank(csv->out.ctx);
        return vt_ok();
    }
    if (csv_parse(&csv->parser, text.data, text.len, on_cell, on_row, csv) != text.len ||
        csv_parse(&csv->parser, "\n", 1, on_cell, on_row, csv) != 1)
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    return csv->err;
}

struct vt_err vt__csv_end(void *reader, struct vt_diag *diag)
{
    struct csv *csv = reader;
    csv->diag = diag;
    if (csv->row_bytes > 0)
        VT_TRY(reject_row(csv, "a quote is opened here and never closed"));
    return csv->err;
}

void vt__csv_close(void *reader)
{
    struct csv *csv = reader;
    if (csv == NULL)
        return;
    csv_free(&csv->parser);
    free(csv->bytes);
    free(csv);
}

static bool csv_sniff(const char *path, struct vt_slice head)
{
    (void)path;
    struct vt_slice header = vt_first_line(head);
    return header.len > 0 && memchr(header.data, sniff_delimiter(head), header.len) != NULL;
}

static struct vt_err csv_open(const struct vt_reader_options *options, struct vt_diag *diag,
                              void **ret_reader)
{
    return vt__csv_open(options, NULL, diag, ret_reader);
}

const struct vt_format vt_format_csv = {
    .name = "csv",
    .type = "purchase",
    .guests = true,
    .sniff = csv_sniff,
    .open = csv_open,
    .line = vt__csv_line,
    .end = vt__csv_end,
    .close = vt__csv_close,
};
