/*
 * JSON lines: one object a line, by jansson. What a line describes follows from the file's name,
 * else from its own "kind", else from its fields. Numbers of any size become doubles; a text where
 * a number belongs is read as one, as exporters like to quote them.
 */
#include "services/common/base/text.h"
#include "services/ingest/reader.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct jsonl {
    struct vt_reader_output out;
    enum vt_record_kind kind; /* VT_RECORD_KIND_COUNT: each line for itself */
};

static enum vt_record_kind kind_by_name(struct vt_slice stem)
{
    static const struct {
        const char *beginning;
        enum vt_record_kind kind;
    } names[] = {{"items", VT_RECORD_ITEM},         {"products", VT_RECORD_ITEM},
                 {"customers", VT_RECORD_CUSTOMER}, {"users", VT_RECORD_CUSTOMER},
                 {"events", VT_RECORD_EVENT},       {"channels", VT_RECORD_CHANNEL}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (vt_slice_starts(stem, names[i].beginning))
            return names[i].kind;
    return VT_RECORD_KIND_COUNT;
}

static enum vt_record_kind kind_by_content(const json_t *object)
{
    static const struct {
        const char *field;
        enum vt_record_kind kind;
    } marks[] = {{"event_id", VT_RECORD_EVENT},       {"eventId", VT_RECORD_EVENT},
                 {"type", VT_RECORD_EVENT},           {"time", VT_RECORD_EVENT},
                 {"cost_per_day", VT_RECORD_CHANNEL}, {"commission", VT_RECORD_CHANNEL},
                 {"title", VT_RECORD_ITEM},           {"price", VT_RECORD_ITEM},
                 {"categories", VT_RECORD_ITEM},      {"stock", VT_RECORD_ITEM},
                 {"consent", VT_RECORD_CUSTOMER},     {"attributes", VT_RECORD_CUSTOMER}};
    const char *told = json_string_value(json_object_get(object, "kind"));
    for (int kind = 0; told != NULL && kind < VT_RECORD_KIND_COUNT; kind++)
        if (strcmp(told, vt_record_kind_name((enum vt_record_kind)kind)) == 0)
            return (enum vt_record_kind)kind;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (json_object_get(object, marks[i].field) != NULL)
            return marks[i].kind;
    return VT_RECORD_KIND_COUNT;
}

static bool jsonl_sniff(const char *path, struct vt_slice head)
{
    (void)path;
    size_t i = 0;
    while (i < head.len && strchr(" \t\r\n", head.data[i]) != NULL)
        i++;
    return i < head.len && head.data[i] == '{';
}

static struct vt_err jsonl_open(const struct vt_reader_options *options, struct vt_diag *diag,
                                void **ret_reader)
{
    (void)diag;
    struct jsonl *reader = calloc(1, sizeof *reader);
    VT_CHECK(reader != NULL, VT_EXHAUSTED, "out of memory");
    reader->out = options->out;
    reader->kind = kind_by_name(vt_path_stem(options->path));
    *ret_reader = reader;
    return vt_ok();
}

/* The cells of a row; texts are borrowed from the JSON tree, numbers in `digits` of attributes. */
struct cells {
    struct vt_cell list[VT_ROW_CELLS_MAX];
    size_t n;
    char digits[VT_INGEST_ATTRIBUTES_MAX][32];
    size_t n_digits;
};

static void add_cell(struct cells *cells, struct vt_cell cell)
{
    if (cells->n < VT_ROW_CELLS_MAX)
        cells->list[cells->n++] = cell;
}

static struct vt_slice json_text(const json_t *value)
{
    return vt_slice(json_string_value(value), json_string_length(value));
}

static void add_scalar(struct cells *cells, int field, const json_t *value)
{
    if (json_is_string(value))
        add_cell(cells, (struct vt_cell){.field = field, .text = json_text(value)});
    else if (json_is_number(value))
        add_cell(cells, (struct vt_cell){
                            .field = field, .is_number = true, .number = json_number_value(value)});
    else if (json_is_boolean(value))
        add_cell(cells,
                 (struct vt_cell){.field = field,
                                  .text = vt_slice_str(json_is_true(value) ? "true" : "false")});
}

/* A number where text belongs (ids, attributes) as its shortest digits. */
static struct vt_slice digits_of(struct cells *cells, const json_t *value)
{
    if (cells->n_digits == VT_INGEST_ATTRIBUTES_MAX)
        return (struct vt_slice){0};
    char *digits = cells->digits[cells->n_digits++];
    if (json_is_integer(value))
        snprintf(digits, 32, "%lld", (long long)json_integer_value(value));
    else
        snprintf(digits, 32, "%.15g", json_real_value(value));
    return vt_slice_str(digits);
}

static void add_attributes(struct cells *cells, int field, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        struct vt_cell cell = {.field = field, .key = vt_slice_str(key)};
        if (json_is_string(value))
            cell.text = json_text(value);
        else if (json_is_number(value))
            cell.text = digits_of(cells, value);
        else if (json_is_boolean(value))
            cell.text = vt_slice_str(json_is_true(value) ? "true" : "false");
        add_cell(cells, cell);
    }
}

