#ifndef VT_INGEST_INGEST_H
#define VT_INGEST_INGEST_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/ingest/record.h"
#include "services/ingest/rules.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The importer: files in, clean records to a sink, and a result that says what became of every row.
 * See README.md. One thread at a time; unpacking runs on a second.
 */

/* ---- where clean records go: a store, a server, or a test's array ---- */
struct vt_sink_counts {
    uint64_t events_written, events_known, events_refused;
    uint64_t items_inserted, items_updated, items_unchanged;
    uint64_t customers_inserted, customers_updated, customers_unchanged;
    uint64_t channels;
};

/* Hears which events of a batch the store would not take, by their place in it: from inside
 * `events` or `finish`, on the importer's thread. Texts are borrowed for the call. */
struct vt_ingest_refused {
    void *ctx;
    void (*tell)(void *ctx, uint32_t place, const char *field, struct vt_slice reason);
};

/* Batches may be under way when these return; what they point to stays valid until `finish`. */
struct vt_ingest_sink {
    void *self;
    struct vt_err (*items)(void *self, const struct vt_item *items, uint32_t n,
                           struct vt_diag *diag);
    struct vt_err (*customers)(void *self, const struct vt_customer_row *customers, uint32_t n,
                               struct vt_diag *diag);
    struct vt_err (*channels)(void *self, const struct vt_channel_row *channels, uint32_t n,
                              struct vt_diag *diag);
    struct vt_err (*events)(void *self, const struct vt_event *events, uint32_t n,
                            struct vt_ingest_refused refused, struct vt_diag *diag);
    /* Waits for every batch. */
    struct vt_err (*finish)(void *self, struct vt_diag *diag, struct vt_sink_counts *ret_counts);
};

enum { VT_INGEST_BATCH = 1000 }; /* records a call of the sink; the contract's limit too */

/* ---- what to do ---- */
struct vt_ingest_rate {
    char code[4];
    double rate; /* one of `code` is so many of the main currency */
};
enum { VT_INGEST_RATES_MAX = 32, VT_INGEST_FILES_MAX = 1000 };

struct vt_ingest_options {
    const char *const *paths; /* borrowed */
    size_t n_paths;
    const char *format;      /* NULL: found for each file */
    const char *const *maps; /* "field=column", NULL-terminated, or NULL */
    const char *timezone;    /* NULL: the format's, else UTC */
    const char *currency;    /* NULL: the format's, else the most frequent one */
    const char *type;        /* of events that tell none; NULL: the format's */
    const char *encoding;    /* "utf-8", "latin-1"; NULL: the format's */
    struct vt_ingest_rate rates[VT_INGEST_RATES_MAX];
    size_t n_rates;
    bool keep_duplicates; /* equal rows are different events */
    bool keep_returns;    /* returns stay events and cancel nothing */
    uint8_t min_quality;  /* below: review */
    int64_t now_ms;
    const char *aside_dir; /* review/ and rejects/ are written here; NULL: nowhere (dry run) */
    void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    void *progress_ctx;
};

/* ---- what became of it ---- */
enum { VT_EXAMPLES_MAX = 3, VT_MONTHS_MAX = 480, VT_QUALITY_BINS = 10, VT_FIELDS_MAX = 32 };

struct vt_example {
    uint32_t file;
    uint64_t line;
    char text[96];
};
struct vt_tally {
    uint64_t n;
    struct vt_example examples[VT_EXAMPLES_MAX];
};
struct vt_dimension_score {
    uint64_t checked, passed;
    double percent;
};
/* read = accepted + duplicates + review + rejected + dropped, always. */
struct vt_row_counts {
    uint64_t read, accepted, duplicates, review, rejected, dropped;
};
struct vt_ingest_file {
    const char *path; /* borrowed */
    const char *format;
    uint64_t lines, blank;
    struct vt_row_counts rows;
    char review_path[512], reject_path[512]; /* empty: none written */
};

struct vt_ingest_result {
    struct vt_ingest_file *files; /* owned */
    size_t n_files;
    struct vt_row_counts rows;
    uint64_t kinds[VT_RECORD_KIND_COUNT]; /* accepted ones, derived included */
    uint64_t derived_items, derived_customers;
    struct vt_tally rules[VT_RULE_COUNT];
    struct vt_tally rejects; /* rows that could not be read */
    struct vt_tally refused; /* events that the store would not take; rejected like those */
    struct vt_dimension_score scores[VT_DIMENSION_COUNT];
    double score; /* mean of the five */
    uint64_t rows_of_kind[VT_RECORD_KIND_COUNT];
    uint64_t filled[VT_RECORD_KIND_COUNT][VT_FIELDS_MAX]; /* rows that tell the field */
    uint64_t quality[VT_QUALITY_BINS];
    int first_month; /* years * 12 + month - 1 */
    uint64_t months[VT_MONTHS_MAX];
    int64_t first_event_ms, last_event_ms; /* 0: no events */
    char currency[4];
    struct vt_sink_counts store;
    bool written; /* false: a dry run, or it failed before */
    double read_s, clean_s, write_s;
};

/* Reads, cleans, and writes through `sink` (NULL: a dry run). VT_NOT_FOUND and VT_INVALID name the
 * file in `diag`; VT_CORRUPT: an archive is cut off: nothing is written, and the result tells what
 * was read. *ret_result is filled as far as it came also on failure; free it either way. */
VT_MUST_USE struct vt_err vt_ingest_run(const struct vt_ingest_options *options,
                                        const struct vt_ingest_sink *sink, struct vt_diag *diag,
                                        struct vt_ingest_result *ret_result);
/* Zeroed is allowed. */
void vt_ingest_result_fini(struct vt_ingest_result *result);

/* A folder stands for its files that are known by name (u.data …, items.jsonl …). Paths are
 * malloc'd; free with vt_ingest_paths_free. */
VT_MUST_USE struct vt_err vt_ingest_expand(const char *const *paths, size_t n_paths,
                                           struct vt_diag *diag, char ***ret_paths, size_t *ret_n);
/* NULL is allowed. */
void vt_ingest_paths_free(char **paths, size_t n);

/* ---- the scorecard; a failure to write shows in ferror(out) ---- */
/* A page of text for a terminal. */
void vt_report_text(const struct vt_ingest_result *result, FILE *out);
/* One JSON object; its keys are in docs/data-quality.md. */
void vt_report_json(const struct vt_ingest_result *result, FILE *out);
/* One page with its style and charts inside. */
void vt_report_html(const struct vt_ingest_result *result, FILE *out);

#endif
