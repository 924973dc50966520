/* Readers of CatalogService.Watch in processes of their own, over real connections, killed with -9
 * at random points: this program again, which appends each message to a journal as it comes and
 * goes on after the last whole one when it is started again. In the end the journal makes exactly
 * the writer's table. 10 kills, with VITRINE_TEST_ALL=1 100. */
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/server.h"
#include "services/profile/handlers.h"
#include "services/profile/wire_change.h"
#include "tests/unit/profile/fixture.h"
#include "tests/unit/profile/table_testlib.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCH "/vitrine.v1.CatalogService/Watch"

enum {
    KILLS = 10,
    KILLS_LONG = 100,
    N_SKUS = 50,
    WRITES_MAX = 40, /* between two kills */
    CHANGE_BYTES_MIN = 8,
    PATH_BYTES = 300,
    JOURNAL_BYTES_MAX = 64 << 20,
};

/* ---- the journal: messages with their length before them; the last may be torn ---- */

/* Applies the whole messages to the reader; how many bytes they are. */
static size_t replay(const char *path, struct reader *reader)
{
    char *text = NULL;
    size_t len = 0, at = 0;
    uint32_t body_len = 0, n = 0;
    if (access(path, F_OK) != 0)
        return 0;
    assert_ok(vt_file_read(path, JOURNAL_BYTES_MAX, NULL, &text, &len));
    for (; len - at >= sizeof body_len; at += sizeof body_len + body_len) {
        const struct vt_change *changes = NULL;
        memcpy(&body_len, text + at, sizeof body_len);
        if (body_len > len - at - sizeof body_len)
            break;
        vt_arena_reset(&reader->arena);
        struct vt_slice body = vt_slice(text + at + sizeof body_len, body_len);
        assert_ok(vt_wire_changes_decode(body, &reader->arena, NULL, &changes, &n));
        for (uint32_t i = 0; i < n; i++)
            reader_apply(reader, &changes[i]);
    }
    free(text);
    return at;
}

static bool append(int fd, struct vt_slice body)
{
    static char record[8 << 20];
    uint32_t len = (uint32_t)body.len;
    if (body.len > sizeof record - sizeof len)
        return false;
    memcpy(record, &len, sizeof len);
    memcpy(record + sizeof len, body.data, body.len);
    return write(fd, record, sizeof len + body.len) == (ssize_t)(sizeof len + body.len);
}

/* ---- the reader: a process that is killed ---- */

__attribute__((noreturn)) static void read_until_killed(const char *target, const char *path)
{
    struct reader reader;
    struct vt_rpc_channel *channel = NULL;
    struct vt_rpc_stream *stream = NULL;
    struct vt_slice body;
    bool ended = false;
    reader_init(&reader);
    size_t whole = replay(path, &reader);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)whole), 0);
    assert_ok(vt_rpc_channel_new(target, &channel));
    assert_ok(vt_wire_watch_request_encode(reader.in_snapshot ? 0 : reader.sequence, &reader.arena,
                                           &body));
    assert_ok(vt_rpc_stream_open(channel, WATCH, body, &stream));
    for (;;) {
        vt_arena_reset(&reader.arena);
        assert_ok(vt_rpc_stream_next(stream, &reader.arena, &body, &ended));
        assert_false(ended);
        assert_true(append(fd, body));
    }
}

static pid_t start_reader(const char *target, const char *path)
{
    char *const arguments[] = {"watch_kill_test", "reader", (char *)(uintptr_t)target,
                               (char *)(uintptr_t)path, NULL};
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    return pid;
}

static off_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : 0;
}

/* A reader that ended by itself would be waited for in vain. */
static void wait_for_size(pid_t reader, const char *path, off_t size)
{
    while (size_of(path) < size) {
        assert_int_equal(waitpid(reader, NULL, WNOHANG), 0);
        sched_yield();
    }
}

