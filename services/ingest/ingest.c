/*
 * One import from end to end: open every file, read rows into records, clean, judge, set aside,
 * write, count. Reading and cleaning come before the first write, because cancellations, outliers
 * and titles need the whole; so a damaged archive or a wrong header writes nothing. Writing again
 * is harmless: event ids make it idempotent.
 */
#include "services/ingest/ingest.h"

#include "services/ingest/aside.h"
#include "services/ingest/build.h"
#include "services/ingest/clean.h"
#include "services/ingest/reader.h"
#include "services/ingest/scorecard.h"
#include "services/ingest/source.h"
#include "services/ingest/text_clean.h"
#include "services/ingest/times.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROGRESS_LINES = 8192, REASON_BYTES = 512 };

struct import {
    const struct vt_ingest_options *options;
    struct vt_diag *diag;
    struct vt_ingest_result *result;
    struct vt_record_set set;
    struct vt_aside *rejects; /* one per file, owned */
    uint32_t file;            /* being read */
    struct vt_build_options build;
    const struct vt_format *format;
    char *converted;           /* a line out of Latin-1, owned */
    struct vt_err refused_err; /* of the first refused event that could not be set aside */
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- reading ---- */
static struct vt_err on_row(void *ctx, const struct vt_row *row)
{
    struct import *import = ctx;
    return vt_build_record(&import->set, &import->build, row);
}

static struct vt_err on_reject(void *ctx, uint64_t line, const char *reason, struct vt_slice raw)
{
    struct import *import = ctx;
    struct vt_ingest_result *result = import->result;
    struct vt_row_counts *counts = &result->files[import->file].rows;
    counts->read++, counts->rejected++;
    result->rows.read++, result->rows.rejected++;
    vt_tally_add(&result->rejects, import->file, line, vt_slice_str(reason));
    return vt_aside_reject(&import->rejects[import->file], line, reason, raw);
}

static void on_blank(void *ctx)
{
    struct import *import = ctx;
    import->result->files[import->file].blank++;
}

static const char *first_told(const char *told, const char *of_format, const char *fallback)
{
    return told != NULL ? told : of_format != NULL ? of_format : fallback;
}

static struct vt_err prepare_build(struct import *import)
{
    const struct vt_ingest_options *options = import->options;
    const struct vt_format *format = import->format;
    const char *type = first_told(options->type, format->type, "");
    struct vt_slice currency = vt_slice_str(first_told(options->currency, format->currency, ""));
    import->build = (struct vt_build_options){
        .currency = currency,
        .type = vt_event_type_parse(vt_slice_str(type)),
        .now_ms = options->now_ms,
        .guests = format->guests,
        .time_shift_ms = format->time_shift_ms,
        .time_from_order = format->time_from_order,
        .file = import->file,
    };
    if (import->result->currency[0] == '\0' && currency.len == 3)
        memcpy(import->result->currency, currency.data, 3);
    if (currency.len > 0 && !vt_currency_known(currency)) {
        vt_diag_set(import->diag, "currency", "'%s' is no code of ISO 4217, such as EUR or GBP",
                    options->currency);
        return VT_ERR(VT_INVALID, "unknown currency");
    }
    if (type[0] != '\0' && import->build.type == VT_EVENT_UNSPECIFIED) {
        vt_diag_set(import->diag, "type", "'%s' is no event type; see docs/data-formats.md", type);
        return VT_ERR(VT_INVALID, "unknown event type");
    }
    return vt_zone_new(first_told(options->timezone, format->timezone, "UTC"), import->diag,
                       &import->build.zone);
}

static bool is_latin1(const struct import *import)
{
    const char *told = import->options->encoding;
    return told != NULL ? strcmp(told, "utf-8") != 0 : import->format->latin1;
}

static struct vt_err read_line(struct import *import, void *reader, const struct vt_line *line)
{
    struct vt_slice text = line->text;
    if (line->too_long)
        return on_reject(import, line->number, "a line over 1 MiB", text);
    if (is_latin1(import) &&
        !vt_text_from_latin1(line->text, import->converted, 3 * (size_t)VT_LINE_BYTES_MAX, &text))
        return on_reject(import, line->number, "cannot be converted to UTF-8", text);
    return import->format->line(reader, text, line->number, import->diag);
}

static void tell_progress(const struct import *import, const struct vt_source *source,
                          uint64_t lines)
{
    if (import->options->progress == NULL || lines % PROGRESS_LINES != 0)
        return;
    uint64_t size, done = vt_source_position(source, &size);
    import->options->progress(import->options->progress_ctx, "reading", done, size);
}

static struct vt_err read_lines(struct import *import, struct vt_source *source, void *reader)
{
    struct vt_ingest_file *file = &import->result->files[import->file];
    for (;;) {
        struct vt_line line;
        bool end;
        VT_TRY(vt_source_next(source, import->diag, &line, &end));
        if (end)
            break;
        file->lines = line.number;
        VT_TRY(read_line(import, reader, &line));
        tell_progress(import, source, line.number);
    }
    return import->format->end != NULL ? import->format->end(reader, import->diag) : vt_ok();
}

static struct vt_err pick_format(struct import *import, const char *path, struct vt_slice head)
{
    import->format = vt_format_pick(import->options->format, path, head);
    if (import->format == NULL) {
        vt_diag_set(import->diag, path,
                    "is in no format that is known; say --format jsonl, csv, movielens, "
                    "online-retail or adjacency");
        return VT_ERR(VT_INVALID, "unknown format");
    }
    import->result->files[import->file].format = import->format->name;
    return vt_ok();
}

static struct vt_err read_source(struct import *import, struct vt_source *source, const char *path)
{
    void *reader = NULL;
    VT_TRY(pick_format(import, path, vt_source_head(source)));
    const struct vt_reader_options options = {
        .path = path,
        .maps = import->options->maps,
        .head = vt_source_head(source),
        .out = {import, on_row, on_reject, on_blank},
    };
    struct vt_err err = prepare_build(import);
    if (!vt_failed(err))
        err = import->format->open(&options, import->diag, &reader);
    if (!vt_failed(err)) {
        err = read_lines(import, source, reader);
        import->format->close(reader);
    }
    vt_zone_free(import->build.zone);
    import->build.zone = NULL;
    return err;
}

/* Messages name the file; where only a line or a column is told, the file is put before it. */
static void name_file(struct vt_diag *diag, const char *path)
{
    if (diag == NULL || strcmp(diag->field, path) == 0)
        return;
    struct vt_diag said = *diag;
    vt_diag_set(diag, path, "%s%s%s", said.field, said.field[0] != '\0' ? ": " : "", said.text);
}

/* How many files before this one have its name, in other folders. */
static unsigned copies_before(const struct import *import, uint32_t file)
{
    const char *const *paths = import->options->paths;
    unsigned n = 0;
    for (uint32_t i = 0; i < file; i++)
        n += vt_slice_equal(vt_path_stem(paths[i]), vt_path_stem(paths[file]));
    return n;
}

static struct vt_err read_file(struct import *import, const char *path)
{
    struct vt_source *source = NULL;
    VT_TRY(vt_aside_init(&import->rejects[import->file], import->options->aside_dir, "rejects",
                         path, copies_before(import, import->file), import->diag));
    struct vt_err err = vt_source_open(path, import->diag, &source);
    if (!vt_failed(err))
        err = read_source(import, source, path);
    vt_source_close(source);
    if (vt_failed(err))
        name_file(import->diag, path);
    return err;
}

static struct vt_err read_files(struct import *import)
{
    double began = now_s();
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < import->options->n_paths && !vt_failed(err); i++) {
        import->file = (uint32_t)i;
        err = read_file(import, import->options->paths[i]);
    }
    import->result->read_s = now_s() - began;
    return err;
}

