/* The details trailer, read back field by field. */
#include "services/common/rpc/error_details.h"
#include "services/common/rpc/protowire.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static unsigned char memory[VT__DETAILS_BYTES_MAX];

static struct vt_slice find(struct vt_slice message, uint32_t number)
{
    for (struct vt__wire_field field; vt__wire_next(&message, &field);)
        if (field.number == number)
            return field.bytes;
    return (struct vt_slice){0};
}

static void assert_text(struct vt_slice got, const char *wanted)
{
    assert_true(vt_slice_equal(got, vt_slice_str(wanted)));
}

static void invalid_input_names_its_field(void **state)
{
    (void)state;
    struct vt_diag diag = {.field = "events[3].item_id", .text = "is empty"};
    struct vt_slice status = vt__error_details(VT_ERR(VT_INVALID, "x"), "message", &diag, memory);
    assert_text(find(status, 2), "message");
    assert_text(find(find(status, 3), 1), "type.googleapis.com/google.rpc.BadRequest");
    struct vt_slice violation = find(find(find(status, 3), 2), 1);
    assert_text(find(violation, 1), "events[3].item_id");
    assert_text(find(violation, 2), "is empty");
}

/* Milliseconds of RetryInfo.retry_delay. */
static uint64_t delay_ms(struct vt_slice status)
{
    struct vt_slice delay = find(find(find(status, 3), 2), 1);
    uint64_t ms = 0;
    for (struct vt__wire_field field; vt__wire_next(&delay, &field);)
        ms += field.number == 1 ? field.value * 1000 : field.value / 1000000;
    return ms;
}

static void what_passes_says_when_to_come_back(void **state)
{
    (void)state;
    const struct {
        enum vt_code code;
        uint64_t ms;
    } rows[] = {{VT_EXHAUSTED, 100}, {VT_UNAVAILABLE, 1000}};
    struct vt_diag diag = {0};
    for (unsigned i = 0; i < 2; i++) {
        struct vt_slice status =
            vt__error_details(VT_ERR(rows[i].code, "x"), "later", &diag, memory);
        assert_text(find(find(status, 3), 1), "type.googleapis.com/google.rpc.RetryInfo");
        assert_int_equal(delay_ms(status), rows[i].ms);
    }
}

static void other_errors_have_no_details(void **state)
{
    (void)state;
    struct vt_diag diag = {.field = "n"};
    for (int code = 0; code < VT_CODE_COUNT; code++)
        if (code != VT_INVALID && code != VT_EXHAUSTED && code != VT_UNAVAILABLE)
            assert_int_equal(vt__error_details(VT_ERR(code, "x"), "m", &diag, memory).len, 0);
}

static void longest_diagnosis_fits(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    char message[VT_DIAG_FIELD_BYTES + VT_DIAG_TEXT_BYTES] = "";
    memset(diag.field, 'f', sizeof diag.field - 1);
    memset(diag.text, 't', sizeof diag.text - 1);
    memset(message, 'm', sizeof message - 1);
    assert_true(vt__error_details(VT_ERR(VT_INVALID, "x"), message, &diag, memory).len > 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invalid_input_names_its_field),
        cmocka_unit_test(what_passes_says_when_to_come_back),
        cmocka_unit_test(other_errors_have_no_details),
        cmocka_unit_test(longest_diagnosis_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
