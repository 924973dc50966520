/*
 * Times of files. The calendar arithmetic of UTC is a dozen lines (Howard Hinnant's
 * days_from_civil), the rules of zones are ICU's. Rows of a file are near each other in time, so
 * the offset of the last local quarter of an hour is kept, and ICU is asked once per quarter of an
 * hour of data instead of once per row: zones change on quarters.
 */
#include "services/ingest/times.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

enum { MS_PER_DAY = 86400000, MS_PER_QUARTER = 900000, QUARTERS_PER_DAY = 96 };
enum { ZONE_NAME_UNITS = 64 };
/* Numbers below are seconds, which then reach to the year 5138; above, milliseconds from 1973. */
static const double MILLISECONDS_FROM = 1e11;
static const double NUMBER_MAX = 253402300799e3; /* end of the year 9999 */

struct vt_zone {
    UCalendar *calendar;    /* owned; NULL for UTC */
    int64_t cached_quarter; /* local quarters of an hour since the epoch */
    int64_t cached_offset_ms;
};

static bool zone_is_known(const UChar *name, int32_t n)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar canonical[ZONE_NAME_UNITS];
    UBool is_system = 0;
    ucal_getCanonicalTimeZoneID(name, n, canonical, ZONE_NAME_UNITS, &is_system, &status);
    return U_SUCCESS(status) && is_system;
}

struct vt_err vt_zone_new(const char *name, struct vt_diag *diag, struct vt_zone **ret_zone)
{
    struct vt_zone *zone = calloc(1, sizeof *zone);
    VT_CHECK(zone != NULL, VT_EXHAUSTED, "out of memory");
    zone->cached_quarter = INT64_MIN;
    if (strcmp(name, "UTC") == 0) {
        *ret_zone = zone;
        return vt_ok();
    }
    UErrorCode status = U_ZERO_ERROR;
    UChar units[ZONE_NAME_UNITS];
    int32_t n = 0;
    u_strFromUTF8(units, ZONE_NAME_UNITS, &n, name, -1, &status);
    if (U_SUCCESS(status) && zone_is_known(units, n))
        zone->calendar = ucal_open(units, n, "en", UCAL_GREGORIAN, &status);
    if (zone->calendar == NULL || U_FAILURE(status)) {
        vt_zone_free(zone);
        vt_diag_set(diag, "timezone",
                    "'%s' is not a time zone; names look like Europe/London or UTC", name);
        return VT_ERR(VT_INVALID, "unknown time zone");
    }
    *ret_zone = zone;
    return vt_ok();
}

void vt_zone_free(struct vt_zone *zone)
{
    if (zone == NULL)
        return;
    if (zone->calendar != NULL)
        ucal_close(zone->calendar);
    free(zone);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int)((int64_t)yoe + era * 400 + (*ret_month <= 2));
}

/* Local wall-clock milliseconds to UTC; a time that the zone skips or has twice is read as ICU's
 * default does. */
static int64_t zone_to_utc(struct vt_zone *zone, int64_t local_ms)
{
    if (zone->calendar == NULL)
        return local_ms;
    int64_t quarter = floor_div(local_ms, MS_PER_QUARTER);
    if (quarter == zone->cached_quarter)
        return local_ms - zone->cached_offset_ms;
    int year;
    unsigned month, day;
    int64_t days = floor_div(local_ms, MS_PER_DAY);
    civil_from_days(days, &year, &month, &day);
    int32_t of_day = (int32_t)(quarter - days * QUARTERS_PER_DAY);
    UErrorCode status = U_ZERO_ERROR;
    ucal_clear(zone->calendar);
    ucal_setDateTime(zone->calendar, year, (int32_t)month - 1, (int32_t)day, of_day / 4,
                     of_day % 4 * 15, 0, &status);
    int64_t utc = (int64_t)ucal_getMillis(zone->calendar, &status);
    if (U_FAILURE(status))
        return local_ms;
    zone->cached_quarter = quarter;
    zone->cached_offset_ms = quarter * MS_PER_QUARTER - utc;
    return local_ms - zone->cached_offset_ms;
}

/* A cursor over the text; every read_… leaves it untouched on failure. */
struct cursor {
    const char *at, *end;
};

