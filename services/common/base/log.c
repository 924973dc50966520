/*
 * A line is built in a buffer on the caller's stack and leaves in one write(2), so that lines of
 * several threads and processes on one pipe do not mix (POSIX promises that for up to PIPE_BUF,
 * 4,096 bytes, which is why a line is never longer). A field that does not fit is left out whole
 * and "truncated":true says so: what is written is always one valid JSON object. Nothing is
 * allocated and no lock is taken.
 */
#include "services/common/base/log.h"

#include "services/common/base/text.h"
#include "services/common/base/time_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096, TRAILER_BYTES = sizeof ",\"truncated\":true}\n" };

struct line {
    char text[LINE_BYTES_MAX];
    size_t len;
    bool full; /* the last append did not fit */
};

static const char *const level_names[] = {
    [VT_LOG_DEBUG] = "debug",
    [VT_LOG_INFO] = "info",
    [VT_LOG_WARN] = "warn",
    [VT_LOG_ERROR] = "error",
};

/* Relaxed: a line more or less around a change of level harms nobody. */
static _Atomic int lowest_level = VT_LOG_INFO;

void vt_log_set_level(enum vt_log_level level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

bool vt_log_wants(enum vt_log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

static void append(struct line *line, const char *bytes, size_t len)
{
    size_t room = sizeof line->text - TRAILER_BYTES - line->len;
    if (line->full || len > room) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

__attribute__((format(printf, 2, 3))) static void append_format(struct line *line,
                                                                const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    VT_ASSERT(len >= 0 && (size_t)len < sizeof text);
    append(line, text, (size_t)len);
}

static void append_ascii(struct line *line, char c)
{
    if (c == '"' || c == '\\')
        append(line, (const char[]){'\\', c}, 2);
    else if (c == '\n')
        append(line, "\\n", 2);
    else if (c == '\t')
        append(line, "\\t", 2);
    else if ((unsigned char)c < 0x20 || c == 0x7F)
        append_format(line, "\\u%04x", (unsigned)c);
    else
        append(line, &c, 1);
}

static void append_quoted(struct line *line, struct vt_slice text)
{
    append(line, "\"", 1);
    for (size_t at = 0; at < text.len && !line->full;) {
        size_t n = vt_text_sequence_bytes(text, at);
        if (n == 0)
            append(line, "\xEF\xBF\xBD", 3); /* U+FFFD for each byte that is not UTF-8 */
        else if (n == 1)
            append_ascii(line, text.data[at]);
        else
            append(line, text.data + at, n);
        at += n != 0 ? n : 1;
    }
    append(line, "\"", 1);
}

static void append_value(struct line *line, const struct vt_log_field *field)
{
    switch (field->kind) {
    case VT_LOG_TEXT:
        append_quoted(line, field->value.text);
        break;
    case VT_LOG_INT:
        append_format(line, "%lld", (long long)field->value.integer);
        break;
    case VT_LOG_REAL:
        if (isfinite(field->value.real))
            append_format(line, "%.9g", field->value.real);
        else
            append(line, "null", 4); /* JSON has no NaN */
        break;
    case VT_LOG_BOOL:
        append_format(line, "%s", field->value.integer != 0 ? "true" : "false");
        break;
    case VT_LOG_END:
        break;
    }
}

static void append_field(struct line *line, const struct vt_log_field *field)
{
    append(line, ",", 1);
    append_quoted(line, vt_slice_str(field->name));
    append(line, ":", 1);
    append_value(line, field);
}

static void append_head(struct line *line, enum vt_log_level level, const char *event)
{
    struct timespec now = {0};
    char time_text[VT_TIME_TEXT_BYTES];
    clock_gettime(CLOCK_REALTIME, &now);
    vt_time_print_ms(now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000, time_text);
    append_format(line, "{\"time\":\"%s\"", time_text);
    append_field(line, &VT_F_STR("level", level_names[level]));
    append_field(line, &VT_F_STR("event", event));
}

/* Writes past the room that append leaves, which is there for it. */
static void finish(struct line *line, bool truncated)
{
    const char *tail = truncated ? ",\"truncated\":true}\n" : "}\n";
    size_t len = strlen(tail);
    memcpy(line->text + line->len, tail, len);
    line->len += len;
}

void vt_log_write(enum vt_log_level level, const char *event, const struct vt_log_field *fields)
{
    if (!vt_log_wants(level))
        return;
    struct line line;
    line.len = 0;
    line.full = false;
    bool truncated = false;
    append_head(&line, level, event);
    for (const struct vt_log_field *field = fields; field->kind != VT_LOG_END; field++) {
        size_t before = line.len;
        append_field(&line, field);
        if (!line.full)
            continue;
        line.len = before;
        line.full = false;
        truncated = true;
    }
    finish(&line, truncated);
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written; /* a log that can not be written has nobody to tell */
}

void vt_log_err(enum vt_log_level level, const char *event, struct vt_err err, const char *detail)
{
    struct vt_log_field fields[] = {
        VT_F_STR("code", vt_code_name((enum vt_code)err.code)),
        VT_F_STR("error", err.what),
        VT_F_STR("detail", detail),
        VT_F_INT("line", err.line),
        {0}, /* the errno's text, if there is one */
        {0},
    };
    if (err.sys != 0)
        fields[4] = VT_F_STR("system", strerrordesc_np(err.sys));
    vt_log_write(level, event, fields);
}
