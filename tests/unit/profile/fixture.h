#ifndef VT_TESTS_UNIT_PROFILE_FIXTURE_H
#define VT_TESTS_UNIT_PROFILE_FIXTURE_H

/* A profile on a folder of its own with a clock that stands still, for tests of what depends on
 * time and on options. */
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_NOW_MS INT64_C(1750000000000)
#define FIXTURE_DAY_MS (INT64_C(24) * 3600 * 1000)

struct fixture {
    char *folder;
    struct vt_clock_fake clock;
    struct vt_metrics *metrics;
    struct vt_profile_options options;
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    struct vt_profile_write write;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct vt_err err;
    unsigned n_ids; /* event ids given by fixture_event */
};

static inline void fixture_on_written(void *ctx, struct vt_err err)
{
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    f->err = err;
    f->done = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static inline struct vt_err fixture_wait(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->done)
        pthread_cond_wait(&f->changed, &f->lock);
    f->done = false;
    pthread_mutex_unlock(&f->lock);
    return f->err;
}

/* Opens, or opens again, with f->options as they are now. */
static inline void fixture_open(struct fixture *f)
{
    vt_profile_close(f->profile);
    f->profile = NULL;
    assert_ok(vt_profile_open(&f->options, &f->diag, &f->profile));
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    vt_clock_fake_init(&f->clock, FIXTURE_NOW_MS);
    assert_true(vt_arena_init_owned(&f->arena, 8 << 20));
    assert_ok(vt_metrics_new(&f->metrics));
    f->request =
        (struct vt_request){.arena = &f->arena, .diag = &f->diag, .deadline_ns = INT64_MAX};
    f->write =
        (struct vt_profile_write){.request = &f->request, .done = fixture_on_written, .ctx = f};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->options = (struct vt_profile_options){.data_dir = f->folder,
                                             .clock = &f->clock.clock,
                                             .metrics = f->metrics,
                                             .consent_default = true,
                                             .create = true};
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    vt_profile_close(f->profile);
    vt_metrics_free(f->metrics);
    vt_arena_fini(&f->arena);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

/* An event of a member with an id of its own, at the clock's time. */
static inline struct vt_event fixture_event(struct fixture *f, enum vt_event_type type,
                                            const char *customer, const char *item)
{
    struct vt_slice id = vt_arena_printf(&f->arena, "event %u", f->n_ids++);
    return (struct vt_event){.event_id = id,
                             .type = type,
                             .customer_id = vt_slice_str(customer),
                             .item_id = vt_slice_str(item),
                             .time_ms = vt_clock_unix_ms(&f->clock.clock)};
}

static inline struct vt_event_result fixture_write(struct fixture *f, struct vt_event event)
{
    struct vt_event_result result = {0};
    vt_profile_write_events(f->profile, &f->write, &event, 1, &result);
    assert_ok(fixture_wait(f));
    return result;
}

static inline struct vt_upsert_result fixture_consent(struct fixture *f, const char *customer,
                                                      int consent)
{
    struct vt_customer upserted = {.id = vt_slice_str(customer), .consent = consent};
    struct vt_upsert_result result = {0};
    vt_profile_upsert_customers(f->profile, &f->write, &upserted, 1, &result);
    assert_ok(fixture_wait(f));
    return result;
}

static inline struct vt_profile_view fixture_get(struct fixture *f, const char *customer)
{
    struct vt_profile_key key = {.customer_id = vt_slice_str(customer)};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &view));
    return view;
}

/* The value of the metric's line that begins with `name` and its labels; -1: there is none. */
static inline double fixture_metric(struct fixture *f, const char *name)
{
    char *text = NULL;
    size_t len = 0;
    double value = -1;
    FILE *out = open_memstream(&text, &len);
    vt_metrics_render(f->metrics, out);
    fclose(out);
    size_t name_len = strlen(name);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ')
            value = strtod(line + name_len, NULL);
    free(text);
    return value;
}

static inline struct vt_err fixture_count_learned(void *ctx, const struct vt_logged_event *event)
{
    (void)event;
    ++*(unsigned *)ctx;
    return vt_ok();
}

/* How many events of the log training gets. */
static inline unsigned fixture_n_learned(struct fixture *f)
{
    unsigned n = 0;
    assert_ok(vt_profile_each_event(f->profile, fixture_count_learned, &n));
    return n;
}

#endif