/* ---- cleaning ---- */
static struct vt_err clean(struct import *import)
{
    double began = now_s();
    const struct vt_ingest_options *options = import->options;
    struct vt_record_set *set = &import->set;
    VT_TRY(vt_clean_duplicates(set, options->keep_duplicates));
    VT_TRY(vt_clean_currencies(set, options, import->result->currency));
    VT_TRY(vt_clean_histories(set, options->keep_returns));
    VT_TRY(vt_clean_outliers(set));
    vt_clean_times(set);
    VT_TRY(vt_clean_catalog(set));
    vt_clean_judge(set, options->min_quality);
    import->result->clean_s = now_s() - began;
    return vt_ok();
}

/* ---- setting aside ---- */
static struct vt_err write_reviews(struct import *import, uint32_t file)
{
    struct vt_aside review;
    struct vt_ingest_file *told = &import->result->files[file];
    VT_TRY(vt_aside_init(&review, import->options->aside_dir, "review", told->path,
                         copies_before(import, file), import->diag));
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < import->set.n && !vt_failed(err); i++) {
        const struct vt_record *record = &import->set.records[i];
        if (record->file == file && record->fate == VT_FATE_REVIEW && !record->derived)
            err = vt_aside_review(&review, record, told->path);
    }
    if (!vt_failed(err))
        err = vt_aside_commit(&review, import->diag, told->review_path);
    vt_aside_fini(&review);
    return err;
}

