#include "services/common/base/text.h"
#include "tests/testlib/testlib.h"

#define BYTES(literal_) vt_slice((literal_), sizeof(literal_) - 1)

static void well_formed_text_is_valid(void **state)
{
    (void)state;
    const struct vt_slice valid[] = {
        BYTES(""),
        BYTES("plain"),
        BYTES("\x7F"),
        BYTES("\xC2\x80"),                 /* U+0080, first of two bytes */
        BYTES("\xDF\xBF"),                 /* U+07FF, last of two */
        BYTES("\xE0\xA0\x80"),             /* U+0800, first of three */
        BYTES("\xED\x9F\xBF"),             /* U+D7FF, just below the surrogates */
        BYTES("\xEE\x80\x80"),             /* U+E000, just above them */
        BYTES("\xEF\xBF\xBF"),             /* U+FFFF, a noncharacter but well-formed */
        BYTES("\xF0\x90\x80\x80"),         /* U+10000, first of four */
        BYTES("\xF4\x8F\xBF\xBF"),         /* U+10FFFF, the last */
        BYTES("K\xC3\xA4se \xE2\x82\xAC"), /* mixed */
    };
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        assert_true(vt_text_valid(valid[i], NULL));
}

static void malformed_text_is_refused_at_its_offset(void **state)
{
    (void)state;
    const struct {
        struct vt_slice bytes;
        size_t offset;
    } wrong[] = {
        {BYTES("ab\0c"), 2},                    /* NUL */
        {BYTES("\x80"), 0},                     /* a continuation alone */
        {BYTES("ab\xC0\xAF"), 2},               /* '/' overlong in two bytes */
        {BYTES("\xC1\xBF"), 0},                 /* overlong */
        {BYTES("\xE0\x80\xAF"), 0},             /* '/' overlong in three */
        {BYTES("\xE0\x9F\xBF"), 0},             /* U+07FF overlong in three */
        {BYTES("\xF0\x80\x80\xAF"), 0},         /* '/' overlong in four */
        {BYTES("\xF0\x8F\xBF\xBF"), 0},         /* U+FFFF overlong in four */
        {BYTES("x\xED\xA0\x80"), 1},            /* U+D800, first surrogate */
        {BYTES("\xED\xBF\xBF"), 0},             /* U+DFFF, last surrogate */
        {BYTES("\xED\xA0\xBD\xED\xB8\x80"), 0}, /* a surrogate pair, as CESU-8 has it */
        {BYTES("\xF4\x90\x80\x80"), 0},         /* U+110000, above the last */
        {BYTES("\xF5\x80\x80\x80"), 0},         /* a lead that never occurs */
        {BYTES("\xFE"), 0},
        {BYTES("\xFF\xFE"), 0},    /* a UTF-16 mark */
        {BYTES("abc\xE2\x82"), 3}, /* cut short at the end */
        {BYTES("\xE2\x82"
               "A"),
         0}, /* cut short in the middle */
        {BYTES("\xC3\xA4\xC3"), 2},
        {BYTES("\xF0\x9F\x98"
               "A"),
         0},
        {BYTES("\xC0\x80"), 0}, /* NUL as Java writes it */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t offset = 99;
        assert_false(vt_text_valid(wrong[i].bytes, &offset));
        assert_int_equal(offset, wrong[i].offset);
    }
}

static unsigned encode(unsigned code_point, char *text)
{
    if (code_point < 0x80) {
        text[0] = (char)code_point;
        return 1;
    }
    unsigned n = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (unsigned i = n - 1; i > 0; i--, code_point >>= 6)
        text[i] = (char)(0x80 | (code_point & 0x3F));
    text[0] = (char)((0xF00u >> n) | code_point);
    return n;
}

static void every_code_point_but_nul_and_surrogates_is_valid(void **state)
{
    (void)state;
    for (unsigned code_point = 1; code_point <= 0x10FFFF; code_point++) {
        char text[4];
        unsigned n = encode(code_point, text);
        bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        if (vt_text_valid(vt_slice(text, n), NULL) == surrogate)
            fail_msg("U+%04X", code_point);
    }
}

static void sequence_bytes_is_zero_at_the_end(void **state)
{
    (void)state;
    struct vt_slice text = BYTES("a\xC3\xA4");
    assert_int_equal(vt_text_sequence_bytes(text, 0), 1);
    assert_int_equal(vt_text_sequence_bytes(text, 1), 2);
    assert_int_equal(vt_text_sequence_bytes(text, 2), 0);
    assert_int_equal(vt_text_sequence_bytes(text, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_valid),
        cmocka_unit_test(malformed_text_is_refused_at_its_offset),
        cmocka_unit_test(every_code_point_but_nul_and_surrogates_is_valid),
        cmocka_unit_test(sequence_bytes_is_zero_at_the_end),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
