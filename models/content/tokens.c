/*
 * ICU finds the words, Snowball stems them. A text goes through fixed buffers of the tokenizer:
 * UTF-8 → UTF-16 → compatibility-folded → words → UTF-8 stems, so nothing is allocated for a text
 * and no input can grow anything. Case is folded before words are cut, as caseless matching wants
 * it (Unicode 15, section 3.13, D146), accents are taken off after stemming, because endings carry
 * them ("passé").
 */
#include "models/content/tokens.h"

#include <libstemmer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

enum {
    /* Folding makes at most 18 units of one, and that one (U+FDFA) has 3 bytes. */
    FOLDED_UNITS_MAX = 6 * VT_TOKEN_TEXT_BYTES_MAX,
    WORD_UNITS_MAX = VT_TOKEN_BYTES_MAX / 3, /* a unit becomes 3 bytes at most */
    BARE_UNITS_MAX = 4 * VT_TOKEN_BYTES_MAX, /* a word, accents apart */
    N_SCRIPTS = 8,
};

/* Scripts whose language is taken for granted; the first is Latin, whose language is told. */
static const struct {
    UScriptCode script;
    const char *language;
} script_table[N_SCRIPTS] = {
    {USCRIPT_LATIN, NULL},         {USCRIPT_CYRILLIC, "russian"},  {USCRIPT_GREEK, "greek"},
    {USCRIPT_ARABIC, "arabic"},    {USCRIPT_ARMENIAN, "armenian"}, {USCRIPT_TAMIL, "tamil"},
    {USCRIPT_DEVANAGARI, "hindi"}, {USCRIPT_HEBREW, "yiddish"},
};

struct vt_tokenizer {
    const UNormalizer2 *fold, *decompose; /* ICU's own */
    UBreakIterator *words;
    struct sb_stemmer *stemmers[N_SCRIPTS]; /* NULL: words stay as they are */
    UChar units[VT_TOKEN_TEXT_BYTES_MAX + 1];
    UChar folded[FOLDED_UNITS_MAX];
    UChar bare[BARE_UNITS_MAX];
    char word[VT_TOKEN_BYTES_MAX + 1], plain[VT_TOKEN_BYTES_MAX + 1];
};

/* ---- life cycle ---- */

static struct vt_err refuse_language(const char *language, struct vt_diag *diag)
{
    char list[VT_DIAG_TEXT_BYTES] = "none";
    for (const char **name = sb_stemmer_list(); *name != NULL; name++) {
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, " %s", *name);
    }
    vt_diag_set(diag, "content_language", "no stems for '%s'; there are: %s", language, list);
    return VT_ERR(VT_INVALID, "unknown language");
}

static struct vt_err open_stemmers(const char *latin, struct vt_diag *diag,
                                   struct vt_tokenizer *tokenizer)
{
    for (int i = 0; i < N_SCRIPTS; i++) {
        const char *language = i == 0 ? latin : script_table[i].language;
        if (strcmp(language, "none") == 0)
            continue;
        tokenizer->stemmers[i] = sb_stemmer_new(language, "UTF_8");
        if (tokenizer->stemmers[i] == NULL && i == 0)
            return refuse_language(language, diag);
    }
    return vt_ok();
}

static struct vt_err open_icu(struct vt_tokenizer *tokenizer, struct vt_diag *diag)
{
    UErrorCode status = U_ZERO_ERROR;
    tokenizer->fold = unorm2_getNFKCCasefoldInstance(&status);
    tokenizer->decompose = unorm2_getNFDInstance(&status);
    tokenizer->words = ubrk_open(UBRK_WORD, "", NULL, 0, &status);
    if (U_SUCCESS(status))
        return vt_ok();
    vt_diag_set(diag, "", "ICU cannot cut words (%s): is libicu whole?", u_errorName(status));
    return VT_ERR(VT_UNAVAILABLE, "ICU is without its data");
}

struct vt_err vt_tokenizer_new(const char *language, struct vt_diag *diag,
                               struct vt_tokenizer **ret_tokenizer)
{
    struct vt_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    VT_CHECK(tokenizer != NULL, VT_EXHAUSTED, "out of memory for the tokenizer");
    struct vt_err err = open_icu(tokenizer, diag);
    if (!vt_failed(err))
        err = open_stemmers(language, diag, tokenizer);
    if (vt_failed(err))
        vt_tokenizer_free(tokenizer);
    else
        *ret_tokenizer = tokenizer;
    return err;
}

void vt_tokenizer_free(struct vt_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    for (int i = 0; i < N_SCRIPTS; i++)
        if (tokenizer->stemmers[i] != NULL)
            sb_stemmer_delete(tokenizer->stemmers[i]);
    if (tokenizer->words != NULL)
        ubrk_close(tokenizer->words);
    free(tokenizer);
}

/* ---- one word ---- */

