/* The page about a version: whole, escaped, the same bytes, and honest when little is known. */
#include "models/report/report.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>
#include <string.h>

static struct vt_bundle_view view_of(const struct vt_bundle_metric *metrics, uint32_t n)
{
    return (struct vt_bundle_view){.version = "20261123-000000000-00000000",
                                   .parent = "",
                                   .algorithm = "ials",
                                   .create_time_ms = INT64_C(1795385730123),
                                   .n_users = 11,
                                   .n_items = 5,
                                   .n_interactions = 42,
                                   .dim = 3,
                                   .blas = "",
                                   .metrics = metrics,
                                   .n_metrics = n};
}

static char *page_of(const struct vt_bundle_view *view, const struct vt_report_data *data)
{
    char *html = NULL;
    size_t len = 0;
    assert_ok(vt_report_page(view, data, &html, &len));
    assert_int_equal(strlen(html), len);
    return html;
}

static void titles_cannot_become_markup(void **state)
{
    (void)state;
    const struct vt_bundle_view view = view_of(NULL, 0);
    struct vt_report_data *data = calloc(1, sizeof *data);
    assert_non_null(data);
    data->n_examples = 1;
    data->examples[0] = (struct vt_report_example){.n_history = 1, .n_seen = 1, .n_shown = 1};
    vt_report_title(vt_slice_str("</li><script>alert('x')</script>"), data->examples[0].seen[0]);
    vt_report_title(vt_slice_str("a & b \"c\""), data->examples[0].shown[0]);
    char *html = page_of(&view, data);
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;/li&gt;&lt;script&gt;alert(&#39;x&#39;)"));
    assert_non_null(strstr(html, "a &amp; b &quot;c&quot;"));
    free(html);
    free(data);
}

static void nothing_is_loaded_from_anywhere(void **state)
{
    (void)state;
    static const struct vt_bundle_metric metrics[] = {{"recall", 0.25}, {"ndcg", 0.2}};
    static const double curve[] = {1, 100, 0.1, 2, 50, 0.2, 3, 40, -1};
    struct vt_bundle_view view = view_of(metrics, 2);
    view.curve = curve;
    view.n_curve = 3;
    char *html = page_of(&view, NULL);
    assert_null(strstr(html, "http"));
    assert_null(strstr(html, "src="));
    assert_null(strstr(html, "href="));
    assert_null(strstr(html, "nan"));
    assert_non_null(strstr(html, "<path"));
    free(html);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    static const struct vt_bundle_metric metrics[] = {{"recall", 0.25}, {"ndcg", 0.2}};
    const struct vt_bundle_view view = view_of(metrics, 2);
    char *first = page_of(&view, NULL), *second = page_of(&view, NULL);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void a_version_without_metrics_says_so(void **state)
{
    (void)state;
    const struct vt_bundle_view view = view_of(NULL, 0);
    char *html = page_of(&view, NULL);
    assert_non_null(strstr(html, "Not measured"));
    free(html);
}

static void titles_are_cut_between_characters(void **state)
{
    (void)state;
    char title[VT_REPORT_TITLE_BYTES], text[4 * VT_REPORT_TITLE_BYTES];
    size_t len = 0;
    while (len + 3 <= sizeof text) {
        memcpy(text + len, "語", 3);
        len += 3;
    }
    vt_report_title(vt_slice(text, len), title);
    const size_t kept = strlen(title);
    assert_int_equal(kept % 3, 0); /* whole characters, and the ellipsis has three bytes too */
    assert_true(kept > VT_REPORT_TITLE_BYTES - 8);
    assert_memory_equal(title + kept - 3, "…", 3);
    vt_report_title(vt_slice_str("Tea"), title);
    assert_string_equal(title, "Tea");
    vt_report_title(vt_slice(NULL, 0), title);
    assert_string_equal(title, "");
    /* The longest that fits, and one more. */
    memset(text, 'x', sizeof text);
    vt_report_title(vt_slice(text, VT_REPORT_TITLE_BYTES - 4), title);
    assert_int_equal(strlen(title), VT_REPORT_TITLE_BYTES - 4);
    assert_int_equal(title[VT_REPORT_TITLE_BYTES - 5], 'x');
    vt_report_title(vt_slice(text, VT_REPORT_TITLE_BYTES - 3), title);
    assert_memory_equal(title + strlen(title) - 3, "…", 3);
}

static void segments_and_bins_have_their_edges(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        enum vt_report_customers segment;
    } cases[] = {{0, VT_REPORT_UNKNOWN},  {1, VT_REPORT_NEW},     {4, VT_REPORT_NEW},
                 {5, VT_REPORT_LIGHT},    {19, VT_REPORT_LIGHT},  {20, VT_REPORT_REGULAR},
                 {99, VT_REPORT_REGULAR}, {100, VT_REPORT_HEAVY}, {UINT64_MAX, VT_REPORT_HEAVY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(vt_report_customers_of(cases[i].n), cases[i].segment);
    assert_int_equal(vt_report_bin(1), 0);
    assert_int_equal(vt_report_bin(2), 1);
    assert_int_equal(vt_report_bin(3), 1);
    assert_int_equal(vt_report_bin(4), 2);
    assert_int_equal(vt_report_bin(UINT64_MAX), VT_REPORT_BINS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_cannot_become_markup),
        cmocka_unit_test(nothing_is_loaded_from_anywhere),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(a_version_without_metrics_says_so),
        cmocka_unit_test(titles_are_cut_between_characters),
        cmocka_unit_test(segments_and_bins_have_their_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
