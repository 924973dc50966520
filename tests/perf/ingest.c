/*
 * vitrine-bench ingest. The cell runs in this process, on its own threads, as `vitrine serve` runs
 * it; the sender is the main thread. First an unmeasured pass notes what the service hands to
 * RocksDB (ingest_bare.h). Then, by turns, each into an empty folder: the bare loop with exactly
 * those rows, and all events through StreamEvents over loopback gRPC, from the first encoded byte
 * to the last acknowledgement. After the last pass, on its store: single writes by turns with
 * fdatasync, 64 writers at a time, and reading one's own writes.
 */
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/node/command.h"
#include "services/profile/event_sender.h"
#include "tests/perf/bench.h"
#include "tests/perf/ingest_bare.h"
#include "tests/perf/ingest_latency.h"
#include "tests/perf/ingest_shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_MAX = 32,
    BLOCK = 25, /* single writes, then as many fdatasyncs, and so on */
    WRITERS = 64,
    PATH_BYTES = 4096,
};

struct ingest_options {
    const char *data;
    uint32_t events, batch, rounds, singles, reads;
    bool json;
};

struct ingest_report {
    double events_per_s[ROUNDS_MAX], bare_events_per_s[ROUNDS_MAX], ratio[ROUNDS_MAX];
    double cpu_us[ROUNDS_MAX], bare_cpu_us[ROUNDS_MAX]; /* an event */
    uint64_t fsyncs[ROUNDS_MAX], accepted;
    struct ingest_recorded recorded;
    uint64_t n_commits_of_64, n_events_of_64, single_bytes;
    struct samples single_us, writers_us, fdatasync_us, read_us;
    bool read_your_write;
};

struct ingest {
    const struct ingest_options *options;
    struct ingest_shop shop; /* its last events are for single writes */
    struct ingest_report report;
    struct vt_diag diag;
};

/* ---- through the service ---- */

static void count_accepted(void *ctx, uint64_t batch, const struct vt_event_result *results,
                           uint32_t n)
{
    struct ingest *ingest = ctx;
    (void)batch;
    for (uint32_t i = 0; i < n; i++)
        ingest->report.accepted += results[i].outcome == VT_EVENT_ACCEPTED;
}

static struct vt_err send_all(struct ingest *ingest, struct ingest_cell *cell,
                              struct bench_time *ret_time)
{
    const struct vt_event_sender_options options = {
        .channel = cell->channel, .on_results = count_accepted, .ctx = ingest};
    struct vt_event_sender *sender = NULL;
    uint32_t n = ingest->options->events, batch = ingest->options->batch;
    VT_TRY(vt_event_sender_new(&options, &sender));
    struct vt_err err = vt_ok();
    ingest->report.accepted = 0;
    int64_t start_ns = bench_now_ns(), cpu_ns = bench_process_cpu_ns();
    for (uint32_t at = 0; at < n && !vt_failed(err); at += batch)
        err = vt_event_sender_send(sender, ingest->shop.events + at,
                                   batch < n - at ? batch : n - at, &ingest->diag);
    if (!vt_failed(err))
        err = vt_event_sender_flush(sender, &ingest->diag);
    ret_time->seconds = (double)(bench_now_ns() - start_ns) * 1e-9;
    ret_time->cpu_seconds = (double)(bench_process_cpu_ns() - cpu_ns) * 1e-9;
    vt_event_sender_free(sender);
    if (!vt_failed(err) && ingest->report.accepted != n)
        err = VT_ERR(VT_INTERNAL, "not every event was accepted");
    return err;
}

/* ---- single writes ---- */

/* As much as a commit of one event hands to the store. */
static struct vt_err measure_single_bytes(struct ingest *ingest, struct ingest_cell *cell,
                                          const struct vt_event *event)
{
    static struct samples ignored;
    uint64_t n_commits;
    ingest_record_start();
    struct vt_err err = ingest_write_singly(cell, event, 1, 1, &ignored, &n_commits);
    ingest_record_stop();
    ingest->report.single_bytes = ingest_recorded().n_bytes;
    return err;
}

static struct vt_err measure_singles(struct ingest *ingest, struct ingest_cell *cell,
                                     const char *folder)
{
    struct ingest_report *report = &ingest->report;
    const struct vt_event *events = ingest->shop.events + ingest->options->events;
    uint32_t n = ingest->options->singles;
    uint64_t n_commits;
    VT_TRY(measure_single_bytes(ingest, cell, events++));
    for (uint32_t at = 0; at < n; at += BLOCK) {
        VT_TRY(ingest_write_singly(cell, events, BLOCK, 1, &report->single_us, &n_commits));
        VT_TRY(
            ingest_fdatasync(folder, (uint32_t)report->single_bytes, BLOCK, &report->fdatasync_us));
        events += BLOCK;
    }
    report->n_events_of_64 = (uint64_t)n * WRITERS / 8;
    return ingest_write_singly(cell, events, (uint32_t)report->n_events_of_64, WRITERS,
                               &report->writers_us, &report->n_commits_of_64);
}

