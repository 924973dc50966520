/*
 * Adjacency lines: a user, then the items that belong to them, integers between blanks. There are
 * no times; the place in the line stands for them, in seconds after 2000-01-01, since some models
 * weigh the order. One bad number is rejected alone; the rest of its line is read.
 */
#include "services/ingest/reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_DIGITS_MAX = 18 };

struct adjacency {
    struct vt_reader_output out;
};

static struct vt_slice next_word(struct vt_slice *rest)
{
    size_t at = 0, end;
    while (at < rest->len && (rest->data[at] == ' ' || rest->data[at] == '\t'))
        at++;
    for (end = at; end < rest->len && rest->data[end] != ' ' && rest->data[end] != '\t';)
        end++;
    struct vt_slice word = vt_slice(rest->data + at, end - at);
    *rest = vt_slice(rest->data + end, rest->len - end);
    return word;
}

static bool is_number(struct vt_slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!isdigit((unsigned char)word.data[i]))
            return false;
    return word.len > 0 && word.len <= NUMBER_DIGITS_MAX;
}

static bool adjacency_sniff(const char *path, struct vt_slice head)
{
    (void)path;
    struct vt_slice rest = vt_first_line(head), word;
    size_t n = 0;
    while ((word = next_word(&rest)).len > 0) {
        /* the head may cut the last word of a long line, which is still digits */
        if (!is_number(word))
            return false;
        n++;
    }
    return n >= 2;
}

static struct vt_err adjacency_open(const struct vt_reader_options *options, struct vt_diag *diag,
                                    void **ret_reader)
{
    (void)diag;
    struct adjacency *reader = calloc(1, sizeof *reader);
    VT_CHECK(reader != NULL, VT_EXHAUSTED, "out of memory");
    reader->out = options->out;
    *ret_reader = reader;
    return vt_ok();
}

static struct vt_err emit(struct adjacency *reader, struct vt_slice user, struct vt_slice item,
                          uint64_t number, int64_t place)
{
    const struct vt_cell cells[] = {
        {.field = vt_field_index(VT_RECORD_EVENT, "customer_id"), .text = user},
        {.field = vt_field_index(VT_RECORD_EVENT, "item_id"), .text = item},
    };
    struct vt_row row = {.kind = VT_RECORD_EVENT,
                         .cells = cells,
                         .n_cells = 2,
                         .line = number,
                         .order_ms = VT_EVENT_TIME_MIN_MS + place * 1000};
    return reader->out.row(reader->out.ctx, &row);
}

static struct vt_err adjacency_line(void *self, struct vt_slice text, uint64_t number,
                                    struct vt_diag *diag)
{
    (void)diag;
    struct adjacency *reader = self;
    struct vt_slice user = next_word(&text), item;
    int64_t place = 0;
    if (user.len == 0) {
        reader->out.blank(reader->out.ctx);
        return vt_ok();
    }
    if (!is_number(user))
        return reader->out.reject(reader->out.ctx, number, "the user is no whole number", user);
    while ((item = next_word(&text)).len > 0) {
        if (is_number(item))
            VT_TRY(emit(reader, user, item, number, place++));
        else
            VT_TRY(reader->out.reject(reader->out.ctx, number, "an item is no whole number", item));
    }
    if (place == 0)
        reader->out.blank(reader->out.ctx);
    return vt_ok();
}

const struct vt_format vt_format_adjacency = {
    .name = "adjacency",
    .type = "purchase",
    .time_from_order = true,
    .sniff = adjacency_sniff,
    .open = adjacency_open,
    .line = adjacency_line,
    .close = free,
};