static struct vt_err set_aside(struct import *import)
{
    for (uint32_t i = 0; i < import->result->n_files; i++) {
        VT_TRY(vt_aside_commit(&import->rejects[i], import->diag,
                               import->result->files[i].reject_path));
        VT_TRY(write_reviews(import, i));
    }
    return vt_ok();
}

/* ---- writing ---- */
struct batches {
    const struct vt_ingest_sink *sink;
    struct import *import;
    uint64_t done, total;
};

/* The events of one batch, for what the store says about them later. In the set's pool. */
struct event_batch {
    struct import *import;
    uint32_t records[VT_INGEST_BATCH]; /* the record of each */
};

/* Gathers the accepted records of a kind into arrays that live as long as the set (the sink
 * may still be writing them), and hands them on a batch at a time, with the records' places. */
static struct vt_err write_kind(struct batches *b, enum vt_record_kind kind, size_t row_bytes,
                                size_t row_offset,
                                struct vt_err (*write)(struct batches *b, const void *rows,
                                                       const uint32_t *records, uint32_t n))
{
    struct vt_record_set *set = &b->import->set;
    uint32_t records[VT_INGEST_BATCH];
    char *rows = NULL;
    uint32_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_record *record = &set->records[i];
        if (record->kind != kind || record->fate != VT_FATE_ACCEPTED)
            continue;
        if (n == 0)
            rows = vt_pool_alloc(&set->pool, VT_INGEST_BATCH * row_bytes);
        VT_CHECK(rows != NULL, VT_EXHAUSTED, "out of memory");
        memcpy(rows + n * row_bytes, (const char *)record->of.any + row_offset, row_bytes);
        records[n++] = (uint32_t)i;
        if (n == VT_INGEST_BATCH) {
            VT_TRY(write(b, rows, records, n));
            n = 0;
        }
    }
    return n > 0 ? write(b, rows, records, n) : vt_ok();
}

static struct vt_err wrote(struct batches *b, uint32_t n)
{
    const struct vt_ingest_options *options = b->import->options;
    b->done += n;
    if (options->progress != NULL)
        options->progress(options->progress_ctx, "writing", b->done, b->total);
    return vt_ok();
}

static struct vt_err write_items(struct batches *b, const void *rows, const uint32_t *records,
                                 uint32_t n)
{
    (void)records;
    VT_TRY(b->sink->items(b->sink->self, rows, n, b->import->diag));
    return wrote(b, n);
}

static struct vt_err write_customers(struct batches *b, const void *rows, const uint32_t *records,
                                     uint32_t n)
{
    (void)records;
    VT_TRY(b->sink->customers(b->sink->self, rows, n, b->import->diag));
    return wrote(b, n);
}

static struct vt_err write_channels(struct batches *b, const void *rows, const uint32_t *records,
                                    uint32_t n)
{
    (void)records;
    VT_TRY(b->sink->channels(b->sink->self, rows, n, b->import->diag));
    return wrote(b, n);
}

static void on_refused(void *ctx, uint32_t place, const char *field, struct vt_slice reason)
{
    const struct event_batch *batch = ctx;
    struct import *import = batch->import;
    struct vt_record *record = &import->set.records[batch->records[place]];
    char text[REASON_BYTES];
    snprintf(text, sizeof text, "%s: %.*s", field, (int)reason.len, reason.data);
    record->fate = VT_FATE_REFUSED;
    vt_tally_add(&import->result->refused, record->file, record->line, vt_slice_str(text));
    struct vt_err err = vt_aside_refused(&import->rejects[record->file], record, text);
    if (!vt_failed(import->refused_err))
        import->refused_err = err;
}