static void kill_reader(pid_t reader)
{
    int status = 0;
    assert_int_equal(kill(reader, SIGKILL), 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_true(WIFSIGNALED(status));
}

/* ---- the writer ---- */

static struct vt_rpc_server *server;
static struct vt_profile_rpc *rpc;
static uint64_t bits = 7;

static uint32_t next(uint32_t below)
{
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(bits >> 33) % below;
}

/* Always a change: no price comes twice. The sequence of it. */
static uint64_t write_entry(struct fixture *f)
{
    static uint32_t price;
    vt_arena_reset(&f->arena);
    struct vt_upsert_result result;
    struct vt_item item = {.id = vt_arena_printf(&f->arena, "sku %u", next(N_SKUS)),
                           .title = vt_arena_printf(&f->arena, "title %u", next(9)),
                           .price = ++price,
                           .stock = (int64_t)next(9) - 1};
    vt_profile_upsert_items(f->profile, &f->write, &item, 1, 0, &result);
    assert_ok(fixture_wait(f));
    if (next(4) != 0)
        return result.sequence;
    bool missing = false;
    struct vt_delete_result deleted = {.missing = &missing};
    vt_profile_delete_items(f->profile, &f->write, &item.id, 1, &deleted);
    assert_ok(fixture_wait(f));
    return deleted.sequence;
}

static void serve(struct fixture *f, char target[32])
{
    size_t n_methods = 0;
    const struct vt_rpc_method *methods = vt_profile_rpc_methods(&n_methods);
    const struct vt_rpc_server_options options = {
        .listen = "127.0.0.1:0", .n_threads = 1, .max_in_flight = 16, .arena_bytes = 1 << 20};
    assert_ok(vt_profile_rpc_new(f->profile, NULL, &rpc));
    assert_ok(vt_rpc_server_new(&options, &server));
    assert_ok(vt_rpc_server_add(server, methods, n_methods, rpc));
    assert_ok(vt_rpc_server_start(server, &f->diag));
    vt_rpc_server_set_serving(server, true);
    snprintf(target, 32, "127.0.0.1:%u", (unsigned)vt_rpc_server_port(server));
}

static int teardown(void **state)
{
    if (server != NULL)
        vt_rpc_server_drain(server, 0);
    vt_rpc_server_free(server);
    vt_profile_rpc_free(rpc);
    return fixture_teardown(state);
}

static void assert_journal_is_the_writers_table(struct fixture *f, const char *path)
{
    struct reader told, fresh;
    reader_init(&told);
    reader_init(&fresh);
    replay(path, &told);
    reader_resume(&fresh, f->profile);
    reader_drain(&fresh);
    assert_tables_equal(told.table, fresh.table);
    reader_fini(&told);
    reader_fini(&fresh);
}

static bool has_all(const char *path, uint64_t sequence)
{
    struct reader reader;
    reader_init(&reader);
    replay(path, &reader);
    bool all = !reader.in_snapshot && reader.sequence >= sequence;
    reader_fini(&reader);
    return all;
}

static void reader_killed_at_random_points_ends_with_the_writers_table(void **state)
{
    struct fixture *f = *state;
    char target[32], path[PATH_BYTES];
    const char *all = getenv("VITRINE_TEST_ALL");
    int kills = all != NULL && strcmp(all, "1") == 0 ? KILLS_LONG : KILLS;
    uint64_t last = write_entry(f);
    snprintf(path, sizeof path, "%s/journal", f->folder);
    serve(f, target);
    for (int kill = 0; kill < kills; kill++) {
        pid_t reader = start_reader(target, path);
        uint32_t n = 1 + next(WRITES_MAX);
        off_t enough = size_of(path) + 1 + (off_t)next(n * CHANGE_BYTES_MIN);
        for (uint32_t i = 0; i < n; i++)
            last = write_entry(f);
        wait_for_size(reader, path, enough);
        kill_reader(reader);
    }
    pid_t reader = start_reader(target, path);
    while (!has_all(path, last))
        wait_for_size(reader, path, size_of(path)); /* also: it is alive */
    kill_reader(reader);
    assert_journal_is_the_writers_table(f, path);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "reader") == 0)
        read_until_killed(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reader_killed_at_random_points_ends_with_the_writers_table,
                                        fixture_setup, teardown),
    };
    return cmocka_run_group_tests_name("profile_rpc/watch_kill", tests, NULL, NULL);
}
