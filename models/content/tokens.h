#ifndef VT_CONTENT_TOKENS_H
#define VT_CONTENT_TOKENS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>

/*
 * Texts in any script → terms: Unicode word boundaries (UAX 29; Chinese, Japanese, Thai and their
 * like by ICU's dictionaries), NFKC case folding, Snowball stems, and accents taken off Latin and
 * Greek. A stem's language follows the script; which language Latin letters are is told once, for
 * a whole catalog, so that training and serving agree.
 *
 * A tokenizer is of one thread at a time.
 */
struct vt_tokenizer;

enum {
    VT_TOKEN_TEXT_BYTES_MAX = 4096, /* what stands behind is not read */
    VT_TOKEN_BYTES_MAX = 128,       /* a longer word is cut, between characters */
};

/* A word of the text, borrowed until the callback returns. False ends the walk. */
typedef bool (*vt_token_fn)(void *ctx, struct vt_slice token);

/* `language` is what Latin letters are: an English name in lower case, as Snowball has them
 * ("english", "german", "french" …), or "none" to leave words as they are. VT_INVALID with the
 * nearest and the list in `diag`; VT_EXHAUSTED without memory; VT_UNAVAILABLE when ICU has no
 * data. */
VT_MUST_USE struct vt_err vt_tokenizer_new(const char *language, struct vt_diag *diag,
                                           struct vt_tokenizer **ret_tokenizer);
void vt_tokenizer_free(struct vt_tokenizer *tokenizer); /* NULL is allowed */

/* Calls `fn` for each word of `text`, in order. Bytes that are not UTF-8 separate words.
 * Microseconds for a title. */
void vt_tokenizer_each(struct vt_tokenizer *tokenizer, struct vt_slice text, vt_token_fn fn,
                       void *ctx);

#endif