static bool read_char(struct cursor *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool read_number(struct cursor *in, unsigned digits_min, unsigned digits_max,
                        unsigned *ret_number)
{
    unsigned number = 0, n = 0;
    const char *at = in->at;
    for (; at < in->end && n < digits_max && *at >= '0' && *at <= '9'; at++, n++)
        number = number * 10 + (unsigned)(*at - '0');
    if (n < digits_min || (at < in->end && *at >= '0' && *at <= '9'))
        return false;
    in->at = at;
    *ret_number = number;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool date_is_real(unsigned year, unsigned month, unsigned day)
{
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static bool read_date(struct cursor *in, int64_t *ret_days)
{
    struct cursor at = *in;
    unsigned first, second, third, year, month, day;
    if (read_number(&at, 4, 4, &first) && (read_char(&at, '-') || read_char(&at, '/')) &&
        read_number(&at, 1, 2, &second) && (read_char(&at, '-') || read_char(&at, '/')) &&
        read_number(&at, 1, 2, &third)) {
        year = first, month = second, day = third;
    } else {
        at = *in;
        if (!read_number(&at, 1, 2, &first) || at.at == at.end)
            return false;
        char separator = *at.at;
        if ((separator != '/' && separator != '.') || !read_char(&at, separator) ||
            !read_number(&at, 1, 2, &second) || !read_char(&at, separator) ||
            !read_number(&at, 4, 4, &year))
            return false;
        bool day_first = separator == '.' || first > 12;
        month = day_first ? second : first;
        day = day_first ? first : second;
    }
    if (!date_is_real(year, month, day))
        return false;
    *ret_days = days_from_civil(year, month, day);
    *in = at;
    return true;
}

/* ".123456" as milliseconds, cut. */
static unsigned read_fraction(struct cursor *in)
{
    if (!read_char(in, '.') && !read_char(in, ','))
        return 0;
    unsigned ms = 0, weight = 100;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, weight /= 10)
        ms += (unsigned)(*in->at - '0') * weight;
    return ms;
}

static bool read_time_of_day(struct cursor *in, int64_t *ret_ms)
{
    unsigned hour, minute, second = 0;
    if (!read_number(in, 1, 2, &hour) || !read_char(in, ':') || !read_number(in, 2, 2, &minute))
        return false;
    if (read_char(in, ':') && !read_number(in, 2, 2, &second))
        return false;
    unsigned fraction = read_fraction(in);
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_ms = ((int64_t)hour * 60 + minute) * 60000 + (int64_t)second * 1000 + fraction;
    return true;
}

/* "Z", "+01:00", "+0100"; *ret_named is false when there is none. */
static bool read_zone(struct cursor *in, bool *ret_named, int64_t *ret_offset_ms)
{
    *ret_named = in->at < in->end;
    *ret_offset_ms = 0;
    if (!*ret_named || read_char(in, 'Z') || read_char(in, 'z'))
        return true;
    bool west = read_char(in, '-');
    unsigned hours, minutes = 0;
    if (!west && !read_char(in, '+'))
        return false;
    struct cursor at = *in;
    if (!read_number(&at, 2, 2, &hours)) {
        if (!read_number(in, 4, 4, &hours))
            return false;
        minutes = hours % 100, hours /= 100;
    } else {
        *in = at;
        if (read_char(in, ':') && !read_number(in, 2, 2, &minutes))
            return false;
    }
    if (hours > 18 || minutes > 59)
        return false;
    *ret_offset_ms = ((int64_t)hours * 60 + minutes) * (west ? -60000 : 60000);
    return true;
}

bool vt_time_from_number(double number, int64_t *ret_ms)
{
    if (!isfinite(number))
        return false;
    double ms = fabs(number) < MILLISECONDS_FROM ? number * 1000 : number;
    if (fabs(ms) > NUMBER_MAX)
        return false;
    *ret_ms = (int64_t)floor(ms);
    return true;
}

static bool parse_epoch(struct vt_slice text, int64_t *ret_ms)
{
    char digits[32];
    if (text.len < 5 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    if (strspn(digits, "-.0123456789") != text.len)
        return false;
    char *end;
    double number = strtod(digits, &end);
    return *end == '\0' && vt_time_from_number(number, ret_ms);
}

bool vt_time_parse(struct vt_zone *zone, struct vt_slice text, int64_t *ret_ms, bool *ret_assumed)
{
    *ret_assumed = false;
    if (parse_epoch(text, ret_ms))
        return true;
    struct cursor in = {text.data, text.data + text.len};
    int64_t days, of_day = 0, offset_ms = 0;
    bool named = false;
    if (!read_date(&in, &days))
        return false;
    if (read_char(&in, 'T') || read_char(&in, 't') || read_char(&in, ' ')) {
        if (!read_time_of_day(&in, &of_day) ||
            ((void)read_char(&in, ' '), !read_zone(&in, &named, &offset_ms)))
            return false;
    }
    if (in.at != in.end)
        return false;
    int64_t local = days * MS_PER_DAY + of_day;
    *ret_assumed = !named;
    *ret_ms = named ? local - offset_ms : zone_to_utc(zone, local);
    return true;
}

int vt_time_month(int64_t time_ms)
{
    int year;
    unsigned month, day;
    civil_from_days(floor_div(time_ms, MS_PER_DAY), &year, &month, &day);
    return year * 12 + (int)month - 1;
}
