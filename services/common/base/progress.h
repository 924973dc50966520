#ifndef VT_BASE_PROGRESS_H
#define VT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Progress of long work, for people: one bar that redraws itself where `out` is a terminal, else a
 * line every few seconds, so that a log file stays readable. One thread; for programs, not for
 * libraries (those take a callback).
 */
struct vt_progress {
    FILE *out;         /* borrowed */
    const char *label; /* borrowed; "reading events.jsonl" */
    const char *unit;  /* borrowed; "events", "MiB", "rows" */
    uint64_t total;    /* 0: not known, then no bar and no time left */
    int64_t started_ns, shown_ns;
    bool terminal, shown;
};

/* Starts the clock; prints nothing yet. `out` is stderr in every program of ours; NULL: silent. */
void vt_progress_begin(struct vt_progress *progress, FILE *out, const char *label, const char *unit,
                       uint64_t total);
/* Cheap enough for every block of work: it prints at most ten times a second on a terminal, else
 * every VT_PROGRESS_LINE_S seconds. `done` only rises. */
void vt_progress_update(struct vt_progress *progress, uint64_t done);
/* Clears the bar and prints one line with the count and the time it took. */
void vt_progress_end(struct vt_progress *progress, uint64_t done);

enum { VT_PROGRESS_LINE_S = 3 };

#endif
