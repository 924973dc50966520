#include "services/common/base/metrics.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static char *render(const struct vt_metrics *metrics)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    vt_metrics_render(metrics, out);
    fclose(out);
    return text;
}

static void families_are_rendered_together_with_one_head(void **state)
{
    (void)state;
    struct vt_metrics *metrics = NULL;
    assert_ok(vt_metrics_new(&metrics));
    vt_counter_add(vt_metrics_counter(metrics, "a_total", "Things.", "kind=\"x\""), 2);
    vt_gauge_set(vt_metrics_gauge(metrics, "b", "Level.", ""), 1.5);
    vt_counter_add(vt_metrics_counter(metrics, "a_total", "Things.", "kind=\"y\""), 3);
    char *text = render(metrics);
    assert_string_equal(text, "# HELP a_total Things.\n# TYPE a_total counter\n"
                              "a_total{kind=\"x\"} 2\na_total{kind=\"y\"} 3\n"
                              "# HELP b Level.\n# TYPE b gauge\nb 1.5\n");
    free(text);
    vt_metrics_free(metrics);
}

static void histogram_buckets_are_cumulative(void **state)
{
    (void)state;
    struct vt_metrics *metrics = NULL;
    assert_ok(vt_metrics_new(&metrics));
    static const double bounds[] = {0.0001, 0.1, 1};
    struct vt_histogram *histogram =
        vt_metrics_histogram(metrics, "t_seconds", "Time.", "m=\"A\"", bounds, 3);
    static const double values[] = {0.00005, 0.0001, 0.5, 2, 4}; /* 0.0001 lies on a bound */
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        vt_histogram_observe(histogram, values[i]);
    char *text = render(metrics);
    assert_string_equal(text, "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n"
                              "t_seconds_bucket{m=\"A\",le=\"0.0001\"} 2\n"
                              "t_seconds_bucket{m=\"A\",le=\"0.1\"} 2\n"
                              "t_seconds_bucket{m=\"A\",le=\"1\"} 3\n"
                              "t_seconds_bucket{m=\"A\",le=\"+Inf\"} 5\n"
                              "t_seconds_sum{m=\"A\"} 6.50015\nt_seconds_count{m=\"A\"} 5\n");
    free(text);
    vt_metrics_free(metrics);
}

static void same_name_and_labels_are_the_same_object(void **state)
{
    (void)state;
    struct vt_metrics *metrics = NULL;
    assert_ok(vt_metrics_new(&metrics));
    struct vt_counter *first = vt_metrics_counter(metrics, "a_total", "A.", "x=\"1\"");
    assert_ptr_equal(first, vt_metrics_counter(metrics, "a_total", "A.", "x=\"1\""));
    assert_ptr_not_equal(first, vt_metrics_counter(metrics, "a_total", "A.", "x=\"2\""));
    vt_metrics_free(metrics);
}

static void without_a_registry_counting_goes_nowhere(void **state)
{
    (void)state;
    static const double bounds[] = {1, 2};
    vt_counter_add(vt_metrics_counter(NULL, "a_total", "A.", ""), 1);
    vt_gauge_add(vt_metrics_gauge(NULL, "b", "B.", ""), 1);
    vt_histogram_observe(vt_metrics_histogram(NULL, "c", "C.", "", bounds, 2), 1.5);
    vt_metrics_free(NULL);
}

enum { N_THREADS = 24, N_ADDS = 20000 }; /* more threads than shards */

struct shared {
    struct vt_counter *counter;
    struct vt_gauge *gauge;
    struct vt_histogram *histogram;
};

static void *count_much(void *argument)
{
    const struct shared *shared = argument;
    for (int i = 0; i < N_ADDS; i++) {
        vt_counter_add(shared->counter, 1);
        vt_gauge_add(shared->gauge, 1);
        vt_histogram_observe(shared->histogram, 1);
    }
    return NULL;
}

static void nothing_counted_by_many_threads_is_lost(void **state)
{
    (void)state;
    struct vt_metrics *metrics = NULL;
    assert_ok(vt_metrics_new(&metrics));
    static const double bounds[] = {1};
    struct shared shared = {vt_metrics_counter(metrics, "a_total", "A.", ""),
                            vt_metrics_gauge(metrics, "b", "B.", ""),
                            vt_metrics_histogram(metrics, "c", "C.", "", bounds, 1)};
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, &shared), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(vt_counter_value(shared.counter), N_THREADS * N_ADDS);
    char *text = render(metrics);
    assert_non_null(strstr(text, "\nb 480000\n"));
    assert_non_null(strstr(text, "\nc_bucket{le=\"1\"} 480000\n"));
    assert_non_null(strstr(text, "\nc_sum 480000\nc_count 480000\n"));
    free(text);
    vt_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_rendered_together_with_one_head),
        cmocka_unit_test(histogram_buckets_are_cumulative),
        cmocka_unit_test(same_name_and_labels_are_the_same_object),
        cmocka_unit_test(without_a_registry_counting_goes_nowhere),
        cmocka_unit_test(nothing_counted_by_many_threads_is_lost),
    };
    return cmocka_run_group_tests_name("base/metrics", tests, NULL, NULL);
}
