/* The C library's calendar, which needs no table of zones for UTC. */
#include "services/common/base/time_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { MS_PER_S = 1000, YEAR_BASE = 1900, YEARS = 10000 };

static void print(int64_t time_ms, bool always_ms, char ret_text[VT_TIME_TEXT_BYTES])
{
    int ms = (int)((time_ms % MS_PER_S + MS_PER_S) % MS_PER_S); /* also before 1970 */
    time_t seconds = (time_t)((time_ms - ms) / MS_PER_S);
    struct tm utc = {0};
    gmtime_r(&seconds, &utc);
    int n = snprintf(ret_text, VT_TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d",
                     (utc.tm_year + YEAR_BASE) % YEARS, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
    if (ms != 0 || always_ms)
        n += snprintf(ret_text + n, VT_TIME_TEXT_BYTES - (size_t)n, ".%03d", ms);
    snprintf(ret_text + n, VT_TIME_TEXT_BYTES - (size_t)n, "Z");
}

void vt_time_print(int64_t time_ms, char ret_text[VT_TIME_TEXT_BYTES])
{
    print(time_ms, false, ret_text);
}

void vt_time_print_ms(int64_t time_ms, char ret_text[VT_TIME_TEXT_BYTES])
{
    print(time_ms, true, ret_text);
}
