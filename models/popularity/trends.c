/*
 * Two counts an item, from one pass over the sorted events, and a judgement from the counts. The
 * store's own growth is divided out: before Christmas everything gains, and a list of everything
 * says nothing.
 */
#include "models/popularity/trends.h"

#include "models/dataset/wilson.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS (24 * 60 * 60 * 1000.0)
#define Z_ONE_IN_2000 3.29
enum { WINDOW_DAYS = 7, WINDOWS_PAST = 4, CUSTOMERS_MIN = 5, NO_WINDOW = -1 };

struct counts {
    uint64_t last, past;
};

void vt_trend_options_default(struct vt_trend_options *ret_options)
{
    *ret_options = (struct vt_trend_options){.window_days = WINDOW_DAYS,
                                             .windows_past = WINDOWS_PAST,
                                             .customers_min = CUSTOMERS_MIN,
                                             .z = Z_ONE_IN_2000};
}

/* 0: the last window, 1 … windows_past: those before. */
static int window_of(const struct vt_demand *demand, const struct vt_trend_options *options,
                     const struct vt_demand_event *event)
{
    double age_days = (double)(demand->last_time_ms - event->time_ms) / DAY_MS;
    double window = floor(age_days / options->window_days);
    return event->weight > 0 && window <= (double)options->windows_past ? (int)window : NO_WINDOW;
}

/* Events of a customer stand by time, so equal windows stand together. */
static void count_all(const struct vt_demand *demand, const struct vt_trend_options *options,
                      struct counts *by_item, struct counts *all)
{
    int before = NO_WINDOW;
    for (uint64_t i = 0; i < demand->n; i++) {
        const struct vt_demand_event *event = &demand->events[i];
        int window = window_of(demand, options, event);
        bool same = i > 0 && event[-1].column == event->column && event[-1].row == event->row &&
                    window == before;
        if (event->weight > 0)
            before = window;
        if (same || window == NO_WINDOW)
            continue;
        by_item[event->column].last += window == 0;
        by_item[event->column].past += window != 0;
        all->last += window == 0;
        all->past += window != 0;
    }
}

/* 0: no trend. */
static float strength_of(const struct counts *item, const struct counts *all,
                         const struct vt_trend_options *options)
{
    if (item->last < options->customers_min || all->past == 0)
        return 0;
    double n = (double)item->last, m = (double)item->past;
    double sure = vt_wilson_lower(n, n + m, options->z);
    double odds = sure / (1 - sure), odds_of_all = (double)all->last / (double)all->past;
    return odds > odds_of_all ? (float)log(odds / odds_of_all) : 0;
}

static struct vt_err check_options(const struct vt_trend_options *options, struct vt_diag *diag)
{
    bool fine = options->window_days > 0 && isfinite(options->window_days) &&
                options->windows_past >= 1 && options->windows_past <= VT_TREND_WINDOWS_MAX &&
                options->z > 0 && isfinite(options->z);
    if (fine)
        return vt_ok();
    vt_diag_set(diag, "trends",
                "a trend wants a window above 0 days, 1 to %d windows before it "
                "and z above 0",
                VT_TREND_WINDOWS_MAX);
    return VT_ERR(VT_INVALID, "an option of trends is out of range");
}

struct vt_err vt_trends_find(const struct vt_demand *demand, const struct vt_trend_options *options,
                             struct vt_diag *diag, float *ret_strength, uint32_t *ret_n_trending)
{
    struct counts all = {0};
    VT_TRY(check_options(options, diag));
    struct counts *by_item = calloc((size_t)demand->n_items + 1, sizeof *by_item);
    VT_CHECK(by_item != NULL, VT_EXHAUSTED, "out of memory for trends");
    count_all(demand, options, by_item, &all);
    *ret_n_trending = 0;
    for (uint32_t item = 0; item < demand->n_items; item++) {
        ret_strength[item] = strength_of(&by_item[item], &all, options);
        *ret_n_trending += ret_strength[item] > 0;
    }
    free(by_item);
    return vt_ok();
}