static uint32_t n_single_events(const struct ingest_options *options)
{
    return 1 + (options->singles + BLOCK) + options->singles * WRITERS / 8;
}

/* ---- a round ---- */

static struct vt_err run_stream(struct ingest *ingest, const char *folder, bool record, bool last,
                                unsigned round)
{
    struct ingest_cell cell;
    struct bench_time time = {1, 0};
    VT_TRY(ingest_cell_start(folder, &ingest->diag, &cell));
    uint64_t before = ingest_n_commits();
    if (record)
        ingest_record_start();
    struct vt_err err = send_all(ingest, &cell, &time);
    ingest_record_stop();
    ingest->report.events_per_s[round] = ingest->options->events / time.seconds;
    ingest->report.cpu_us[round] = time.cpu_seconds * 1e6 / ingest->options->events;
    ingest->report.fsyncs[round] = ingest_n_commits() - before;
    if (record)
        ingest->report.recorded = ingest_recorded();
    if (!vt_failed(err) && last)
        err = ingest_read_own_writes(&cell, ingest->options->reads, &ingest->diag,
                                     &ingest->report.read_us, &ingest->report.read_your_write);
    if (!vt_failed(err) && last)
        err = measure_singles(ingest, &cell, folder);
    ingest_cell_stop(&cell);
    return err;
}

static struct vt_err run_bare(struct ingest *ingest, const char *folder, unsigned round)
{
    struct bench_time time = {1, 0};
    VT_TRY(ingest_bare_run(folder, &ingest->diag, &time));
    ingest->report.bare_events_per_s[round] = ingest->options->events / time.seconds;
    ingest->report.bare_cpu_us[round] = time.cpu_seconds * 1e6 / ingest->options->events;
    return vt_ok();
}

/* In a folder that is empty before and gone after. */
enum pass { RECORD, BARE, STREAM };
static struct vt_err run_pass(struct ingest *ingest, enum pass pass, unsigned round)
{
    static const char *const names[] = {"record", "bare", "stream"};
    char folder[PATH_BYTES];
    bool last = round + 1 == ingest->options->rounds;
    snprintf(folder, sizeof folder, "%s/bench-%s", ingest->options->data, names[pass]);
    VT_TRY(vt_folder_remove(folder, &ingest->diag));
    VT_TRY(vt_folder_create(folder, &ingest->diag));
    fprintf(stderr, "ingest: round %u, %s\n", round + 1, names[pass]);
    struct vt_err err =
        pass == BARE ? run_bare(ingest, folder, round)
                     : run_stream(ingest, folder, pass == RECORD, pass == STREAM && last, round);
    struct vt_err removed = vt_folder_remove(folder, NULL);
    return vt_failed(err) ? err : removed;
}

static struct vt_err run_rounds(struct ingest *ingest)
{
    struct ingest_report *report = &ingest->report;
    VT_TRY(run_pass(ingest, RECORD, 0));
    for (unsigned round = 0; round < ingest->options->rounds; round++) {
        VT_TRY(run_pass(ingest, BARE, round));
        VT_TRY(run_pass(ingest, STREAM, round));
        report->ratio[round] = report->events_per_s[round] / report->bare_events_per_s[round];
    }
    return vt_ok();
}

/* ---- the report ---- */

static double median(const double *values, unsigned n)
{
    static struct samples sorted;
    sorted.n = 0;
    for (unsigned i = 0; i < n; i++)
        samples_add(&sorted, values[i]);
    return samples_quantile(&sorted, 0.5);
}

static json_t *array_of(const double *values, unsigned n)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *quantiles_of(struct samples *us)
{
    return json_pack("{s:f,s:f,s:i}", "p50", samples_quantile(us, .5), "p99",
                     samples_quantile(us, .99), "n", (int)us->n);
}

static json_t *report_json(struct ingest *ingest)
{
    struct ingest_report *report = &ingest->report;
    unsigned rounds = ingest->options->rounds;
    double bytes = (double)report->recorded.n_bytes / ingest->options->events;
    double p99_ratio =
        samples_quantile(&report->single_us, .99) / samples_quantile(&report->fdatasync_us, .99);
    return json_pack(
        "{s:f,s:f,s:f,s:f,s:f,s:I,s:f,s:f,s:b,s:i,s:i,s:i,s:o,s:o,s:o,s:f,s:I,s:o,s:o,s:f,s:o,s:f}",
        "events_per_s", median(report->events_per_s, rounds), "bare_events_per_s",
        median(report->bare_events_per_s, rounds), "ratio", median(report->ratio, rounds),
        "cpu_us_per_event", median(report->cpu_us, rounds), "bare_cpu_us_per_event",
        median(report->bare_cpu_us, rounds), "fsyncs", (json_int_t)report->fsyncs[rounds - 1],
        "bytes_per_event", bytes, "read_your_write_us", samples_quantile(&report->read_us, .5),
        "read_your_write", report->read_your_write, "events", (int)ingest->options->events, "batch",
        (int)ingest->options->batch, "rounds", (int)rounds, "events_per_s_by_round",
        array_of(report->events_per_s, rounds), "bare_events_per_s_by_round",
        array_of(report->bare_events_per_s, rounds), "ratio_by_round",
        array_of(report->ratio, rounds), "rows_per_event",
        (double)report->recorded.n_rows / ingest->options->events, "single_write_bytes",
        (json_int_t)report->single_bytes, "single_write_us", quantiles_of(&report->single_us),
        "fdatasync_us", quantiles_of(&report->fdatasync_us), "single_write_p99_ratio", p99_ratio,
        "writers_64_us", quantiles_of(&report->writers_us), "writers_64_events_per_fsync",
        (double)report->n_events_of_64 / (double)report->n_commits_of_64);
}

