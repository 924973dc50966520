#ifndef VT_DEMO_DEMO_H
#define VT_DEMO_DEMO_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdint.h>

/*
 * A believable storefront, made by a seeded generator: customers with tastes visit over some
 * months on several channels, look, buy, rate, return and leave; products have categories, styles,
 * prices, stock and seasons. A known share of the lines is dirty, for the scorecard. The same
 * options give the same bytes on every machine.
 */
struct vt_demo_options {
    const char *out_dir; /* made when missing; its four files are replaced */
    uint32_t n_customers, n_items, n_days;
    uint64_t seed;
    const char *last_day; /* "2026-06-30": the generator never asks the clock */
};

/* Dirt planted on purpose, by kind. */
enum vt_demo_dirt {
    VT_DIRT_DUPLICATE_EVENT,      /* the same line twice */
    VT_DIRT_NEAR_DUPLICATE_EVENT, /* again a second later, SKU in lower case with spaces */
    VT_DIRT_MISSING_ITEM,
    VT_DIRT_MISSING_CUSTOMER,
    VT_DIRT_UNKNOWN_TYPE,
    VT_DIRT_FUTURE_TIME,
    VT_DIRT_ANCIENT_TIME,
    VT_DIRT_LOCAL_TIME, /* no time zone */
    VT_DIRT_NEGATIVE_REVENUE,
    VT_DIRT_HUGE_QUANTITY,
    VT_DIRT_FOREIGN_CURRENCY,
    VT_DIRT_FEE_EVENT,   /* postage sold as if it were a product */
    VT_DIRT_BROKEN_LINE, /* cut in the middle */
    VT_DIRT_BOT_EVENT,   /* a crawler's views */
    VT_DIRT_MESSY_TITLE, /* double spaces, decomposed accents */
    VT_DIRT_DUPLICATE_ITEM,
    VT_DIRT_COUNT
};
/* "duplicate_event" …; a literal. */
const char *vt_demo_dirt_name(enum vt_demo_dirt kind);

struct vt_demo_summary {
    uint64_t n_items, n_customers, n_events, n_channels; /* lines written */
    uint64_t n_purchases;
    uint64_t dirt[VT_DIRT_COUNT];
    /* For a first try: of the customers who consent, the one with the most purchases. */
    char busiest_customer[32];
};

/* VT_INVALID for options out of range (text in `diag`), VT_UNAVAILABLE when a file cannot be
 * written. Memory: about 60 bytes an event. */
VT_MUST_USE struct vt_err vt_demo_generate(const struct vt_demo_options *options,
                                           struct vt_diag *diag,
                                           struct vt_demo_summary *ret_summary);

#endif
