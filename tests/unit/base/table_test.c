#include "services/common/base/table.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>

static char *printed(const struct vt_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    vt_table_print(table, out);
    fclose(out);
    return text;
}

static void table_aligns_wide_and_accented_text(void **state)
{
    (void)state;
    struct vt_table *table = vt_table_new((const char *const[]){"title", ">price"}, 2);
    vt_table_cell(table, vt_slice_str("\xE8\x8C\xB6")); /* one character, two places */
    vt_table_cellf(table, "%.2f", 12.5);
    vt_table_cell(table, vt_slice_str("cafe\xCC\x81")); /* five characters, four places */
    vt_table_cellf(table, "%.2f", 3.0);
    char *text = printed(table);
    assert_string_equal(text, "title  price\n"
                              "\xE8\x8C\xB6     12.50\n"
                              "cafe\xCC\x81    3.00\n");
    free(text);
    vt_table_free(table);
}

static void table_cuts_long_cells_and_control_characters(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'x', sizeof longer);
    struct vt_table *table = vt_table_new((const char *const[]){"a"}, 1);
    vt_table_cell(table, vt_slice(longer, sizeof longer));
    vt_table_cell(table, vt_slice_str("one\ntwo"));
    char *text = printed(table);
    assert_non_null(strstr(text, "xxx\xE2\x80\xA6\n"));
    assert_non_null(strstr(text, "one two\n"));
    free(text);
    vt_table_free(table);
}

static void table_leaves_out_an_unfinished_row(void **state)
{
    (void)state;
    struct vt_table *table = vt_table_new((const char *const[]){"a", "b"}, 2);
    vt_table_cell(table, vt_slice_str("only"));
    char *text = printed(table);
    assert_string_equal(text, "a     b\n");
    free(text);
    vt_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_aligns_wide_and_accented_text),
        cmocka_unit_test(table_cuts_long_cells_and_control_characters),
        cmocka_unit_test(table_leaves_out_an_unfinished_row),
    };
    return cmocka_run_group_tests_name("base/table", tests, NULL, NULL);
}