static void print_table(struct ingest *ingest)
{
    struct ingest_report *report = &ingest->report;
    for (unsigned i = 0; i < ingest->options->rounds; i++)
        printf("round %u: bare %.0f events/s (%.1f µs of processor an event), StreamEvents "
               "%.0f events/s (%.1f µs), ratio %.2f, %llu fsyncs\n",
               i + 1, report->bare_events_per_s[i], report->bare_cpu_us[i], report->events_per_s[i],
               report->cpu_us[i], report->ratio[i], (unsigned long long)report->fsyncs[i]);
    printf("rows: %.2f an event, %.0f bytes an event\n",
           (double)report->recorded.n_rows / ingest->options->events,
           (double)report->recorded.n_bytes / ingest->options->events);
    printf("one write: p50 %.0f µs, p99 %.0f µs; fdatasync of the same %llu bytes: p50 %.0f µs, "
           "p99 %.0f µs\n",
           samples_quantile(&report->single_us, .5), samples_quantile(&report->single_us, .99),
           (unsigned long long)report->single_bytes, samples_quantile(&report->fdatasync_us, .5),
           samples_quantile(&report->fdatasync_us, .99));
    printf("64 writers: p50 %.0f µs, p99 %.0f µs, %.1f events an fsync\n",
           samples_quantile(&report->writers_us, .5), samples_quantile(&report->writers_us, .99),
           (double)report->n_events_of_64 / (double)report->n_commits_of_64);
    printf("read your write: %s, p50 %.0f µs for the write, GetProfile and Recommend\n",
           report->read_your_write ? "always" : "NOT ALWAYS",
           samples_quantile(&report->read_us, .5));
}

/* ---- the command ---- */

/* clang-format off */
#define OPTION(name_, kind_, field_, argument_, fallback_, help_)                                  \
    .name = (name_), .kind = (kind_), .offset = offsetof(struct ingest_options, field_),           \
    .argument = (argument_), .fallback = (fallback_), .help = (help_)

static const struct vt_option option_table[] = {
    {OPTION("data", VT_OPTION_TEXT, data, "DIR", NULL,
            "a folder on the disk to measure; bench-* in it come and go"), .required = true},
    {OPTION("events", VT_OPTION_U32, events, "N", "200000", "events of a round"),
     .min = 1000, .max = 5000000},
    {OPTION("batch", VT_OPTION_U32, batch, "N", "1000", "events of a message"),
     .min = 1, .max = VT_EVENT_BATCH_MAX},
    {OPTION("rounds", VT_OPTION_U32, rounds, "N", "3",
            "of each kind, by turns; medians are told"), .min = 1, .max = ROUNDS_MAX},
    {OPTION("singles", VT_OPTION_U32, singles, "N", "1000",
            "single writes, and eight times as many from 64 writers"), .min = 25, .max = 8000},
    {OPTION("reads", VT_OPTION_U32, reads, "N", "100",
            "writes that are read back at once"), .min = 1, .max = 10000},
    {OPTION("json", VT_OPTION_BOOL, json, NULL, NULL, "print one JSON object"), .flag_only = true},
};
/* clang-format on */

static const struct vt_options_spec spec = {
    .command = "vitrine-bench ingest",
    .summary = "Events a second through StreamEvents, beside a bare RocksDB loop in the same run.",
    .example = "vitrine-bench ingest --data /var/tmp/bench --events 500000 --json",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

static struct vt_err measure(struct ingest *ingest)
{
    const struct ingest_options *options = ingest->options;
    VT_TRY(vt_folder_create(options->data, &ingest->diag));
    VT_TRY(ingest_shop_new(options->events + n_single_events(options), 1,
                           vt_clock_unix_ms(vt_clock_system()), &ingest->shop));
    struct vt_err err = run_rounds(ingest);
    ingest_shop_free(&ingest->shop);
    ingest_record_free();
    return err;
}

static int run(void *target, const struct vt_options *parsed)
{
    static struct ingest ingest; /* samples are large */
    (void)parsed;
    ingest.options = target;
    struct vt_err err = measure(&ingest);
    if (!vt_failed(err) && ingest.options->json)
        err = vt_command_print_json(report_json(&ingest));
    else if (!vt_failed(err))
        print_table(&ingest);
    return vt_failed(err) ? vt_command_fail(spec.command, err, &ingest.diag) : VT_EXIT_DONE;
}

int bench_ingest(int argc, char **argv)
{
    static struct ingest_options options;
    return vt_command_run(&spec, argc, argv, &options, run);
}
