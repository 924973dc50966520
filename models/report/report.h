#ifndef VT_REPORT_REPORT_H
#define VT_REPORT_REPORT_H

#include "models/bundle/bundle.h"
#include "models/eval/significance.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The page about a version, for people: what it was trained on, how training went, how well it
 * finds what was held out and for whom, what it favours, what it would show, and how it differs
 * from the version before. One HTML file with SVG inside, nothing loaded from anywhere.
 *
 * What training alone knows is struct vt_report_data; the rest is the version's own content. No
 * customer is named: examples are lists of titles.
 */
enum {
    VT_REPORT_BINS = 16, /* of a histogram by powers of two: 1, 2–3, 4–7 … */
    VT_REPORT_DECILES = 10,
    VT_REPORT_EXAMPLES_MAX = 4,
    VT_REPORT_LIST_MAX = 8,
    VT_REPORT_TITLE_BYTES = 112,
    VT_REPORT_NOTES_MAX = 16,
};

/* How many items a customer had in the part that training saw. */
enum vt_report_customers {
    VT_REPORT_UNKNOWN, /* none */
    VT_REPORT_NEW,     /* 1 to 4 */
    VT_REPORT_LIGHT,   /* 5 to 19 */
    VT_REPORT_REGULAR, /* 20 to 99 */
    VT_REPORT_HEAVY,   /* 100 and more */
    VT_REPORT_CUSTOMERS
};
enum vt_report_customers vt_report_customers_of(uint64_t n_items);
const char *vt_report_customers_name(enum vt_report_customers segment); /* a literal */

/* By share of the interactions that training saw, most wanted items first. */
enum vt_report_items {
    VT_REPORT_HEAD,   /* the items that gather the first third */
    VT_REPORT_MIDDLE, /* the second third */
    VT_REPORT_TAIL,   /* the rest */
    VT_REPORT_ITEMS
};

struct vt_report_quality {
    struct vt_interval recall, ndcg; /* n 0: nobody to measure on */
};

/* Measured on held-out events by the model that had not seen them. */
struct vt_report_measured {
    struct vt_report_quality all, customers[VT_REPORT_CUSTOMERS];
    struct vt_interval items[VT_REPORT_ITEMS]; /* recall of the held-out items of the segment */
    uint32_t n_items[VT_REPORT_ITEMS];
    /* Tenths of the items, the least wanted first: their share of interactions and of places in
     * the lists; each sums to 1. */
    double wanted[VT_REPORT_DECILES], shown[VT_REPORT_DECILES];
    double wanted_gini, shown_gini; /* 0: all items alike, towards 1: all on one */
    uint32_t k;
};

/* One customer, by what was there and what would be shown; most recent and best first. */
struct vt_report_example {
    uint64_t n_history; /* items in all */
    uint32_t n_seen, n_shown;
    char seen[VT_REPORT_LIST_MAX][VT_REPORT_TITLE_BYTES];
    char shown[VT_REPORT_LIST_MAX][VT_REPORT_TITLE_BYTES];
};

struct vt_report_parent {
    char version[VT_VERSION_BYTES_MAX]; /* "": there is none */
    char algorithm[VT_BUNDLE_NAME_BYTES];
    uint64_t n_users, n_interactions;
    uint32_t n_items, n_metrics, n_parameters;
    struct vt_bundle_metric metrics[VT_BUNDLE_METRICS_MAX];
    struct vt_bundle_parameter parameters[VT_BUNDLE_PARAMETERS_MAX];
};

/* Plain data; owns nothing. Zeroed: nothing is known, and the page has what the version says. */
struct vt_report_data {
    uint64_t n_events, events[VT_EVENT_TYPE_COUNT]; /* as read, before they are weighed */
    uint64_t history_bins[VT_REPORT_BINS];          /* customers by number of items */
    uint64_t popularity_bins[VT_REPORT_BINS];       /* items by number of customers */
    bool timed;                                     /* whether times are times, not places */
    bool measured;
    struct vt_report_measured quality;
    uint32_t n_examples;
    struct vt_report_example examples[VT_REPORT_EXAMPLES_MAX];
    struct vt_report_parent parent;
    uint32_t n_notes; /* what the gate compared */
    char notes[VT_REPORT_NOTES_MAX][VT_DIAG_TEXT_BYTES];
};

/* The bin of vt_report_data's histograms: floor(log2 n), the last one open. n ≥ 1. */
uint32_t vt_report_bin(uint64_t n);
/* Copies a text, cut at a character's end where it is too long. */
void vt_report_title(struct vt_slice text, char ret_title[VT_REPORT_TITLE_BYTES]);

/* The page, malloc'd: free with free(). `data` may be NULL. Texts are escaped. VT_EXHAUSTED. Same
 * input, same bytes; any thread. */
VT_MUST_USE struct vt_err vt_report_page(const struct vt_bundle_view *view,
                                         const struct vt_report_data *data, char **ret_html,
                                         size_t *ret_len);

#endif