static bool form_is_text(enum vt_field_form form)
{
    return form == VT_FIELD_ID || form == VT_FIELD_ITEM_KEY || form == VT_FIELD_TEXT;
}

static void add_value(struct cells *cells, enum vt_record_kind kind, int field, json_t *value)
{
    size_t n_fields, i;
    json_t *part;
    enum vt_field_form form = vt_fields(kind, &n_fields)[field].form;
    if (json_is_array(value))
        json_array_foreach(value, i, part) add_scalar(cells, field, part);
    else if (json_is_object(value) && form == VT_FIELD_ATTRIBUTES)
        add_attributes(cells, field, value);
    else if (json_is_number(value) && form_is_text(form))
        add_cell(cells, (struct vt_cell){.field = field, .text = digits_of(cells, value)});
    else
        add_scalar(cells, field, value);
}

static struct vt_err emit_object(struct jsonl *reader, json_t *object, struct vt_slice text,
                                 uint64_t number)
{
    struct cells cells;
    const char *key;
    json_t *value;
    cells.n = cells.n_digits = 0;
    enum vt_record_kind kind =
        reader->kind != VT_RECORD_KIND_COUNT ? reader->kind : kind_by_content(object);
    if (kind == VT_RECORD_KIND_COUNT)
        return reader->out.reject(reader->out.ctx, number,
                                  "cannot tell what this describes: add \"kind\": \"event\", "
                                  "\"item\", \"customer\" or \"channel\"",
                                  text);
    json_object_foreach(object, key, value)
    {
        int field = vt_field_find(kind, vt_slice_str(key));
        if (field >= 0)
            add_value(&cells, kind, field, value);
    }
    struct vt_row row = {.kind = kind, .cells = cells.list, .n_cells = cells.n, .line = number};
    return reader->out.row(reader->out.ctx, &row);
}

static struct vt_err jsonl_line(void *self, struct vt_slice text, uint64_t number,
                                struct vt_diag *diag)
{
    (void)diag;
    struct jsonl *reader = self;
    json_error_t error;
    char reason[256];
    size_t bad;
    if (text.len == 0) {
        reader->out.blank(reader->out.ctx);
        return vt_ok();
    }
    if (!vt_text_valid(text, &bad)) {
        snprintf(reason, sizeof reason, "not UTF-8 at byte %zu; see --encoding", bad + 1);
        return reader->out.reject(reader->out.ctx, number, reason, text);
    }
    json_t *object = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        snprintf(reason, sizeof reason, "not a JSON object: %s",
                 object != NULL ? "another value stands here" : error.text);
        json_decref(object);
        return reader->out.reject(reader->out.ctx, number, reason, text);
    }
    struct vt_err err = emit_object(reader, object, text, number);
    json_decref(object);
    return err;
}

const struct vt_format vt_format_jsonl = {
    .name = "jsonl",
    .sniff = jsonl_sniff,
    .open = jsonl_open,
    .line = jsonl_line,
    .close = free,
};
