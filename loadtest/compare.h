#ifndef LOADTEST_COMPARE_H
#define LOADTEST_COMPARE_H

#include "loadtest/generator.h"
#include "loadtest/ratio.h"

/*
 * Two things beside each other: two targets, loaded in turn within one run, or two reports of
 * earlier runs (--json). In turn is the honest way: what the machine does meanwhile meets both.
 */
enum compare_metric { COMPARE_GOODPUT, COMPARE_P50, COMPARE_P99, N_COMPARE_METRICS };
enum { COMPARE_ROUNDS_MAX = 100, COMPARE_BLOCKS = 10, COMPARE_FILE_BYTES_MAX = 16 << 20 };

/* What was measured of one of the two, round by round. */
struct compare_side {
    double values[N_COMPARE_METRICS][COMPARE_ROUNDS_MAX];
    uint32_t n;
    uint64_t failed, degraded; /* calls */
    bool limited;              /* the generator measured itself in some round */
};

struct comparison {
    struct compare_side sides[2];
    bool paired; /* in turn */
    struct ratio ratios[N_COMPARE_METRICS];
};

/* "goodput", "p50", "p99". */
const char *compare_name(enum compare_metric metric);
/* `rounds` times each, in the order A B B A …; `options` but their target. VT_UNAVAILABLE: a round
 * without a good answer. */
VT_MUST_USE struct vt_err compare_targets(const struct generator_options *options,
                                          const char *const targets[2], uint32_t rounds,
                                          struct comparison *ret_comparison);
/* A report's time line, cut into COMPARE_BLOCKS blocks, which count as its rounds. VT_INVALID: not
 * a report, `diag` says why; VT_NOT_FOUND as vt_file_read. */
VT_MUST_USE struct vt_err compare_reports(const char *const paths[2], struct vt_diag *diag,
                                          struct comparison *ret_comparison);

#endif
