/*
 * Two passes over the catalog: the first collects the distinct terms of every item and counts in
 * how many items each stands, by sorting all hashes; the second, for whoever needs vectors, looks
 * its terms up by binary search. Nothing is kept of the words themselves: two words with one hash
 * would be one term, which at 64 bits and a million words happens once in 40 million catalogs.
 */
#include "models/content/space.h"

#include "models/content/language.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TERMS_DEFAULT = 32768, FIRST_CAPACITY = 4096 };

/* Kinds of terms; the seed of their hash. */
enum kind { KIND_WORD, KIND_CATEGORY, KIND_BRAND, KIND_ATTRIBUTE };

struct vt_content_reader {
    struct vt_tokenizer *tokenizer;
    uint64_t hashes[VT_CONTENT_ITEM_TERMS_MAX]; /* of the item being read */
    uint32_t n;
};

void vt_content_options_default(struct vt_content_options *ret_options)
{
    *ret_options =
        (struct vt_content_options){.terms_max = TERMS_DEFAULT, .items_min = 2, .language = "auto"};
}

struct vt_err vt_content_reader_new(const char *language, struct vt_diag *diag,
                                    struct vt_content_reader **ret_reader)
{
    struct vt_content_reader *reader = calloc(1, sizeof *reader);
    VT_CHECK(reader != NULL, VT_EXHAUSTED, "out of memory for content");
    struct vt_err err = vt_tokenizer_new(language, diag, &reader->tokenizer);
    if (vt_failed(err))
        free(reader);
    else
        *ret_reader = reader;
    return err;
}

void vt_content_reader_free(struct vt_content_reader *reader)
{
    if (reader == NULL)
        return;
    vt_tokenizer_free(reader->tokenizer);
    free(reader);
}

void vt_content_model_free(struct vt_content_model *model)
{
    if (model == NULL)
        return;
    free(model->terms);
    free(model->idf);
    *model = (struct vt_content_model){0};
}

/* ---- the terms of an item ---- */

static bool add_hash(struct vt_content_reader *reader, uint64_t hash)
{
    if (reader->n == VT_CONTENT_ITEM_TERMS_MAX)
        return false;
    reader->hashes[reader->n++] = hash;
    return true;
}

static bool add_word(void *ctx, struct vt_slice token)
{
    return add_hash(ctx, XXH3_64bits_withSeed(token.data, token.len, KIND_WORD));
}

static void add_words(struct vt_content_reader *reader, struct vt_slice text)
{
    vt_tokenizer_each(reader->tokenizer, text, add_word, reader);
}

/* A text that says something as a whole, besides its words. */
static void add_whole(struct vt_content_reader *reader, struct vt_slice text, enum kind kind)
{
    if (text.len == 0)
        return;
    add_hash(reader, XXH3_64bits_withSeed(text.data, text.len, kind));
    add_words(reader, text);
}

static void add_attribute(struct vt_content_reader *reader,
                          const struct vt_catalog_attribute *attribute)
{
    uint64_t key = XXH3_64bits_withSeed(attribute->key.data, attribute->key.len, KIND_ATTRIBUTE);
    if (attribute->value.len == 0)
        return;
    add_hash(reader, XXH3_64bits_withSeed(attribute->value.data, attribute->value.len, key));
    add_words(reader, attribute->value);
}

