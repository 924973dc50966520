#ifndef VT_CONTENT_LANGUAGE_H
#define VT_CONTENT_LANGUAGE_H

#include "services/common/base/slice.h"

#include <stdint.h>

/*
 * Which language the Latin letters of a catalog are, by its commonest small words. Titles have few
 * of them, so it is asked of all texts together. Zero it first; one thread.
 */
enum { VT_LANGUAGES_MAX = 16, VT_LANGUAGE_WORDS_MIN = 10 };

struct vt_language_guess {
    uint32_t n_found[VT_LANGUAGES_MAX];
};

void vt_language_guess_add(struct vt_language_guess *guess, struct vt_slice text);
/* The language whose small words were found most, and at least VT_LANGUAGE_WORDS_MIN times; else
 * "english". A name that vt_tokenizer_new takes; a literal. */
const char *vt_language_guess_best(const struct vt_language_guess *guess);

#endif
