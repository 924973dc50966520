/*
 * Reads Prometheus text. Only values are kept: the first and the newest of every series, and sums
 * of a few families over time for the report's curves. A page lists its series in the order of the
 * page before, so each is looked for from where the last one was found. The bytes come from
 * outside: a line that does not parse is no sample, names too long are passed over, nothing grows.
 */
#include "loadtest/scrape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 64 };

/* The families that are summed, by track. */
static const char *const families[N_SCRAPE_TRACKS] = {
    [SCRAPE_HANDLED] = "grpc_server_handled_total",
    [SCRAPE_DEGRADED] = "vitrine_recommend_degraded_total",
    [SCRAPE_IN_FLIGHT] = "grpc_server_in_flight",
    [SCRAPE_CPU] = "process_cpu_seconds_total",
    [SCRAPE_MEMORY] = "process_resident_memory_bytes",
};

/* One line of a page. */
struct sample {
    struct vt_slice name; /* with labels */
    double value;
};

struct scrape *scrape_new(void)
{
    struct scrape *scrape = calloc(1, sizeof *scrape);
    if (scrape == NULL)
        return NULL;
    scrape->series = calloc(SCRAPE_SERIES_MAX, sizeof *scrape->series);
    if (scrape->series == NULL) {
        free(scrape);
        return NULL;
    }
    return scrape;
}

void scrape_free(struct scrape *scrape)
{
    if (scrape == NULL)
        return;
    free(scrape->series);
    free(scrape);
}

/* ---- a line ---- */

/* Bytes of the name and its labels: up to the blank outside of braces; in them quotes count. */
static size_t name_length(struct vt_slice line)
{
    bool quoted = false, inside = false;
    for (size_t i = 0; i < line.len; i++) {
        char byte = line.data[i];
        if (quoted && byte == '\\')
            i++;
        else if (byte == '"')
            quoted = !quoted;
        else if (!quoted && (byte == '{' || byte == '}'))
            inside = byte == '{';
        else if (!inside && (byte == ' ' || byte == '\t'))
            return i;
    }
    return 0;
}

/* A timestamp may follow the value. */
static bool read_value(struct vt_slice text, double *ret_value)
{
    char number[NUMBER_BYTES_MAX];
    size_t n = text.len < sizeof number ? text.len : sizeof number - 1;
    memcpy(number, text.data, n);
    number[n] = '\0';
    char *end = NULL;
    double value = strtod(number, &end);
    if (end == number || (*end != '\0' && *end != ' ' && *end != '\r') || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

static bool read_sample(struct vt_slice line, struct sample *ret_sample)
{
    if (line.len == 0 || line.data[0] == '#')
        return false;
    size_t name = name_length(line);
    if (name == 0 || name >= SCRAPE_NAME_MAX || memchr(line.data, '\0', name) != NULL)
        return false;
    ret_sample->name = vt_slice(line.data, name);
    return read_value(vt_slice(line.data + name + 1, line.len - name - 1), &ret_sample->value);
}

/* ---- a page ---- */

static bool is_named(const struct scrape_series *series, struct vt_slice name)
{
    return series->name[name.len] == '\0' && memcmp(series->name, name.data, name.len) == 0;
}

/* Its place, from `from` on and around; n_series when it is new. */
static size_t find_series(const struct scrape *scrape, struct vt_slice name, size_t from)
{
    for (size_t i = 0; i < scrape->n_series; i++) {
        size_t at = (from + i) % scrape->n_series;
        if (is_named(&scrape->series[at], name))
            return at;
    }
    return scrape->n_series;
}

static void keep(struct scrape *scrape, const struct sample *sample, size_t *from)
{
    size_t at = find_series(scrape, sample->name, *from);
    if (at == SCRAPE_SERIES_MAX)
        return;
    struct scrape_series *series = &scrape->series[at];
    if (at == scrape->n_series) {
        memcpy(series->name, sample->name.data, sample->name.len);
        series->before = scrape->n_points == 0 ? sample->value : 0; /* born later: was nothing */
        scrape->n_series++;
    }
    series->after = sample->value;
    *from = at + 1;
}

static void sum_up(struct scrape *scrape, const struct sample *sample, double *sums)
{
    const char *labels = memchr(sample->name.data, '{', sample->name.len);
    size_t len = labels != NULL ? (size_t)(labels - sample->name.data) : sample->name.len;
    for (int track = 0; track < N_SCRAPE_TRACKS; track++)
        if (vt_slice_equal(vt_slice(sample->name.data, len), vt_slice_str(families[track]))) {
            sums[track] += sample->value;
            scrape->has_track[track] = true;
        }
}

void scrape_read_page(struct scrape *scrape, struct vt_slice page, double t_s)
{
    double sums[N_SCRAPE_TRACKS] = {0};
    size_t from = 0;
    while (page.len > 0) {
        const char *end = memchr(page.data, '\n', page.len);
        size_t len = end != NULL ? (size_t)(end - page.data) : page.len, step = len + (end != NULL);
        struct sample sample;
        if (read_sample(vt_slice(page.data, len), &sample)) {
            keep(scrape, &sample, &from);
            sum_up(scrape, &sample, sums);
        }
        page = vt_slice(page.data + step, page.len - step);
    }
    if (scrape->n_points == SCRAPE_POINTS_MAX)
        return;
    scrape->t_s[scrape->n_points] = t_s;
    for (int track = 0; track < N_SCRAPE_TRACKS; track++)
        scrape->tracks[track][scrape->n_points] = sums[track];
    scrape->n_points++;
}
