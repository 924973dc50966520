/*
 * A registry of families (one name, help and type) of series (one label text). Counters and
 * histograms are cut into shards of whole cache lines; a thread counts in its own shard, and only
 * render adds the shards up. That makes counting on a serving thread one relaxed add on a line that
 * no other core writes, at 1 KiB a counter. Relaxed everywhere: a scrape wants each number to rise,
 * not a common instant for all of them.
 *
 * Lists in order of registering, searched linearly: registering happens at start, a few hundred
 * times, and rarely later (the label of a new model version): a mutex keeps that and a scrape
 * apart.
 */
#include "services/common/base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* More threads than shards share one, which stays right and costs a little. */
enum { N_SHARDS = 16, LINE_BYTES = 64 };

struct shard {
    _Alignas(LINE_BYTES) _Atomic uint64_t count;
};

struct vt_counter {
    struct shard shards[N_SHARDS];
};

struct vt_gauge {
    _Alignas(LINE_BYTES) _Atomic double value;
};

/* A shard of a histogram: the sum, then n_bounds + 1 counts, not cumulative. */
struct histogram_shard {
    _Alignas(LINE_BYTES) _Atomic double sum;
    _Atomic uint64_t counts[];
};

struct vt_histogram {
    const double *bounds; /* owned by the series, n_bounds of them */
    unsigned n_bounds;
    size_t shard_stride;   /* bytes */
    unsigned char *shards; /* owned by the series */
};

enum kind { COUNTER, GAUGE, HISTOGRAM };
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct series {
    struct series *next;
    char *labels;
    void *object; /* vt_counter, vt_gauge or vt_histogram, by the family's kind */
};

struct family {
    struct family *next;
    char *name, *help;
    enum kind kind;
    struct series *series;
};

struct vt_metrics {
    pthread_mutex_t mutex; /* the lists; never the numbers */
    struct family *families;
};

/* Dummies for tests and for running out of memory; counting in them is seen by nobody. */
static struct vt_counter dummy_counter;
static struct vt_gauge dummy_gauge;
static _Alignas(LINE_BYTES) unsigned char dummy_shards[N_SHARDS * LINE_BYTES];
static struct vt_histogram dummy_histogram = {.shard_stride = LINE_BYTES, .shards = dummy_shards};

static unsigned my_shard(void)
{
    static _Atomic unsigned n_threads;
    static _Thread_local unsigned mine = N_SHARDS; /* not chosen yet */
    if (mine == N_SHARDS)
        mine = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) % N_SHARDS;
    return mine;
}

static void add_double(_Atomic double *sum, double delta)
{
    double seen = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &seen, seen + delta, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

static struct histogram_shard *histogram_shard(const struct vt_histogram *histogram, unsigned i)
{
    return (struct histogram_shard *)(void *)(histogram->shards + i * histogram->shard_stride);
}

void vt_counter_add(struct vt_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->shards[my_shard()].count, n, memory_order_relaxed);
}

uint64_t vt_counter_value(const struct vt_counter *counter)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < N_SHARDS; i++)
        total += atomic_load_explicit(&counter->shards[i].count, memory_order_relaxed);
    return total;
}