static int by_hash(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Fills reader->hashes, ascending, repeats included. Most telling texts first: they stay when there
 * are too many. */
static void collect(struct vt_content_reader *reader, const struct vt_catalog_item *item)
{
    reader->n = 0;
    add_words(reader, item->title);
    add_whole(reader, item->brand, KIND_BRAND);
    for (uint32_t i = 0; i < item->n_categories; i++)
        add_whole(reader, item->categories[i], KIND_CATEGORY);
    for (uint32_t i = 0; i < item->n_attributes; i++)
        add_attribute(reader, &item->attributes[i]);
    qsort(reader->hashes, reader->n, sizeof reader->hashes[0], by_hash);
}

/* UINT32_MAX: the space does not have it. */
static uint32_t find_term(const struct vt_content_space *space, uint64_t hash)
{
    uint32_t low = 0, high = space->n_terms;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (space->terms[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < space->n_terms && space->terms[low] == hash ? low : UINT32_MAX;
}

uint32_t vt_content_read(struct vt_content_reader *reader, const struct vt_content_space *space,
                         const struct vt_catalog_item *item,
                         struct vt_content_term ret_terms[VT_CONTENT_ITEM_TERMS_MAX])
{
    uint32_t n = 0;
    double squares = 0;
    collect(reader, item);
    for (uint32_t begin = 0, end; begin < reader->n; begin = end) {
        for (end = begin + 1; end < reader->n && reader->hashes[end] == reader->hashes[begin];)
            end++;
        uint32_t term = find_term(space, reader->hashes[begin]);
        if (term == UINT32_MAX)
            continue;
        double weight = (1 + log((double)(end - begin))) * (double)space->idf[term];
        squares += weight * weight;
        ret_terms[n++] = (struct vt_content_term){term, (float)weight};
    }
    for (uint32_t i = 0; i < n && squares > 0; i++)
        ret_terms[i].weight = (float)((double)ret_terms[i].weight / sqrt(squares));
    return n;
}

/* ---- the space ---- */

struct hash_list {
    uint64_t *hashes;
    uint64_t n, capacity;
};

static struct vt_err append_distinct(const struct vt_content_reader *reader, struct hash_list *list)
{
    if (list->capacity - list->n < reader->n) {
        uint64_t capacity = list->capacity > 0 ? 2 * list->capacity : FIRST_CAPACITY;
        uint64_t *hashes = realloc(list->hashes, (size_t)capacity * sizeof *hashes);
        VT_CHECK(hashes != NULL, VT_EXHAUSTED, "out of memory for content");
        list->hashes = hashes;
        list->capacity = capacity;
    }
    for (uint32_t i = 0; i < reader->n; i++)
        if (i == 0 || reader->hashes[i] != reader->hashes[i - 1])
            list->hashes[list->n++] = reader->hashes[i];
    return vt_ok();
}

struct counted_term {
    uint64_t hash;
    uint32_t n_items;
};

static int by_items_then_hash(const void *left, const void *right)
{
    const struct counted_term *a = left, *b = right;
    if (a->n_items != b->n_items)
        return a->n_items > b->n_items ? -1 : 1;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static int by_term_hash(const void *left, const void *right)
{
    const struct counted_term *a = left, *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* The list's distinct hashes with their counts; those that count, ascending by hash. */
static struct vt_err count_terms(struct hash_list *list, const struct vt_content_options *options,
                                 struct counted_term **ret_terms, uint32_t *ret_n)
{
    struct counted_term *terms = malloc(((size_t)list->n + 1) * sizeof *terms);
    VT_CHECK(terms != NULL, VT_EXHAUSTED, "out of memory for content");
    size_t n = 0;
    if (list->n > 0)
        qsort(list->hashes, (size_t)list->n, sizeof *list->hashes, by_hash);
    for (uint64_t begin = 0, end; begin < list->n; begin = end) {
        for (end = begin + 1; end < list->n && list->hashes[end] == list->hashes[begin];)
            end++;
        if (end - begin >= options->items_min)
            terms[n++] = (struct counted_term){list->hashes[begin], (uint32_t)(end - begin)};
    }
    qsort(terms, n, sizeof *terms, by_items_then_hash);
    n = n < options->terms_max ? n : options->terms_max;
    qsort(terms, n, sizeof *terms, by_term_hash);
    *ret_terms = terms;
    *ret_n = (uint32_t)n;
    return vt_ok();
}

static struct vt_err fill_model(const struct counted_term *terms, uint32_t n, uint32_t n_items,
                                struct vt_content_model *model)
{
    model->terms = calloc((size_t)n + 1, sizeof *model->terms);
    model->idf = calloc((size_t)n + 1, sizeof *model->idf);
    VT_CHECK(model->terms != NULL && model->idf != NULL, VT_EXHAUSTED, "out of memory for content");
    for (uint32_t i = 0; i < n; i++) {
        model->terms[i] = terms[i].hash;
        model->idf[i] = (float)(1 + log((1.0 + n_items) / (1.0 + terms[i].n_items)));
    }
    model->space = (struct vt_content_space){n, model->terms, model->idf};
    return vt_ok();
}

static void choose_language(const struct vt_catalog *catalog, const char *asked, char *ret_language)
{
    struct vt_language_guess guess = {0};
    bool automatic = strcmp(asked, "auto") == 0;
    for (uint32_t i = 0; automatic && i < catalog->n; i++)
        vt_language_guess_add(&guess, catalog->items[i].title);
    snprintf(ret_language, VT_CONTENT_LANGUAGE_BYTES, "%s",
             automatic ? vt_language_guess_best(&guess) : asked);
}

static struct vt_err train(const struct vt_catalog *catalog, struct vt_content_reader *reader,
                           const struct vt_content_options *options, struct vt_content_model *model)
{
    struct hash_list list = {0};
    struct counted_term *terms = NULL;
    uint32_t n_terms = 0;
    struct vt_err err = vt_ok();
    for (uint32_t i = 0; i < catalog->n && !vt_failed(err); i++) {
        collect(reader, &catalog->items[i]);
        err = append_distinct(reader, &list);
    }
    if (!vt_failed(err))
        err = count_terms(&list, options, &terms, &n_terms);
    if (!vt_failed(err))
        err = fill_model(terms, n_terms, catalog->n, model);
    free(list.hashes);
    free(terms);
    return err;
}

static struct vt_err check_options(const struct vt_content_options *options, struct vt_diag *diag)
{
    if (options->terms_max >= 1 && options->terms_max <= VT_CONTENT_TERMS_MAX)
        return vt_ok();
    vt_diag_set(diag, "content_terms", "%u terms; 1 to %d", options->terms_max,
                VT_CONTENT_TERMS_MAX);
    return VT_ERR(VT_INVALID, "the number of terms is out of range");
}

struct vt_err vt_content_train(const struct vt_catalog *catalog,
                               const struct vt_content_options *options, struct vt_diag *diag,
                               struct vt_content_model *ret_model)
{
    struct vt_content_model model = {0};
    struct vt_content_reader *reader = NULL;
    VT_TRY(check_options(options, diag));
    choose_language(catalog, options->language, model.language);
    VT_TRY(vt_content_reader_new(model.language, diag, &reader));
    struct vt_err err = train(catalog, reader, options, &model);
    vt_content_reader_free(reader);
    if (vt_failed(err))
        vt_content_model_free(&model);
    else
        *ret_model = model;
    return err;
}

/* ---- vectors of many ---- */

/* Room for one row more. */
static struct vt_err make_room(struct vt_sparse *matrix, uint64_t *capacity)
{
    if (*capacity - matrix->n_entries >= VT_CONTENT_ITEM_TERMS_MAX)
        return vt_ok();
    uint64_t larger = *capacity + FIRST_CAPACITY + *capacity / 2;
    uint32_t *columns = realloc(matrix->columns, (size_t)larger * sizeof *columns);
    VT_CHECK(columns != NULL, VT_EXHAUSTED, "out of memory for content");
    matrix->columns = columns;
    float *values = realloc(matrix->values, (size_t)larger * sizeof *values);
    VT_CHECK(values != NULL, VT_EXHAUSTED, "out of memory for content");
    matrix->values = values;
    *capacity = larger;
    return vt_ok();
}

static void append_row(const struct vt_content_term *terms, uint32_t n, struct vt_sparse *matrix)
{
    for (uint32_t i = 0; i < n; i++) {
        matrix->columns[matrix->n_entries] = terms[i].term;
        matrix->values[matrix->n_entries++] = terms[i].weight;
    }
}

struct vt_err vt_content_matrix(struct vt_content_reader *reader,
                                const struct vt_content_space *space,
                                const struct vt_catalog *catalog, const uint32_t *item_numbers,
                                uint32_t n_items, struct vt_sparse *ret_matrix)
{
    struct vt_sparse matrix = {.n_rows = n_items, .n_cols = space->n_terms};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    uint64_t capacity = 0;
    matrix.starts = calloc((size_t)n_items + 1, sizeof *matrix.starts);
    VT_CHECK(matrix.starts != NULL, VT_EXHAUSTED, "out of memory for content");
    struct vt_err err = make_room(&matrix, &capacity);
    for (uint32_t row = 0; row < n_items && !vt_failed(err); row++) {
        const struct vt_catalog_item *item = vt_catalog_find(catalog, item_numbers[row]);
        if (item != NULL)
            append_row(terms, vt_content_read(reader, space, item, terms), &matrix);
        matrix.starts[row + 1] = matrix.n_entries;
        err = make_room(&matrix, &capacity);
    }
    if (vt_failed(err))
        vt_sparse_free(&matrix);
    else
        *ret_matrix = matrix;
    return err;
}
