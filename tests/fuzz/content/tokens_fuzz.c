/* Any bytes as a text: words within bounds and of well-formed UTF-8, whatever the bytes are. The
 * first byte chooses the language. */
#include "models/content/language.h"
#include "models/content/tokens.h"
#include "services/common/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(void *ctx, struct vt_slice token)
{
    size_t offset;
    (void)ctx;
    VT_ASSERT(token.len > 0 && token.len <= VT_TOKEN_BYTES_MAX);
    VT_ASSERT(vt_text_valid(token, &offset));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {"english", "german", "french", "turkish", "none"};
    enum { N = sizeof languages / sizeof languages[0] };
    static struct vt_tokenizer *tokenizers[N];
    struct vt_language_guess guess = {0};
    if (size == 0)
        return 0;
    unsigned which = data[0] % N;
    if (tokenizers[which] == NULL)
        VT_ASSERT(!vt_failed(vt_tokenizer_new(languages[which], NULL, &tokenizers[which])));
    vt_tokenizer_each(tokenizers[which], vt_slice(data + 1, size - 1), check, NULL);
    vt_language_guess_add(&guess, vt_slice(data + 1, size - 1));
    VT_ASSERT(vt_language_guess_best(&guess) != NULL);
    return 0;
}
