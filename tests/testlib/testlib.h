#ifndef VT_TESTLIB_TESTLIB_H
#define VT_TESTLIB_TESTLIB_H

#include "services/common/base/err.h"

/* cmocka wants the other four first. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Fails the test with code, text and line unless the call is OK. */
#define assert_ok(call_) vt_test_assert_ok((call_), #call_, __FILE__, __LINE__)
/* Fails unless the call failed with this code. */
#define assert_code(call_, code_) vt_test_assert_code((call_), (code_), #call_, __FILE__, __LINE__)

void vt_test_assert_ok(struct vt_err err, const char *call, const char *file, int line);
void vt_test_assert_code(struct vt_err err, enum vt_code code, const char *call, const char *file,
                         int line);

/* A new empty folder under $TMPDIR; removed with all it holds by vt_test_folder_remove. The text is
 * malloc'd. */
char *vt_test_folder_new(void);
void vt_test_folder_remove(char *path);

#endif