void vt_gauge_set(struct vt_gauge *gauge, double value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void vt_gauge_add(struct vt_gauge *gauge, double delta)
{
    add_double(&gauge->value, delta);
}

void vt_histogram_observe(struct vt_histogram *histogram, double value)
{
    unsigned bucket = 0;
    while (bucket < histogram->n_bounds && !(value <= histogram->bounds[bucket]))
        bucket++;
    struct histogram_shard *shard = histogram_shard(histogram, my_shard());
    atomic_fetch_add_explicit(&shard->counts[bucket], 1, memory_order_relaxed);
    add_double(&shard->sum, value);
}

struct vt_err vt_metrics_new(struct vt_metrics **ret_metrics)
{
    struct vt_metrics *metrics = calloc(1, sizeof *metrics);
    VT_CHECK(metrics != NULL, VT_EXHAUSTED, "no memory for metrics");
    pthread_mutex_init(&metrics->mutex, NULL);
    *ret_metrics = metrics;
    return vt_ok();
}

static void *alloc_lines(size_t size_bytes)
{
    size_t rounded = (size_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    void *memory = aligned_alloc(LINE_BYTES, rounded);
    if (memory != NULL)
        memset(memory, 0, rounded);
    return memory;
}

static void histogram_free(struct vt_histogram *histogram)
{
    if (histogram == NULL)
        return;
    free(histogram->shards);
    free((void *)(uintptr_t)histogram->bounds);
    free(histogram);
}

static struct vt_histogram *histogram_new(const double *bounds, unsigned n_bounds)
{
    struct vt_histogram *histogram = calloc(1, sizeof *histogram);
    if (histogram == NULL)
        return NULL;
    size_t bytes = sizeof(struct histogram_shard) + (n_bounds + 1) * sizeof(uint64_t);
    histogram->shard_stride = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    histogram->shards = alloc_lines(N_SHARDS * histogram->shard_stride);
    double *copy = calloc(n_bounds + 1, sizeof *copy);
    histogram->bounds = copy;
    histogram->n_bounds = n_bounds;
    if (histogram->shards == NULL || copy == NULL) {
        histogram_free(histogram);
        return NULL;
    }
    for (unsigned i = 0; i < n_bounds; i++) {
        VT_ASSERT(isfinite(bounds[i]) && (i == 0 || bounds[i] > bounds[i - 1]));
        copy[i] = bounds[i];
    }
    return histogram;
}

static void object_free(enum kind kind, void *object)
{
    if (kind == HISTOGRAM)
        histogram_free(object);
    else
        free(object);
}

static void family_free(struct family *family)
{
    while (family->series != NULL) {
        struct series *series = family->series;
        family->series = series->next;
        object_free(family->kind, series->object);
        free(series->labels);
        free(series);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void vt_metrics_free(struct vt_metrics *metrics)
{
    while (metrics != NULL && metrics->families != NULL) {
        struct family *family = metrics->families;
        metrics->families = family->next;
        family_free(family);
    }
    if (metrics != NULL)
        pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

/* The family of that name, made when missing; NULL without memory. */
static struct family *intern_family(struct vt_metrics *metrics, enum kind kind, const char *name,
                                    const char *help)
{
    struct family **end = &metrics->families;
    for (; *end != NULL; end = &(*end)->next)
        if (strcmp((*end)->name, name) == 0) {
            VT_ASSERT((*end)->kind == kind);
            return *end;
        }
    struct family *family = calloc(1, sizeof *family);
    if (family == NULL)
        return NULL;
    *family = (struct family){.name = strdup(name), .help = strdup(help), .kind = kind};
    if (family->name == NULL || family->help == NULL) {
        family_free(family);
        return NULL;
    }
    *end = family;
    return family;
}

/* The series with those labels, made without an object when missing; NULL without memory. */
static struct series *intern_series(struct family *family, const char *labels)
{
    struct series **end = &family->series;
    for (; *end != NULL; end = &(*end)->next)
        if (strcmp((*end)->labels, labels) == 0)
            return *end;
    struct series *series = calloc(1, sizeof *series);
    if (series == NULL)
        return NULL;
    series->labels = strdup(labels);
    if (series->labels == NULL) {
        free(series);
        return NULL;
    }
    *end = series;
    return series;
}

static struct series *intern(struct vt_metrics *metrics, enum kind kind, const char *name,
                             const char *help, const char *labels)
{
    struct family *family = metrics != NULL ? intern_family(metrics, kind, name, help) : NULL;
    return family != NULL ? intern_series(family, labels) : NULL;
}

static void lock(struct vt_metrics *metrics)
{
    if (metrics != NULL)
        pthread_mutex_lock(&metrics->mutex);
}

static void unlock(struct vt_metrics *metrics)
{
    if (metrics != NULL)
        pthread_mutex_unlock(&metrics->mutex);
}

struct vt_counter *vt_metrics_counter(struct vt_metrics *metrics, const char *name,
                                      const char *help, const char *labels)
{
    lock(metrics);
    struct series *series = intern(metrics, COUNTER, name, help, labels);
    if (series != NULL && series->object == NULL)
        series->object = alloc_lines(sizeof(struct vt_counter));
    unlock(metrics);
    return series != NULL && series->object != NULL ? series->object : &dummy_counter;
}

struct vt_gauge *vt_metrics_gauge(struct vt_metrics *metrics, const char *name, const char *help,
                                  const char *labels)
{
    lock(metrics);
    struct series *series = intern(metrics, GAUGE, name, help, labels);
    if (series != NULL && series->object == NULL)
        series->object = alloc_lines(sizeof(struct vt_gauge));
    unlock(metrics);
    return series != NULL && series->object != NULL ? series->object : &dummy_gauge;
}

struct vt_histogram *vt_metrics_histogram(struct vt_metrics *metrics, const char *name,
                                          const char *help, const char *labels,
                                          const double *bounds, unsigned n_bounds)
{
    lock(metrics);
    struct series *series = intern(metrics, HISTOGRAM, name, help, labels);
    if (series != NULL && series->object == NULL)
        series->object = histogram_new(bounds, n_bounds);
    unlock(metrics);
    return series != NULL && series->object != NULL ? series->object : &dummy_histogram;
}

/* The shortest text that reads back as the same number. */
static void print_number(FILE *out, double value)
{
    if (isnan(value)) {
        fputs("NaN", out);
    } else if (isinf(value)) {
        fputs(value > 0 ? "+Inf" : "-Inf", out);
    } else {
        char text[32];
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) < value || strtod(text, NULL) > value)
            snprintf(text, sizeof text, "%.17g", value);
        fputs(text, out);
    }
}

static void print_name(FILE *out, const char *name, const char *suffix, const char *labels)
{
    if (labels[0] != '\0')
        fprintf(out, "%s%s{%s} ", name, suffix, labels);
    else
        fprintf(out, "%s%s ", name, suffix);
}

static void print_bucket(FILE *out, const char *name, const char *labels, double bound,
                         uint64_t cumulative)
{
    fprintf(out, "%s_bucket{%s%sle=\"", name, labels, labels[0] != '\0' ? "," : "");
    print_number(out, bound);
    fprintf(out, "\"} %llu\n", (unsigned long long)cumulative);
}

static uint64_t bucket_count(const struct vt_histogram *histogram, unsigned bucket)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < N_SHARDS; i++)
        total += atomic_load_explicit(&histogram_shard(histogram, i)->counts[bucket],
                                      memory_order_relaxed);
    return total;
}

static double histogram_sum(const struct vt_histogram *histogram)
{
    double total = 0;
    for (unsigned i = 0; i < N_SHARDS; i++)
        total += atomic_load_explicit(&histogram_shard(histogram, i)->sum, memory_order_relaxed);
    return total;
}

static void render_histogram(FILE *out, const char *name, const char *labels,
                             const struct vt_histogram *histogram)
{
    uint64_t cumulative = 0;
    for (unsigned i = 0; i <= histogram->n_bounds; i++) {
        cumulative += bucket_count(histogram, i);
        print_bucket(out, name, labels, i < histogram->n_bounds ? histogram->bounds[i] : INFINITY,
                     cumulative);
    }
    print_name(out, name, "_sum", labels);
    print_number(out, histogram_sum(histogram));
    fputc('\n', out);
    /* Not counted apart, so that it always equals the bucket +Inf, as readers expect. */
    print_name(out, name, "_count", labels);
    fprintf(out, "%llu\n", (unsigned long long)cumulative);
}

static void render_series(FILE *out, const struct family *family, const struct series *series)
{
    if (series->object == NULL)
        return;
    if (family->kind == HISTOGRAM) {
        render_histogram(out, family->name, series->labels, series->object);
        return;
    }
    print_name(out, family->name, "", series->labels);
    if (family->kind == COUNTER)
        fprintf(out, "%llu", (unsigned long long)vt_counter_value(series->object));
    else
        print_number(out, atomic_load_explicit(&((struct vt_gauge *)series->object)->value,
                                               memory_order_relaxed));
    fputc('\n', out);
}

void vt_metrics_render(const struct vt_metrics *metrics, FILE *out)
{
    /* Rendering changes nothing but the mutex. */
    struct vt_metrics *locked = (struct vt_metrics *)(uintptr_t)metrics;
    lock(locked);
    for (const struct family *family = metrics->families; family != NULL; family = family->next) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                kind_names[family->kind]);
        for (const struct series *series = family->series; series != NULL; series = series->next)
            render_series(out, family, series);
    }
    unlock(locked);
}
