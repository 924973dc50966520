/* Words of many scripts, their stems, and which language a catalog is. */
#include "models/content/language.h"
#include "models/content/tokens.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

struct words {
    char text[8192]; /* "[one][two]" */
    uint32_t n, stop_at;
};

static bool append(void *ctx, struct vt_slice token)
{
    struct words *words = ctx;
    size_t len = strlen(words->text);
    snprintf(words->text + len, sizeof words->text - len, "[%.*s]", (int)token.len, token.data);
    return ++words->n != words->stop_at;
}

static const char *words_of(const char *language, const char *text)
{
    static struct words words;
    struct vt_tokenizer *tokenizer;
    memset(&words, 0, sizeof words);
    assert_ok(vt_tokenizer_new(language, NULL, &tokenizer));
    vt_tokenizer_each(tokenizer, vt_slice_str(text), append, &words);
    vt_tokenizer_free(tokenizer);
    return words.text;
}

static void words_are_folded_and_stemmed(void **state)
{
    (void)state;
    assert_string_equal(words_of("english", "RUNNING Shoes, men's (2 pairs)"),
                        "[run][shoe][men][2][pair]");
    assert_string_equal(words_of("none", "RUNNING Shoes"), "[running][shoes]");
    assert_string_equal(words_of("german", "Die Häuser und das Haus"),
                        "[die][haus][und][das][haus]");
    assert_string_equal(words_of("french", "chaussures crème"), "[chaussur][crem]");
}

static void forms_of_one_word_are_one_term(void **state)
{
    (void)state;
    static const char *const pairs[][3] = {
        {"english", "cups", "CUP"},          {"english", "ﬁne", "fine"}, /* a ligature */
        {"english", "cafe\xCC\x81", "café"},                             /* decomposed or not */
        {"english", "Ｔｅａ", "tea"},                                    /* full width */
        {"german", "Kleidern", "Kleid"},     {"spanish", "zapatos", "ZAPATO"},
        {"english", "книги", "Книга"}, /* Russian beside whatever Latin is */
        {"english", "الكتاب", "كتاب"},       {"english", "ΒΙΒΛΙΑ", "βιβλία"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char first[256];
        snprintf(first, sizeof first, "%s", words_of(pairs[i][0], pairs[i][1]));
        assert_string_equal(first, words_of(pairs[i][0], pairs[i][2]));
    }
}

static void scripts_without_blanks_are_cut_by_dictionary(void **state)
{
    (void)state;
    assert_string_equal(words_of("english", "中华人民共和国"), "[中华][人民][共和国]");
    assert_string_equal(words_of("english", "日本語の本"), "[日本語][の][本]");
    assert_string_equal(words_of("english", "ภาษาไทย"), "[ภาษา][ไทย]");
}

static void bytes_that_are_no_text_end_a_word_and_nothing_else(void **state)
{
    (void)state;
    assert_string_equal(words_of("english", "tea\xff\xfe"
                                            "cup"),
                        "[tea][cup]");
    assert_string_equal(words_of("english", ""), "");
    assert_string_equal(words_of("english", " \t—…! "), "");
}

static void a_callback_ends_the_walk(void **state)
{
    (void)state;
    struct words words = {.stop_at = 2};
    struct vt_tokenizer *tokenizer;
    assert_ok(vt_tokenizer_new("english", NULL, &tokenizer));
    vt_tokenizer_each(tokenizer, vt_slice_str("one two three"), append, &words);
    vt_tokenizer_free(tokenizer);
    assert_string_equal(words.text, "[one][two]");
}

static void long_words_and_texts_are_cut(void **state)
{
    (void)state;
    static char text[2 * VT_TOKEN_TEXT_BYTES_MAX + 1];
    struct words words = {0};
    struct vt_tokenizer *tokenizer;
    memset(text, 'x', sizeof text - 1);
    assert_ok(vt_tokenizer_new("none", NULL, &tokenizer));
    vt_tokenizer_each(tokenizer, vt_slice_str(text), append, &words);
    assert_int_equal(words.n, 1);
    assert_true(strlen(words.text) <= VT_TOKEN_BYTES_MAX + 2);
    memset(text, ' ', VT_TOKEN_TEXT_BYTES_MAX);
    words = (struct words){0};
    vt_tokenizer_each(tokenizer, vt_slice_str(text), append, &words);
    assert_int_equal(words.n, 0); /* what stands behind the limit is not read */
    text[VT_TOKEN_TEXT_BYTES_MAX - 1] = 'x';
    vt_tokenizer_each(tokenizer, vt_slice_str(text), append, &words);
    assert_string_equal(words.text, "[x]");
    vt_tokenizer_free(tokenizer);
}

static void an_unknown_language_is_refused_with_the_list(void **state)
{
    (void)state;
    struct vt_tokenizer *tokenizer;
    struct vt_diag diag = {0};
    assert_code(vt_tokenizer_new("klingon", &diag, &tokenizer), VT_INVALID);
    assert_non_null(strstr(diag.text, "klingon"));
    assert_non_null(strstr(diag.text, "german"));
}

/* ---- language ---- */

static const char *guess(const char *text, int times)
{
    struct vt_language_guess counts = {0};
    for (int i = 0; i < times; i++)
        vt_language_guess_add(&counts, vt_slice_str(text));
    return vt_language_guess_best(&counts);
}

static void small_words_tell_the_language(void **state)
{
    (void)state;
    assert_string_equal(guess("Tasse mit Henkel und Untertasse", 10), "german");
    assert_string_equal(guess("Tasse avec anse et soucoupe pour le café", 10), "french");
    assert_string_equal(guess("Taza con asa y plato para el desayuno", 10), "spanish");
    assert_string_equal(guess("Kop met oor en schotel voor een ontbijt", 10), "dutch");
    assert_string_equal(guess("Cup with handle and saucer", 10), "english");
}

static void too_few_small_words_mean_english(void **state)
{
    (void)state;
    assert_string_equal(guess("Tasse mit Henkel", VT_LANGUAGE_WORDS_MIN - 1), "english");
    assert_string_equal(guess("Tasse mit Henkel", VT_LANGUAGE_WORDS_MIN), "german");
    assert_string_equal(guess("", 100), "english");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_folded_and_stemmed),
        cmocka_unit_test(forms_of_one_word_are_one_term),
        cmocka_unit_test(scripts_without_blanks_are_cut_by_dictionary),
        cmocka_unit_test(bytes_that_are_no_text_end_a_word_and_nothing_else),
        cmocka_unit_test(a_callback_ends_the_walk),
        cmocka_unit_test(long_words_and_texts_are_cut),
        cmocka_unit_test(an_unknown_language_is_refused_with_the_list),
        cmocka_unit_test(small_words_tell_the_language),
        cmocka_unit_test(too_few_small_words_mean_english),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
