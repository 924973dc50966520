#include "services/common/base/log.h"
#include "services/common/base/text.h"
#include "tests/testlib/testlib.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes into a pipe of packets (O_DIRECT), where one read(2) gives back what one
 * write(2) put in: that is how "a line is one write" is seen. */
struct capture {
    int saved, read_end;
    char line[8192];
};

static void capture_begin(struct capture *capture)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
    fflush(stderr);
    capture->saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    capture->read_end = ends[0];
}

/* The next write as text; "" when there was none. */
static const char *capture_next(struct capture *capture)
{
    ssize_t n = read(capture->read_end, capture->line, sizeof capture->line - 1);
    capture->line[n > 0 ? n : 0] = '\0';
    return capture->line;
}

static void capture_end(struct capture *capture)
{
    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    close(capture->read_end);
}

static const char *after_time(const char *line)
{
    const char *level = strstr(line, ",\"level\"");
    assert_non_null(level);
    return level;
}

static void line_is_one_write_of_one_object(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    vt_log(VT_LOG_INFO, "listening", VT_F_STR("address", "127.0.0.1"), VT_F_INT("port", -7400),
           VT_F_REAL("load", 0.25), VT_F_BOOL("ready", true));
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_int_equal(strncmp(line, "{\"time\":\"20", 11), 0);
    assert_string_equal(after_time(line), ",\"level\":\"info\",\"event\":\"listening\",\"address\":"
                                          "\"127.0.0.1\",\"port\":-7400,\"load\":0.25,\"ready\":"
                                          "true}\n");
}

static void text_is_escaped_and_broken_utf8_replaced(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    const char text[] = "a\"b\\c\nd\te\x01\x7F\xC3\xA4\xFFz\xE2\x82";
    vt_log(VT_LOG_WARN, "odd", VT_F_SLICE("t", vt_slice(text, sizeof text)));
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_string_equal(after_time(line),
                        ",\"level\":\"warn\",\"event\":\"odd\",\"t\":\"a\\\"b\\\\c\\nd\\te\\u0001"
                        "\\u007f\xC3\xA4\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\\u0000\"}\n");
}

static void numbers_json_lacks_are_null(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    vt_log(VT_LOG_ERROR, "odd", VT_F_REAL("nan", NAN), VT_F_REAL("inf", -INFINITY));
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_string_equal(after_time(line),
                        ",\"level\":\"error\",\"event\":\"odd\",\"nan\":null,\"inf\":null}\n");
}

static void lower_levels_are_not_written(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    vt_log_set_level(VT_LOG_WARN);
    vt_log(VT_LOG_INFO, "quiet");
    vt_log(VT_LOG_WARN, "loud");
    vt_log_set_level(VT_LOG_INFO);
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_non_null(strstr(line, "\"loud\""));
}

static void field_too_long_is_left_out_and_said(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    struct capture capture;
    capture_begin(&capture);
    vt_log(VT_LOG_INFO, "long", VT_F_STR("text", text), VT_F_INT("n", 3));
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_string_equal(after_time(line), ",\"level\":\"info\",\"event\":\"long\",\"n\":3,"
                                          "\"truncated\":true}\n");
}

/* Every length around the limit gives a whole line of at most PIPE_BUF bytes. */
static void lines_around_the_limit_stay_whole(void **state)
{
    (void)state;
    static char text[4200];
    for (size_t len = 3900; len < sizeof text - 1; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        struct capture capture;
        capture_begin(&capture);
        vt_log(VT_LOG_INFO, "long", VT_F_STR("text", text));
        const char *line = capture_next(&capture);
        capture_end(&capture);
        size_t n = strlen(line);
        assert_true(n <= 4096);
        assert_string_equal(line + n - 2, "}\n");
    }
}

static void error_is_told_with_code_and_errno(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    vt_log_err(VT_LOG_ERROR, "failed", VT_ERR_SYS(VT_NOT_FOUND, 2, "no such thing"), "x.txt");
    const char *line = capture_next(&capture);
    capture_end(&capture);
    assert_non_null(strstr(line, "\"code\":\"NOT_FOUND\""));
    assert_non_null(strstr(line, "\"error\":\"no such thing\""));
    assert_non_null(strstr(line, "\"detail\":\"x.txt\""));
    assert_non_null(strstr(line, "\"system\":\"No such file or directory\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_one_write_of_one_object),
        cmocka_unit_test(text_is_escaped_and_broken_utf8_replaced),
        cmocka_unit_test(numbers_json_lacks_are_null),
        cmocka_unit_test(lower_levels_are_not_written),
        cmocka_unit_test(field_too_long_is_left_out_and_said),
        cmocka_unit_test(lines_around_the_limit_stay_whole),
        cmocka_unit_test(error_is_told_with_code_and_errno),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
