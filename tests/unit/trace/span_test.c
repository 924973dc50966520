/* Trace context as text, and what a span remembers. */
#include "services/common/trace/ids.h"
#include "services/common/trace/tracer.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

static const char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static bool reads(const char *text)
{
    struct vt_span span;
    vt_span_clear(&span);
    return vt_traceparent_read(vt_slice_str(text), &span);
}

static void traceparent_is_read_and_printed(void **state)
{
    (void)state;
    struct vt_span span;
    char text[VT_TRACEPARENT_BYTES], trace_id[VT_TRACE_ID_BYTES], span_id[VT_SPAN_ID_BYTES];
    vt_span_clear(&span);
    assert_true(vt_traceparent_read(vt_slice_str(good), &span));
    assert_true(span.sampled);
    assert_true(span.parent == UINT64_C(0x00f067aa0ba902b7));
    vt_traceparent_print(&span, span.parent, text);
    assert_string_equal(text, good);
    vt_trace_id_print(&span, trace_id);
    assert_string_equal(trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    vt_span_id_print(0xb7, span_id);
    assert_string_equal(span_id, "00000000000000b7");
}

static void traceparent_of_a_later_version_is_read_by_what_is_known(void **state)
{
    (void)state;
    assert_true(reads("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes-then"));
    assert_true(reads("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
    assert_false(reads("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00x"));
    assert_false(reads("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
}

static void broken_traceparent_is_none(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        if (reads(broken[i]))
            fail_msg("taken: %s", broken[i]);
    for (size_t cut = 0; cut < sizeof good - 1; cut++) {
        struct vt_span span = {.parent = 7};
        assert_false(vt_traceparent_read(vt_slice(good, cut), &span));
        assert_true(span.parent == 7); /* untouched */
    }
}

static void ids_differ_and_are_never_zero(void **state)
{
    (void)state;
    struct vt_trace_ids a, b;
    struct vt_span span;
    vt_trace_ids_init(&a);
    vt_trace_ids_init(&b);
    assert_true(a.state != b.state);
    vt_span_clear(&span);
    span.id = vt_trace_ids_next(&a);
    uint64_t seen[1000];
    for (size_t i = 0; i < 1000; i++) {
        seen[i] = vt_span_child_id(&span);
        assert_true(seen[i] != 0 && seen[i] != span.id);
        for (size_t before = 0; before < i; before++)
            assert_true(seen[i] != seen[before]);
    }
    struct vt_trace_ids to_zero = {UINT64_C(0) - VT_TRACE_IDS_STRIDE};
    assert_true(vt_trace_ids_next(&to_zero) == 1); /* SplitMix64 of 0 is 0 */
}

static void steps_are_kept_up_to_the_limit_and_only_when_recorded(void **state)
{
    (void)state;
    struct vt_tracer *tracer;
    struct vt_span span;
    assert_ok(vt_tracer_new(&(struct vt_tracer_options){.n_records = 2}, &tracer));
    vt_span_clear(&span);
    vt_span_step(NULL, "nobody's", 1, 2);
    vt_span_step(&span, "unrecorded", 1, 2);
    assert_int_equal(span.n_steps, 0);
    span.tracer = tracer;
    for (int i = 0; i < VT_SPAN_STEPS_MAX + 1; i++)
        vt_span_step(&span, "step", i + 1, i + 2);
    assert_int_equal(span.n_steps, VT_SPAN_STEPS_MAX);
    assert_true(span.steps[VT_SPAN_STEPS_MAX - 1].begin_ns == VT_SPAN_STEPS_MAX);
    vt_tracer_free(tracer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traceparent_is_read_and_printed),
        cmocka_unit_test(traceparent_of_a_later_version_is_read_by_what_is_known),
        cmocka_unit_test(broken_traceparent_is_none),
        cmocka_unit_test(ids_differ_and_are_never_zero),
        cmocka_unit_test(steps_are_kept_up_to_the_limit_and_only_when_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
