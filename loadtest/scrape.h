#ifndef LOADTEST_SCRAPE_H
#define LOADTEST_SCRAPE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The server's own metrics (Prometheus text over HTTP), before, after, and once a second between,
 * on a thread of its own. Bounded: SCRAPE_SERIES_MAX series, SCRAPE_BYTES_MAX a page,
 * SCRAPE_POINTS_MAX looks, SCRAPE_TIMEOUT_MS each; a page that is late or broken is a look missed,
 * which is counted, and never holds up the load.
 */
enum {
    SCRAPE_SERIES_MAX = 4096,
    SCRAPE_NAME_MAX = 256,
    SCRAPE_BYTES_MAX = 4 << 20,
    SCRAPE_POINTS_MAX = 600,
    SCRAPE_TIMEOUT_MS = 1000,
};

/* Of one line: the first and the newest value seen. */
struct scrape_series {
    char name[SCRAPE_NAME_MAX]; /* with its labels, as the page has it */
    double before, after;
};

/* What is drawn over time: sums over all labels. */
enum scrape_track {
    SCRAPE_HANDLED,   /* grpc_server_handled_total */
    SCRAPE_DEGRADED,  /* vitrine_recommend_degraded_total */
    SCRAPE_IN_FLIGHT, /* grpc_server_in_flight */
    SCRAPE_CPU,       /* process_cpu_seconds_total */
    SCRAPE_MEMORY,    /* process_resident_memory_bytes */
    N_SCRAPE_TRACKS
};

/* Read it when the scraper has stopped. */
struct scrape {
    struct scrape_series *series; /* owned */
    size_t n_series;
    double t_s[SCRAPE_POINTS_MAX], tracks[N_SCRAPE_TRACKS][SCRAPE_POINTS_MAX];
    uint32_t n_points, n_missed;
    bool has_track[N_SCRAPE_TRACKS];
};

/* Takes one page in; `t_s` since the first. Lines that are no samples are passed over, as are
 * series past the limit. Any bytes are allowed. O(lines) when a page lists its series in the order
 * of the page before, and never more than lines times series. */
void scrape_read_page(struct scrape *scrape, struct vt_slice page, double t_s);
/* NULL: no memory. */
struct scrape *scrape_new(void);
void scrape_free(struct scrape *scrape); /* NULL is allowed */

struct scraper;
/* Looks once at http://`address`/metrics, then every `interval_ms` until _stop. VT_INVALID: not
 * HOST:PORT; VT_UNAVAILABLE: nobody answers there with metrics. */
VT_MUST_USE struct vt_err scraper_start(const char *address, int64_t interval_ms,
                                        struct vt_diag *diag, struct scraper **ret_scraper);
/* Looks a last time and ends the thread; what it saw belongs to the caller. NULL gives NULL. */
struct scrape *scraper_stop(struct scraper *scraper);

#endif
