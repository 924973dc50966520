/* One test walks every code and every status. */
#include "services/common/rpc/status.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void every_code_comes_back_from_its_status(void **state)
{
    (void)state;
    for (int code = 0; code < VT_CODE_COUNT; code++) {
        int status = vt_rpc_status_from_code((enum vt_code)code);
        assert_int_equal(vt_rpc_status_to_code(status), code);
        assert_string_not_equal(vt_rpc_status_name(status), "Unknown");
    }
}

static void codes_have_the_statuses_that_the_contract_promises(void **state)
{
    (void)state;
    static const struct {
        enum vt_code code;
        const char *name;
    } promised[] = {
        {VT_OK, "OK"},
        {VT_INVALID, "InvalidArgument"},
        {VT_NOT_FOUND, "NotFound"},
        {VT_EXHAUSTED, "ResourceExhausted"},
        {VT_DEADLINE, "DeadlineExceeded"},
        {VT_UNAVAILABLE, "Unavailable"},
        {VT_CORRUPT, "DataLoss"},
        {VT_INTERNAL, "Internal"},
        {VT_UNIMPLEMENTED, "Unimplemented"},
        {VT_PRECONDITION, "FailedPrecondition"},
        {VT_DENIED, "PermissionDenied"},
        {VT_CANCELLED, "Canceled"},
        {VT_UNAUTHENTICATED, "Unauthenticated"},
    };
    assert_int_equal(sizeof promised / sizeof promised[0], VT_CODE_COUNT);
    for (size_t i = 0; i < VT_CODE_COUNT; i++)
        assert_string_equal(vt_rpc_status_name(vt_rpc_status_from_code(promised[i].code)),
                            promised[i].name);
}

static void foreign_statuses_read_as_what_a_caller_would_do(void **state)
{
    (void)state;
    assert_int_equal(vt_rpc_status_to_code(2), VT_INTERNAL);     /* UNKNOWN */
    assert_int_equal(vt_rpc_status_to_code(6), VT_PRECONDITION); /* ALREADY_EXISTS */
    assert_int_equal(vt_rpc_status_to_code(10), VT_UNAVAILABLE); /* ABORTED */
    assert_int_equal(vt_rpc_status_to_code(11), VT_INVALID);     /* OUT_OF_RANGE */

    assert_int_equal(vt_rpc_status_to_code(-1), VT_INTERNAL);
    assert_int_equal(vt_rpc_status_to_code(17), VT_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_comes_back_from_its_status),
        cmocka_unit_test(codes_have_the_statuses_that_the_contract_promises),
        cmocka_unit_test(foreign_statuses_read_as_what_a_caller_would_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
