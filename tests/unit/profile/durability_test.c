#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * kill -9 at points nobody chose: whatever was acknowledged is there after each, once. The parent
 * never opens the store itself (threads do not survive fork), so both the writer that dies and the
 * one that looks are children.
 */

enum { KILLS = 5, BATCH = 50, ACKS_BEFORE_KILL = 20, MEMORY_BYTES = 1 << 20 };

struct child {
    struct vt_profile *profile;
    struct vt_arena arena;
    struct vt_request request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    char ids[BATCH][32];
    struct vt_event events[BATCH];
    struct vt_event_result results[BATCH];
};

/* In a child a failure is its exit status. */
static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "child: %s\n", what);
    _exit(1);
}

static void on_written(void *ctx, struct vt_err err)
{
    struct child *child = ctx;
    require(!vt_failed(err), err.what);
    pthread_mutex_lock(&child->lock);
    child->done = true;
    pthread_cond_signal(&child->changed);
    pthread_mutex_unlock(&child->lock);
}

static void open_child(struct child *child, const char *folder)
{
    struct vt_diag diag = {0};
    *child = (struct child){.request = {.arena = &child->arena, .deadline_ns = INT64_MAX}};
    pthread_mutex_init(&child->lock, NULL);
    pthread_cond_init(&child->changed, NULL);
    require(vt_arena_init_owned(&child->arena, MEMORY_BYTES), "no memory");
    struct vt_profile_options options = {
        .data_dir = folder, .consent_default = true, .create = true};
    require(!vt_failed(vt_profile_open(&options, &diag, &child->profile)), diag.text);
}

/* Writes the events of batch number `batch` and waits for the acknowledgement. */
static void write_batch(struct child *child, uint64_t batch)
{
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(child->ids[i], sizeof child->ids[i], "event-%llu-%u", (unsigned long long)batch,
                 i);
        child->events[i] = (struct vt_event){.event_id = vt_slice_str(child->ids[i]),
                                             .type = VT_EVENT_VIEW,
                                             .customer_id = vt_slice_str(i % 2 ? "ann" : "bob"),
                                             .item_id = vt_slice_str("mug"),
                                             .time_ms = VT_EVENT_TIME_MIN_MS + (int64_t)batch};
    }
    vt_arena_reset(&child->arena);
    child->done = false;
    const struct vt_profile_write write = {
        .request = &child->request, .done = on_written, .ctx = child};
    vt_profile_write_events(child->profile, &write, child->events, BATCH, child->results);
    pthread_mutex_lock(&child->lock);
    while (!child->done)
        pthread_cond_wait(&child->changed, &child->lock);
    pthread_mutex_unlock(&child->lock);
}

static void write_until_killed(const char *folder, uint64_t first_batch, int acks)
{
    static struct child child;
    open_child(&child, folder);
    for (uint64_t batch = first_batch;; batch++) {
        write_batch(&child, batch);
        require(write(acks, &batch, sizeof batch) == (ssize_t)sizeof batch, "the parent is gone");
    }
}

static struct vt_err count_row(void *ctx, const struct vt_logged_event *event)
{
    (void)event;
    (*(uint64_t *)ctx)++;
    return vt_ok();
}

static void check_acknowledged(const char *folder, uint64_t last_acked)
{
    static struct child child;
    uint64_t n_rows = 0;
    open_child(&child, folder);
    require(!vt_failed(vt_profile_each_event(child.profile, count_row, &n_rows)), "log unreadable");
    require(n_rows % BATCH == 0, "half a batch in the log");
    require(n_rows >= last_acked * BATCH, "acknowledged events are missing from the log");
    for (uint64_t batch = 1; batch <= last_acked; batch++) {
        write_batch(&child, batch);
        for (unsigned i = 0; i < BATCH; i++)
            require(child.results[i].outcome == VT_EVENT_DUPLICATE, "accepted twice");
    }
    vt_profile_close(child.profile);
    vt_arena_fini(&child.arena);
    _exit(0);
}

static uint64_t run_and_kill(const char *folder, uint64_t last_acked)
{
    int acks[2];
    assert_int_equal(pipe(acks), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(acks[0]);
        write_until_killed(folder, last_acked + 1, acks[1]);
    }
    close(acks[1]);
    for (unsigned i = 0; i < ACKS_BEFORE_KILL; i++)
        assert_int_equal(read(acks[0], &last_acked, sizeof last_acked), sizeof last_acked);
    kill(pid, SIGKILL);
    uint64_t late;
    while (read(acks[0], &late, sizeof late) == (ssize_t)sizeof late)
        last_acked = late; /* acknowledged before the signal arrived */
    close(acks[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return last_acked;
}

static void acknowledged_events_survive_kill_9_once(void **state)
{
    (void)state;
    char *folder = vt_test_folder_new();
    uint64_t last_acked = 0;
    for (unsigned i = 0; i < KILLS; i++) {
        int status = 0;
        last_acked = run_and_kill(folder, last_acked);
        pid_t pid = fork();
        if (pid == 0)
            check_acknowledged(folder, last_acked);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    vt_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_events_survive_kill_9_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
