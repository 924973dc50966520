/* What /metrics says of the process, against what the kernel says by other ways. */
#include "services/common/base/process_metrics.h"
#include "tests/testlib/testlib.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The value of a family without labels; fails where it is not there. */
static double value_of(const char *name)
{
    char *text = NULL, wanted[128];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    vt_process_metrics_render(out);
    fclose(out);
    snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(text, wanted);
    assert_non_null(at);
    double value = strtod(at + strlen(wanted), NULL);
    free(text);
    return value;
}

static void processor_time_is_that_of_getrusage(void **state)
{
    (void)state;
    struct rusage usage;
    do { /* the calls themselves are the work */
        getrusage(RUSAGE_SELF, &usage);
    } while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec < 100000);
    double expected = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    assert_true(value_of("process_cpu_seconds_total") >= expected - 0.05);
}

static void memory_that_is_touched_is_counted(void **state)
{
    enum { MEBIBYTES = 64 };
    (void)state;
    double before = value_of("process_resident_memory_bytes");
    char *memory = malloc((size_t)MEBIBYTES << 20);
    assert_non_null(memory);
    memset(memory, 1, (size_t)MEBIBYTES << 20);
    double after = value_of("process_resident_memory_bytes");
    assert_true(memory[12345] == 1 && after - before > (MEBIBYTES - 4) * 1048576.0);
    assert_true(value_of("process_virtual_memory_bytes") >= after);
    free(memory);
}

static void an_open_file_is_one_descriptor_more(void **state)
{
    (void)state;
    double before = value_of("process_open_fds");
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_true(value_of("process_open_fds") - before > 0.5);
    close(file);
    assert_true(value_of("process_open_fds") - before < 0.5);
    assert_true(value_of("process_max_fds") >= before);
}

static void it_started_before_now_and_not_long_ago(void **state)
{
    (void)state;
    double age = (double)time(NULL) - value_of("process_start_time_seconds");
    assert_true(age > -2 && age < 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processor_time_is_that_of_getrusage),
        cmocka_unit_test(memory_that_is_touched_is_counted),
        cmocka_unit_test(an_open_file_is_one_descriptor_more),
        cmocka_unit_test(it_started_before_now_and_not_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
