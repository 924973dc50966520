#ifndef VT_CONTENT_SPACE_H
#define VT_CONTENT_SPACE_H

#include "models/content/tokens.h"
#include "models/dataset/catalog.h"
#include "models/dataset/dataset.h"

#include <stdint.h>

/*
 * Items as vectors of what is written about them. A term is a word of any of an item's texts, or a
 * whole category, brand or "key=value" attribute; it is known by a 64-bit hash. The vector is
 * TF-IDF of length 1:
 *
 *   (1 + ln count) · idf,   idf = 1 + ln((1 + items) / (1 + items with the term)),   over its norm
 */
enum {
    VT_CONTENT_ITEM_TERMS_MAX = 1024, /* of one item; what comes later is not read */
    VT_CONTENT_TERMS_MAX = 1 << 20,
    VT_CONTENT_LANGUAGE_BYTES = 24,
};

/* The terms that count, as plain arrays: owned by who trained them, or borrowed from a bundle. */
struct vt_content_space {
    uint32_t n_terms;
    const uint64_t *terms; /* hashes, ascending */
    const float *idf;      /* n_terms */
};

struct vt_content_options {
    uint32_t terms_max;   /* of those in the most items; 1 … VT_CONTENT_TERMS_MAX */
    uint32_t items_min;   /* a term stands in so many items at least */
    const char *language; /* as vt_tokenizer_new; "auto": guessed from the titles */
    double ridge;         /* of the map (map.h); 0: chosen on items held out */
    uint32_t threads;
};
/* 32,768 terms in two items or more, language "auto", the ridge chosen. */
void vt_content_options_default(struct vt_content_options *ret_options);

/* Reads items. One thread. */
struct vt_content_reader;
/* As vt_tokenizer_new. */
VT_MUST_USE struct vt_err vt_content_reader_new(const char *language, struct vt_diag *diag,
                                                struct vt_content_reader **ret_reader);
void vt_content_reader_free(struct vt_content_reader *reader); /* NULL is allowed */

/* Owns the arrays behind `space`. */
struct vt_content_model {
    struct vt_content_space space;
    char language[VT_CONTENT_LANGUAGE_BYTES]; /* what a reader of new items must be told */
    uint64_t *terms;
    float *idf;
};
void vt_content_model_free(struct vt_content_model *model); /* NULL or zeroed is allowed */

/* Finds the terms of all items of the catalog. No term at all is fine: n_terms is 0. VT_INVALID: an
 * option is out of range, the language is unknown; VT_EXHAUSTED. One thread; same input, same
 * bytes. Tens of microseconds an item. */
VT_MUST_USE struct vt_err vt_content_train(const struct vt_catalog *catalog,
                                           const struct vt_content_options *options,
                                           struct vt_diag *diag,
                                           struct vt_content_model *ret_model);

struct vt_content_term {
    uint32_t term; /* place in the space */
    float weight;
};
/* The item's vector: terms ascending, squares of weights adding up to 1; returns how many, 0 when
 * the space knows none of its words. */
uint32_t vt_content_read(struct vt_content_reader *reader, const struct vt_content_space *space,
                         const struct vt_catalog_item *item,
                         struct vt_content_term ret_terms[VT_CONTENT_ITEM_TERMS_MAX]);

/* The vectors of `item_numbers` as rows, terms as columns; items that the catalog does not describe
 * have empty rows. Owned. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_content_matrix(struct vt_content_reader *reader,
                                            const struct vt_content_space *space,
                                            const struct vt_catalog *catalog,
                                            const uint32_t *item_numbers, uint32_t n_items,
                                            struct vt_sparse *ret_matrix);

#endif
