#ifndef TESTS_PERF_INGEST_SHOP_H
#define TESTS_PERF_INGEST_SHOP_H

#include "services/profile/profile.h"

#include <stdint.h>

/*
 * Events of a believable shop, all in memory before anything is measured: ids of 36 characters, a
 * customer for 50 events, 5,000 items of which few are popular, seven views in ten, purchases with
 * an amount. The same seed gives the same events.
 */
struct ingest_shop {
    struct vt_event *events;
    uint32_t n_events, n_customers;
    char *texts;
};

enum { INGEST_ITEMS = 5000 };

/* VT_EXHAUSTED: no memory. `now_ms` is the time of the last event. */
VT_MUST_USE struct vt_err ingest_shop_new(uint32_t n_events, uint64_t seed, int64_t now_ms,
                                          struct ingest_shop *ret_shop);
void ingest_shop_free(struct ingest_shop *shop);

#endif
