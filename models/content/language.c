/*
 * Counting small words: articles, conjunctions and prepositions that one language has and its
 * neighbours do not, or have less. A word that several languages of the table share ("de", "la")
 * counts for each of them and decides nothing.
 */
#include "models/content/language.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { WORDS_MAX = 12, WORD_BYTES_MAX = 8 };

static const struct {
    const char *name;
    const char *words[WORDS_MAX];
} languages[] = {
    {"english", {"the", "and", "with", "for", "of", "from", "to", "your", "this"}},
    {"german", {"und", "der", "die", "das", "mit", "für", "von", "aus", "zum", "im"}},
    {"french", {"le", "les", "et", "avec", "pour", "du", "des", "dans", "sans", "au"}},
    {"spanish", {"el", "los", "las", "y", "con", "para", "del", "una", "por"}},
    {"italian", {"il", "gli", "di", "con", "per", "della", "dei", "che", "una"}},
    {"portuguese", {"os", "e", "com", "para", "do", "da", "dos", "em", "uma", "sem"}},
    {"dutch", {"het", "een", "van", "met", "voor", "en", "uit", "naar"}},
    {"swedish", {"och", "med", "för", "av", "ett", "från", "utan"}},
    {"danish", {"og", "med", "til", "af", "et", "uden", "fra"}},
    {"norwegian", {"og", "med", "til", "av", "et", "uten", "fra"}},
    {"finnish", {"ja", "tai", "sekä", "ilman", "kanssa"}},
    {"hungarian", {"és", "egy", "az", "nélkül", "vagy"}},
    {"romanian", {"și", "cu", "pentru", "din", "fără", "la"}},
    {"turkish", {"ve", "ile", "için", "bir"}},
};
enum { N_LANGUAGES = sizeof languages / sizeof languages[0] };
_Static_assert((int)N_LANGUAGES <= (int)VT_LANGUAGES_MAX, "a guess counts each language");

static void count_word(struct vt_language_guess *guess, const char *word)
{
    for (int i = 0; i < N_LANGUAGES; i++)
        for (int w = 0; w < WORDS_MAX && languages[i].words[w] != NULL; w++)
            if (strcmp(languages[i].words[w], word) == 0) {
                guess->n_found[i]++;
                break;
            }
}

/* A letter as far as small words go: ASCII, lower-cased, or any byte of a longer character. */
static char letter_of(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte + ('a' - 'A'));
    bool letter = (byte >= 'a' && byte <= 'z') || (unsigned char)byte >= 0x80;
    return letter ? byte : '\0';
}

void vt_language_guess_add(struct vt_language_guess *guess, struct vt_slice text)
{
    char word[WORD_BYTES_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i <= text.len; i++) {
        char letter = i < text.len ? letter_of(text.data[i]) : '\0';
        if (letter != '\0') {
            if (len < WORD_BYTES_MAX)
                word[len] = letter;
            len++;
            continue;
        }
        if (len > 0 && len <= WORD_BYTES_MAX) {
            word[len] = '\0';
            count_word(guess, word);
        }
        len = 0;
    }
}

const char *vt_language_guess_best(const struct vt_language_guess *guess)
{
    int best = 0;
    for (int i = 1; i < N_LANGUAGES; i++)
        if (guess->n_found[i] > guess->n_found[best])
            best = i;
    return guess->n_found[best] >= VT_LANGUAGE_WORDS_MIN ? languages[best].name : languages[0].name;
}
