/*
 * Every format's line decoder, the record builder and the cleaning rules: the first byte chooses
 * the format, the rest is the file. Whatever the bytes are, no row may be lost.
 */
#include "services/ingest/build.h"
#include "services/ingest/clean.h"
#include "services/ingest/reader.h"
#include "services/ingest/times.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct vt_record_set set;
    struct vt_build_options build;
    uint64_t rows, rejected;
};

static struct vt_err on_row(void *ctx, const struct vt_row *row)
{
    struct run *run = ctx;
    run->rows++;
    return vt_build_record(&run->set, &run->build, row);
}

static struct vt_err on_reject(void *ctx, uint64_t line, const char *reason, struct vt_slice raw)
{
    (void)line, (void)reason, (void)raw;
    ((struct run *)ctx)->rejected++;
    return vt_ok();
}

static void on_blank(void *ctx)
{
    (void)ctx;
}

static struct vt_err feed(const struct vt_format *format, void *reader, struct vt_slice text)
{
    struct vt_slice lines[256];
    struct vt_diag diag = {0};
    size_t n = vt_slice_split(text, '\n', lines, 256);
    for (size_t i = 0; i < n; i++)
        VT_TRY(format->line(reader, lines[i], i + 1, &diag));
    return format->end != NULL ? format->end(reader, &diag) : vt_ok();
}

static void clean(struct run *run)
{
    const struct vt_ingest_options options = {.min_quality = 50};
    char currency[4] = "";
    uint64_t rows = run->set.n;
    VT_ASSERT(rows == run->rows);
    VT_ASSERT(!vt_failed(vt_clean_duplicates(&run->set, false)));
    VT_ASSERT(!vt_failed(vt_clean_currencies(&run->set, &options, currency)));
    VT_ASSERT(!vt_failed(vt_clean_histories(&run->set, false)));
    VT_ASSERT(!vt_failed(vt_clean_outliers(&run->set)));
    vt_clean_times(&run->set);
    VT_ASSERT(!vt_failed(vt_clean_catalog(&run->set)));
    vt_clean_judge(&run->set, 50);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.build = {.now_ms = INT64_C(1767225600000), .guests = true}};
    void *reader = NULL;
    if (size < 2)
        return 0;
    const struct vt_format *format = vt_formats[(data[0] + 2u) % 5] /* by the digits 0 to 4 */;
    struct vt_slice text = vt_slice(data + 1, size - 1);
    const struct vt_reader_options options = {
        .path = "fuzz", .head = text, .out = {&run, on_row, on_reject, on_blank}};
    vt_record_set_init(&run.set);
    run.build.time_from_order = format->time_from_order;
    VT_ASSERT(!vt_failed(vt_zone_new("Europe/London", NULL, &run.build.zone)));
    if (!vt_failed(format->open(&options, NULL, &reader))) {
        vt_err_ignore(feed(format, reader, text), "a wrong header is an error, and expected");
        format->close(reader);
        clean(&run);
    }
    vt_zone_free(run.build.zone);
    vt_record_set_fini(&run.set);
    return 0;
}
