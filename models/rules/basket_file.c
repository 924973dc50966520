/*
 * Reading baskets from a file: one walk copies the names, unquoted, into a text of ours and notes
 * where each stands; sorting the notes by name numbers the items. From there on a line is a
 * customer who bought once, and baskets.c makes the matrix.
 */
#include "models/rules/basket_file.h"

#include "services/common/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

struct mention {
    struct vt_slice name;
    uint32_t basket;
    uint32_t column; /* once names are numbered */
    uint64_t place;  /* among all mentions: which came first */
};

/* Where the parser stands. */
struct cursor {
    const char *at, *end;
    char *to; /* where the next byte of a name goes: behind what was copied so far */
    uint64_t line;
    struct mention *mentions;
    uint64_t n, capacity;
    uint32_t n_baskets;
    bool in_basket; /* the line has an item */
};

void vt_basket_file_free(struct vt_basket_file *file)
{
    if (file == NULL)
        return;
    vt_baskets_free(&file->baskets);
    free(file->names);
    free(file->text);
    *file = (struct vt_basket_file){0};
}

static struct vt_err refuse(const struct cursor *cursor, struct vt_diag *diag, const char *reason)
{
    if (diag != NULL)
        diag->line = cursor->line;
    vt_diag_set(diag, "", "line %llu: %s; expected 'item,item,…', a line per basket",
                (unsigned long long)cursor->line, reason);
    return VT_ERR(VT_INVALID, "not a file of baskets");
}

/* ---- one name ---- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct vt_slice trimmed(struct vt_slice text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = vt_slice(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Copies what stands between quotes; `at` is behind the first. */
static struct vt_err take_quoted(struct cursor *cursor, struct vt_diag *diag)
{
    for (; cursor->at < cursor->end; cursor->at++) {
        bool quote = *cursor->at == '"';
        if (quote && (cursor->at + 1 == cursor->end || cursor->at[1] != '"')) {
            cursor->at++;
            return vt_ok();
        }
        if (*cursor->at == '\n')
            return refuse(cursor, diag, "a quote is not closed");
        cursor->at += quote; /* a doubled quote stands for one */
        *cursor->to++ = *cursor->at;
    }
    return refuse(cursor, diag, "a quote is not closed");
}

static bool at_name_end(const struct cursor *cursor)
{
    return cursor->at == cursor->end || *cursor->at == ',' || *cursor->at == '\n';
}

/* A name up to its comma or the end of the line, which is left. */
static struct vt_err take_name(struct cursor *cursor, struct vt_diag *diag,
                               struct vt_slice *ret_name)
{
    char *start = cursor->to;
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
    if (cursor->at < cursor->end && *cursor->at == '"') {
        cursor->at++;
        VT_TRY(take_quoted(cursor, diag));
        while (cursor->at < cursor->end && is_blank(*cursor->at))
            cursor->at++;
        if (!at_name_end(cursor))
            return refuse(cursor, diag, "something stands behind a closed quote");
    }
    while (!at_name_end(cursor))
        *cursor->to++ = *cursor->at++;
    struct vt_slice name = trimmed(vt_slice(start, (size_t)(cursor->to - start)));
    if (name.len > VT_BASKET_NAME_BYTES_MAX)
        return refuse(cursor, diag, "a name of more than 1,024 bytes");
    *ret_name = name;
    return vt_ok();
}

/* ---- all of them ---- */

static struct vt_err add_mention(struct cursor *cursor, struct vt_slice name)
{
    if (cursor->n == cursor->capacity) {
        uint64_t capacity = cursor->capacity > 0 ? 2 * cursor->capacity : FIRST_CAPACITY;
        struct mention *mentions =
            realloc(cursor->mentions, (size_t)capacity * sizeof *cursor->mentions);
        VT_CHECK(mentions != NULL, VT_EXHAUSTED, "out of memory for the baskets");
        cursor->mentions = mentions;
        cursor->capacity = capacity;
    }
    cursor->mentions[cursor->n] =
        (struct mention){.name = name, .basket = cursor->n_baskets, .place = cursor->n};
    cursor->n++;
    cursor->in_basket = true;
    return vt_ok();
}

static void end_basket(struct cursor *cursor)
{
    cursor->n_baskets += cursor->in_basket;
    cursor->in_basket = false;
}

