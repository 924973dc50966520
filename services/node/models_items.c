/*
 * SKUs beside the rows of a matrix. Reading looks each line up in the catalog's ids, sorted once.
 */
#include "services/node/models_items.h"

#include "services/common/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_FILE_BYTES_MAX = 1 << 30 };

/* ---- writing ---- */

static void write_item(const struct vt_catalog *catalog, uint32_t number, FILE *out)
{
    const struct vt_catalog_item *item = vt_catalog_find(catalog, number);
    if (item != NULL && item->id.len > 0)
        fprintf(out, "%.*s\n", (int)item->id.len, item->id.data);
    else
        fprintf(out, "#%" PRIu32 "\n", number);
}

struct vt_err vt_models_items_write(const char *path, const struct vt_bundle_view *view,
                                    const struct vt_catalog *catalog, struct vt_diag *diag)
{
    errno = 0;
    FILE *out = fopen(path, "wxe");
    for (uint32_t row = 0; out != NULL && row < view->n_items; row++)
        write_item(catalog, view->item_numbers[row], out);
    bool written = out != NULL && ferror(out) == 0;
    int sys = errno;
    if (out != NULL && fclose(out) != 0) {
        sys = errno;
        written = false;
    }
    if (written)
        return vt_ok();
    vt_diag_set(diag, "out", "cannot write %s: %s", path, strerror(sys));
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot write the list of items");
}

/* ---- reading ---- */

struct reading {
    const struct vt_catalog_item **by_id; /* catalog->n, ascending by id */
    uint32_t n_by_id;
    uint32_t *numbers;
    uint32_t n, capacity;
    struct vt_diag *diag;
};

static int compare_ids(struct vt_slice a, struct vt_slice b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_id(const void *a, const void *b)
{
    const struct vt_catalog_item *const *x = a, *const *y = b;
    return compare_ids((*x)->id, (*y)->id);
}

static const struct vt_catalog_item *find_id(const struct reading *reading, struct vt_slice id)
{
    uint32_t low = 0, high = reading->n_by_id;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = compare_ids(reading->by_id[middle]->id, id);
        if (order == 0)
            return reading->by_id[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Digits only, below UINT32_MAX. */
static bool parse_number(struct vt_slice text, uint32_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
        if (number >= UINT32_MAX)
            return false;
    }
    *ret_number = (uint32_t)number;
    return text.len > 0;
}

static bool resolve(const struct reading *reading, struct vt_slice line, uint32_t *ret_number)
{
    const struct vt_catalog_item *item = find_id(reading, line);
    if (item != NULL) {
        *ret_number = item->number;
        return true;
    }
    if (line.len > 0 && line.data[0] == '#')
        return parse_number(vt_slice(line.data + 1, line.len - 1), ret_number);
    return reading->n_by_id == 0 && parse_number(line, ret_number);
}

static struct vt_err append(struct reading *reading, uint32_t number)
{
    if (reading->n == reading->capacity) {
        const uint32_t capacity = reading->capacity > 0 ? reading->capacity * 2 : 1024;
        uint32_t *grown = realloc(reading->numbers, capacity * sizeof *grown);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory for the items");
        reading->numbers = grown;
        reading->capacity = capacity;
    }
    reading->numbers[reading->n++] = number;
    return vt_ok();
}

static struct vt_err read_line(struct reading *reading, struct vt_slice line)
{
    uint32_t number;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (resolve(reading, line, &number))
        return append(reading, number);
    const uint32_t at = reading->n + 1;
    if (line.len == 0)
        vt_diag_set(reading->diag, "items",
                    "line %" PRIu32 " is empty: each row of the factors needs its item", at);
    else
        vt_diag_set(reading->diag, "items",
                    "line %" PRIu32
                    ": '%.*s' is no SKU of this store; an item that the catalog does not describe "
                    "is given as # and its number",
                    at, (int)(line.len < 80 ? line.len : 80), line.data);
    return VT_ERR(VT_INVALID, "an item is not known");
}

static struct vt_err read_lines(struct reading *reading, struct vt_slice text)
{
    size_t at = 0;
    while (at < text.len) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        const size_t len = end != NULL ? (size_t)(end - text.data) - at : text.len - at;
        VT_TRY(read_line(reading, vt_slice(text.data + at, len)));
        at += len + 1;
    }
    return vt_ok();
}

static struct vt_err sort_catalog(struct reading *reading, const struct vt_catalog *catalog)
{
    reading->by_id = malloc(((size_t)catalog->n + 1) * sizeof(struct vt_catalog_item *));
    VT_CHECK(reading->by_id != NULL, VT_EXHAUSTED, "out of memory for the items");
    for (uint32_t i = 0; i < catalog->n; i++)
        reading->by_id[i] = &catalog->items[i];
    reading->n_by_id = catalog->n;
    qsort(reading->by_id, catalog->n, sizeof(struct vt_catalog_item *), by_id);
    return vt_ok();
}

struct vt_err vt_models_items_read(const char *path, const struct vt_catalog *catalog,
                                   struct vt_diag *diag, uint32_t **ret_numbers, uint32_t *ret_n)
{
    struct reading reading = {.diag = diag};
    char *text;
    size_t len;
    VT_TRY(vt_file_read(path, ITEMS_FILE_BYTES_MAX, diag, &text, &len));
    struct vt_err err = sort_catalog(&reading, catalog);
    if (!vt_failed(err))
        err = read_lines(&reading, vt_slice(text, len));
    free(text);
    free(reading.by_id);
    if (vt_failed(err)) {
        free(reading.numbers);
        return err;
    }
    *ret_numbers = reading.numbers;
    *ret_n = reading.n;
    return vt_ok();
}
