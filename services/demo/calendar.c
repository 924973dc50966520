/*
 * Days, seasons and hours. Season curves are straight lines between points of the year, so that no
 * libm function decides a byte of the output.
 */
#include "services/demo/storefront.h"

#include <string.h>
#include <time.h>

enum {
    MS_PER_DAY = 86400000,
    CURVE_POINTS = 13,
    DATE_LEN = 10,    /* of 2011-12-09 */
    SECONDS_LEN = 19, /* of 2011-12-09T12:50:00 */
};

/* Weight at the first of each month, January to the next January. */
static const double season_curves[][CURVE_POINTS] = {
    [VT_SEASON_NONE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    [VT_SEASON_SUMMER] = {.3, .4, .9, 1.6, 2, 2, 1.7, 1.3, .8, .5, .3, .2, .3},
    [VT_SEASON_WINTER] = {1.7, 1.5, 1.1, .7, .5, .4, .4, .6, 1, 1.4, 1.7, 1.9, 1.7},
    [VT_SEASON_CHRISTMAS] = {.5, .4, .5, .6, .5, .5, .5, .6, .8, 1.3, 2.8, 3.4, .5},
};

/* How many of a thousand visits fall into each hour of the day. */
static const double hour_shares[24] = {8,  4,  2,  1,  1,  3,  10, 25, 40, 52, 60, 63,
                                       66, 58, 52, 50, 54, 62, 75, 90, 96, 74, 38, 16};

double vt__demo_season_weight(enum vt_demo_season season, int64_t day_ms)
{
    time_t seconds = (time_t)(day_ms / 1000);
    struct tm date;
    gmtime_r(&seconds, &date);
    const double *curve = season_curves[season];
    double within = (date.tm_mday - 1) / 31.0;
    return curve[date.tm_mon] * (1 - within) + curve[date.tm_mon + 1] * within;
}

int64_t vt__demo_time_of_day_ms(struct vt_random *random, int64_t day_ms)
{
    double totals[24], sum = 0;
    for (int hour = 0; hour < 24; hour++)
        totals[hour] = sum += hour_shares[hour];
    int64_t hour = vt_random_pick(random, totals, 24);
    return day_ms + hour * 3600000 + (int64_t)vt_random_below(random, 3600000);
}

bool vt__demo_parse_day(const char *text, int64_t *ret_day_ms)
{
    struct tm date = {0};
    const char *end = strptime(text, "%Y-%m-%d", &date);
    if (end == NULL || *end != '\0')
        return false;
    time_t seconds = timegm(&date);
    char again[16];
    strftime(again, sizeof again, "%Y-%m-%d", &date); /* refuses 02-30, which timegm moved */
    if (strcmp(again, text) != 0)
        return false;
    *ret_day_ms = (int64_t)seconds * 1000;
    return true;
}

void vt__demo_format_time(int64_t time_ms, bool with_zone, char ret_text[VT_TIME_TEXT_BYTES])
{
    vt_time_print_ms(time_ms, ret_text);
    if (with_zone)
        return;
    ret_text[DATE_LEN] = ' '; /* as careless exports have it: no T, no fraction, no zone */
    ret_text[SECONDS_LEN] = '\0';
}