static struct vt_err take_all(struct cursor *cursor, struct vt_diag *diag)
{
    while (cursor->at < cursor->end) {
        struct vt_slice name = {0};
        VT_TRY(take_name(cursor, diag, &name));
        if (name.len > 0)
            VT_TRY(add_mention(cursor, name));
        if (cursor->at < cursor->end && *cursor->at++ == '\n') {
            end_basket(cursor);
            cursor->line++;
        }
    }
    if (cursor->n == 0)
        return refuse(cursor, diag, "the file holds no basket");
    return vt_ok();
}

static int by_name(const void *left, const void *right)
{
    const struct mention *a = left, *b = right;
    size_t shorter = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = memcmp(a->name.data, b->name.data, shorter);
    if (order != 0)
        return order;
    if (a->name.len != b->name.len)
        return a->name.len < b->name.len ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_place(const void *left, const void *right)
{
    const struct mention *a = left, *b = right;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Numbers the names by first mention. Sorted by name, the first of equals carries the earliest
 * place; back in order of place, whoever is that first gets the next number. */
static struct vt_err number_names(struct cursor *cursor, struct vt_slice **ret_names,
                                  uint32_t *ret_n)
{
    struct mention *mentions = cursor->mentions;
    uint64_t *first = malloc((size_t)cursor->n * sizeof *first); /* by place */
    struct vt_slice *names = malloc((size_t)cursor->n * sizeof *names);
    if (first == NULL || names == NULL) {
        free(first);
        free(names);
        return VT_ERR(VT_EXHAUSTED, "out of memory for the baskets");
    }
    qsort(mentions, (size_t)cursor->n, sizeof *mentions, by_name);
    for (uint64_t i = 0, head = 0; i < cursor->n; i++) {
        if (!vt_slice_equal(mentions[i].name, mentions[head].name))
            head = i;
        first[mentions[i].place] = mentions[head].place;
    }
    qsort(mentions, (size_t)cursor->n, sizeof *mentions, by_place);
    uint32_t n = 0;
    for (uint64_t i = 0; i < cursor->n; i++) {
        if (first[i] == i)
            names[n++] = mentions[i].name;
        mentions[i].column = first[i] == i ? n - 1 : mentions[first[i]].column;
    }
    free(first);
    *ret_names = names;
    *ret_n = n;
    return vt_ok();
}

static struct vt_err make_baskets(const struct cursor *cursor, struct vt_baskets *ret_baskets)
{
    const struct vt_basket_options options = {0};
    struct vt_interaction *bought = calloc((size_t)cursor->n, sizeof *bought);
    VT_CHECK(bought != NULL, VT_EXHAUSTED, "out of memory for the baskets");
    for (uint64_t i = 0; i < cursor->n; i++)
        bought[i] = (struct vt_interaction){.user = cursor->mentions[i].basket,
                                            .item = cursor->mentions[i].column,
                                            .type = VT_EVENT_PURCHASE,
                                            .value = 1};
    struct vt_err err = vt_baskets_cut(bought, cursor->n, &options, NULL, 0, ret_baskets);
    free(bought);
    return err;
}

struct vt_err vt_basket_file_parse(struct vt_slice bytes, struct vt_diag *diag,
                                   struct vt_basket_file *ret_file)
{
    VT_CHECK(bytes.len < VT_BASKET_FILE_BYTES_MAX, VT_INVALID, "a basket file is at most 4 GiB");
    struct vt_basket_file file = {.text = malloc(bytes.len + 1)};
    VT_CHECK(file.text != NULL, VT_EXHAUSTED, "out of memory for the baskets");
    struct cursor cursor = {
        .at = bytes.data, .end = bytes.data + bytes.len, .to = file.text, .line = 1};
    uint32_t n_names = 0;
    struct vt_err err = take_all(&cursor, diag);
    if (!vt_failed(err))
        err = number_names(&cursor, &file.names, &n_names);
    if (!vt_failed(err))
        err = make_baskets(&cursor, &file.baskets);
    free(cursor.mentions);
    if (vt_failed(err))
        vt_basket_file_free(&file);
    else
        *ret_file = file;
    return err;
}

struct vt_err vt_basket_file_read(const char *path, struct vt_diag *diag,
                                  struct vt_basket_file *ret_file)
{
    struct vt_slice bytes;
    VT_TRY(vt_file_map(path, diag, &bytes));
    struct vt_err err =
        vt_basket_file_parse(bytes.len > 0 ? bytes : vt_slice("", 0), diag, ret_file);
    vt_file_unmap(bytes);
    if (vt_failed(err) && diag != NULL)
        snprintf(diag->field, sizeof diag->field, "%s", path);
    return err;
}