/* The code point at *at, which moves behind it; a lone surrogate stands for itself. */
static UChar32 next_point(const UChar *units, int32_t n, int32_t *at)
{
    UChar lead = units[(*at)++];
    if (!U16_IS_LEAD(lead) || *at == n || !U16_IS_TRAIL(units[*at]))
        return lead;
    return U16_GET_SUPPLEMENTARY(lead, units[(*at)++]);
}

/* The place in the table of the script of the word's first letter; -1: another one. */
static int script_of(const UChar *units, int32_t n)
{
    for (int32_t at = 0; at < n;) {
        UErrorCode status = U_ZERO_ERROR;
        UChar32 point = next_point(units, n, &at);
        UScriptCode script = uscript_getScript(point, &status);
        for (int i = 0; u_isalpha(point) && i < N_SCRIPTS; i++)
            if (script_table[i].script == script)
                return i;
        if (u_isalpha(point))
            return -1;
    }
    return -1;
}

static bool is_ascii(struct vt_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

/* UTF-16 of a word into `to`; an empty slice when it is nothing. */
static struct vt_slice to_utf8(const UChar *units, int32_t n, char *to)
{
    int32_t len = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8WithSub(to, VT_TOKEN_BYTES_MAX, &len, units, n, 0xFFFD, NULL, &status);
    return U_SUCCESS(status) ? vt_slice(to, (size_t)len) : vt_slice("", 0);
}

/* Without the marks over and under letters. */
static struct vt_slice without_accents(struct vt_tokenizer *tokenizer, struct vt_slice word)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[VT_TOKEN_BYTES_MAX];
    int32_t n = 0, n_kept = 0;
    u_strFromUTF8(units, VT_TOKEN_BYTES_MAX, &n, word.data, (int32_t)word.len, &status);
    n = unorm2_normalize(tokenizer->decompose, units, n, tokenizer->bare, BARE_UNITS_MAX, &status);
    if (U_FAILURE(status))
        return word;
    for (int32_t i = 0; i < n; i++)
        if (u_charType(tokenizer->bare[i]) != U_NON_SPACING_MARK)
            tokenizer->bare[n_kept++] = tokenizer->bare[i];
    return to_utf8(tokenizer->bare, n_kept, tokenizer->plain);
}

static struct vt_slice stem(struct vt_tokenizer *tokenizer, struct vt_slice word, int script)
{
    struct sb_stemmer *stemmer = script >= 0 ? tokenizer->stemmers[script] : NULL;
    if (stemmer == NULL)
        return word;
    const sb_symbol *stemmed =
        sb_stemmer_stem(stemmer, (const sb_symbol *)word.data, (int)word.len);
    int len = sb_stemmer_length(stemmer);
    return stemmed != NULL && len > 0 && len <= VT_TOKEN_BYTES_MAX ? vt_slice(stemmed, (size_t)len)
                                                                   : word;
}

static struct vt_slice make_token(struct vt_tokenizer *tokenizer, const UChar *units, int32_t n)
{
    if (n > WORD_UNITS_MAX)
        n = WORD_UNITS_MAX - U16_IS_LEAD(units[WORD_UNITS_MAX - 1]);
    int script = script_of(units, n);
    struct vt_slice token = stem(tokenizer, to_utf8(units, n, tokenizer->word), script);
    bool accents = script >= 0 && (script_table[script].script == USCRIPT_LATIN ||
                                   script_table[script].script == USCRIPT_GREEK);
    return accents && !is_ascii(token) ? without_accents(tokenizer, token) : token;
}

/* ---- one text ---- */

/* The folded units of the text; 0: nothing to read. */
static int32_t fold(struct vt_tokenizer *tokenizer, struct vt_slice text)
{
    int32_t n = 0;
    UErrorCode status = U_ZERO_ERROR;
    size_t len = text.len < VT_TOKEN_TEXT_BYTES_MAX ? text.len : VT_TOKEN_TEXT_BYTES_MAX;
    if (len == 0)
        return 0;
    u_strFromUTF8WithSub(tokenizer->units, VT_TOKEN_TEXT_BYTES_MAX + 1, &n, text.data, (int32_t)len,
                         0xFFFD, NULL, &status);
    n = unorm2_normalize(tokenizer->fold, tokenizer->units, n, tokenizer->folded, FOLDED_UNITS_MAX,
                         &status);
    return U_SUCCESS(status) ? n : 0;
}

void vt_tokenizer_each(struct vt_tokenizer *tokenizer, struct vt_slice text, vt_token_fn fn,
                       void *ctx)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = fold(tokenizer, text);
    ubrk_setText(tokenizer->words, tokenizer->folded, n, &status);
    if (U_FAILURE(status))
        return;
    for (int32_t start = ubrk_first(tokenizer->words), end = ubrk_next(tokenizer->words);
         end != UBRK_DONE; start = end, end = ubrk_next(tokenizer->words)) {
        if (ubrk_getRuleStatus(tokenizer->words) < UBRK_WORD_NONE_LIMIT)
            continue; /* blanks and punctuation */
        struct vt_slice token = make_token(tokenizer, tokenizer->folded + start, end - start);
        if (token.len > 0 && !fn(ctx, token))
            return;
    }
}
