#ifndef VT_BASE_TIME_TEXT_H
#define VT_BASE_TIME_TEXT_H

#include <stdint.h>

/* Unix milliseconds as RFC 3339 text in UTC, the one form in logs, files and answers. Years 0 to
 * 9999. Any thread. */
enum { VT_TIME_TEXT_BYTES = 32 };

/* "2011-12-09T12:50:00Z", with ".250" before the Z only where there is a fraction. */
void vt_time_print(int64_t time_ms, char ret_text[VT_TIME_TEXT_BYTES]);
/* "2011-12-09T12:50:00.000Z": always milliseconds, so that a column of them stands straight. */
void vt_time_print_ms(int64_t time_ms, char ret_text[VT_TIME_TEXT_BYTES]);

#endif