static struct vt_err write_events(struct batches *b, const void *rows, const uint32_t *records,
                                  uint32_t n)
{
    struct event_batch *batch = vt_pool_alloc(&b->import->set.pool, sizeof *batch);
    VT_CHECK(batch != NULL, VT_EXHAUSTED, "out of memory");
    batch->import = b->import;
    memcpy(batch->records, records, n * sizeof *records);
    const struct vt_ingest_refused refused = {.ctx = batch, .tell = on_refused};
    VT_TRY(b->sink->events(b->sink->self, rows, n, refused, b->import->diag));
    return wrote(b, n);
}

/* Items and customers first, so that events refer to what is described. */
static struct vt_err write_all(struct batches *b)
{
    VT_TRY(write_kind(b, VT_RECORD_ITEM, sizeof(struct vt_item), offsetof(struct vt_item_row, item),
                      write_items));
    VT_TRY(write_kind(b, VT_RECORD_CUSTOMER, sizeof(struct vt_customer_row), 0, write_customers));
    VT_TRY(write_kind(b, VT_RECORD_CHANNEL, sizeof(struct vt_channel_row), 0, write_channels));
    return write_kind(b, VT_RECORD_EVENT, sizeof(struct vt_event),
                      offsetof(struct vt_event_row, event), write_events);
}

static struct vt_err write_out(struct import *import, const struct vt_ingest_sink *sink)
{
    double began = now_s();
    struct vt_ingest_result *result = import->result;
    struct batches b = {.sink = sink, .import = import};
    for (size_t i = 0; i < import->set.n; i++)
        b.total += import->set.records[i].fate == VT_FATE_ACCEPTED;
    struct vt_err err = write_all(&b);
    /* Also after a failure: batches under way still point into the set. */
    struct vt_err finished = sink->finish(sink->self, import->diag, &result->store);
    result->write_s = now_s() - began;
    VT_TRY(err);
    VT_TRY(finished);
    VT_TRY(import->refused_err);
    result->written = true;
    return vt_ok();
}

/* ---- the whole ---- */
static struct vt_err import_init(struct import *import, const struct vt_ingest_options *options,
                                 struct vt_diag *diag, struct vt_ingest_result *result)
{
    *import = (struct import){.options = options, .diag = diag, .result = result};
    vt_record_set_init(&import->set);
    *result = (struct vt_ingest_result){0};
    result->files = calloc(options->n_paths, sizeof *result->files);
    import->rejects = calloc(options->n_paths, sizeof *import->rejects);
    import->converted = malloc(3 * (size_t)VT_LINE_BYTES_MAX);
    VT_CHECK(result->files != NULL && import->rejects != NULL && import->converted != NULL,
             VT_EXHAUSTED, "out of memory");
    result->n_files = options->n_paths;
    for (size_t i = 0; i < options->n_paths; i++)
        result->files[i] = (struct vt_ingest_file){.path = options->paths[i], .format = ""};
    return vt_ok();
}

static void import_fini(struct import *import)
{
    for (size_t i = 0; import->rejects != NULL && i < import->options->n_paths; i++)
        vt_aside_fini(&import->rejects[i]);
    free(import->rejects);
    free(import->converted);
    vt_record_set_fini(&import->set);
}

static struct vt_err import_run(struct import *import, const struct vt_ingest_sink *sink)
{
    VT_TRY(read_files(import));
    VT_TRY(clean(import));
    /* Counted after writing, because the store may refuse what all rules let pass. */
    struct vt_err err = sink != NULL ? write_out(import, sink) : vt_ok();
    vt_scorecard_fill(&import->set, import->result);
    VT_TRY(err);
    return set_aside(import);
}

struct vt_err vt_ingest_run(const struct vt_ingest_options *options,
                            const struct vt_ingest_sink *sink, struct vt_diag *diag,
                            struct vt_ingest_result *ret_result)
{
    struct import import;
    VT_CHECK(options->n_paths > 0 && options->n_paths <= VT_INGEST_FILES_MAX, VT_INVALID,
             "1 to 1,000 files an import");
    struct vt_err err = import_init(&import, options, diag, ret_result);
    if (!vt_failed(err))
        err = import_run(&import, sink);
    import_fini(&import);
    return err;
}

void vt_ingest_result_fini(struct vt_ingest_result *result)
{
    free(result->files);
    *result = (struct vt_ingest_result){0};
}
