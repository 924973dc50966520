/*
 * A grid of copied texts. Widths come from ICU, since a terminal's places are neither bytes nor
 * characters: East Asian wide ones take two, combining marks none.
 */
#include "services/common/base/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

struct vt_table {
    size_t n_columns, n_cells, capacity;
    bool right[VT_TABLE_COLUMNS_MAX];
    char *heads[VT_TABLE_COLUMNS_MAX];
    char **cells;
};

static size_t places_of(UChar32 c)
{
    int type = u_charType(c);
    if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK || type == U_FORMAT_CHAR)
        return 0;
    int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

static size_t places(const char *text)
{
    size_t sum = 0;
    int32_t at = 0, len = (int32_t)strlen(text);
    while (at < len) {
        UChar32 c;
        U8_NEXT_OR_FFFD((const uint8_t *)text, at, len, c);
        sum += places_of(c);
    }
    return sum;
}

/* Bytes of `text` that fit into `room` places. */
static size_t fitting_bytes(const char *text, size_t room)
{
    size_t used = 0;
    int32_t at = 0, len = (int32_t)strlen(text), fits = 0;
    while (at < len) {
        UChar32 c;
        U8_NEXT_OR_FFFD((const uint8_t *)text, at, len, c);
        used += places_of(c);
        if (used > room)
            break;
        fits = at;
    }
    return (size_t)fits;
}

/* A printable copy of at most VT_TABLE_CELL_PLACES_MAX places. */
static char *cell_text(struct vt_slice text)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    char *copy = malloc(text.len + sizeof ellipsis);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7F ? ' ' : text.data[i];
    copy[text.len] = '\0';
    if (places(copy) > VT_TABLE_CELL_PLACES_MAX)
        memcpy(copy + fitting_bytes(copy, VT_TABLE_CELL_PLACES_MAX - 1), ellipsis, sizeof ellipsis);
    return copy;
}

struct vt_table *vt_table_new(const char *const *heads, size_t n_columns)
{
    if (n_columns == 0 || n_columns > VT_TABLE_COLUMNS_MAX)
        return NULL;
    struct vt_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        table->right[i] = heads[i][0] == '>';
        table->heads[i] = cell_text(vt_slice_str(heads[i] + (table->right[i] ? 1 : 0)));
    }
    return table;
}

void vt_table_free(struct vt_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n_columns; i++)
        free(table->heads[i]);
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void vt_table_cell(struct vt_table *table, struct vt_slice text)
{
    if (table == NULL)
        return;
    if (table->n_cells == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        char **grown = realloc(table->cells, capacity * sizeof *grown);
        if (grown == NULL)
            return;
        table->cells = grown;
        table->capacity = capacity;
    }
    table->cells[table->n_cells++] = cell_text(text);
}

void vt_table_cellf(struct vt_table *table, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= 0)
        vt_table_cell(table, vt_slice_str(text));
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void measure(const struct vt_table *table, size_t widths[VT_TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = places(or_empty(table->heads[i]));
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t width = places(or_empty(table->cells[i]));
        if (width > widths[i % table->n_columns])
            widths[i % table->n_columns] = width;
    }
}

/* No padding behind the last column: lines end where their text ends. */
static void print_row(const struct vt_table *table, char *const *cells, const size_t *widths,
                      FILE *out)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *text = or_empty(cells[i]);
        int padding = (int)(widths[i] - places(text));
        bool last = i + 1 == table->n_columns;
        fprintf(out, "%s%*s%s%*s", i == 0 ? "" : "  ", table->right[i] ? padding : 0, "", text,
                table->right[i] || last ? 0 : padding, "");
    }
    fputc('\n', out);
}

void vt_table_print(const struct vt_table *table, FILE *out)
{
    if (table == NULL)
        return;
    size_t widths[VT_TABLE_COLUMNS_MAX];
    measure(table, widths);
    print_row(table, table->heads, widths, out);
    for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
        print_row(table, table->cells + i, widths, out);
}
