/* A real store behind a real server on a port of the system's choice, followed into a table: the
 * snapshot, then a change, then a restart of the server. */
#include "services/common/base/clock.h"
#include "services/common/rpc/server.h"
#include "services/profile/follow.h"
#include "services/profile/handlers.h"
#include "services/profile/profile.h"
#include "tests/testlib/testlib.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

static char *folder;
static struct vt_profile *profile;
static struct vt_profile_rpc *rpc;
static struct vt_rpc_server *server;
static struct vt_item_table *table;
static struct vt_rpc_channel *channel;
static struct vt_profile_follow *follow;
static struct vt_diag diag;

static void start_server(uint16_t port)
{
    char listen[32];
    size_t n_methods = 0;
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    struct vt_rpc_server_options options = {
        .listen = listen, .n_threads = 1, .max_in_flight = 16, .arena_bytes = 1 << 20};
    assert_ok(vt_profile_rpc_new(profile, NULL, &rpc));
    assert_ok(vt_rpc_server_new(&options, &server));
    const struct vt_rpc_method *methods = vt_profile_rpc_methods(&n_methods);
    assert_ok(vt_rpc_server_add(server, methods, n_methods, rpc));
    assert_ok(vt_rpc_server_start(server, &diag));
    vt_rpc_server_set_serving(server, true);
}

static void stop_server(void)
{
    vt_rpc_server_drain(server, 0);
    vt_rpc_server_free(server);
    vt_profile_rpc_free(rpc);
}

static void on_written(void *ctx, struct vt_err err)
{
    atomic_bool *written = ctx;
    assert_false(vt_failed(err));
    atomic_store(written, true);
}

static void upsert(const char *id)
{
    static unsigned char memory[64 << 10];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};
    struct vt_item item = {.id = vt_slice_str(id), .title = vt_slice_str("Mug"), .stock = -1};
    struct vt_upsert_result result = {0};
    atomic_bool written = false;
    const struct vt_profile_write write = {
        .request = &request, .done = on_written, .ctx = &written};
    vt_profile_upsert_items(profile, &write, &item, 1, 0, &result);
    while (!atomic_load(&written))
        sched_yield();
    assert_int_equal(result.inserted, 1);
}

static void wait_for(const char *id)
{
    struct vt_item item;
    for (bool there = false; !there; sched_yield()) {
        unsigned ticket = vt_item_table_enter(table);
        uint32_t number = vt_item_table_number(table, vt_slice_str(id));
        there =
            number != 0 && vt_item_table_get(table, number, &item) && vt_item_table_ready(table);
        vt_item_table_leave(table, ticket);
    }
}

static int begin(void **state)
{
    (void)state;
    char target[32];
    folder = vt_test_folder_new();
    struct vt_profile_options options = {
        .data_dir = folder, .clock = vt_clock_system(), .create = true};
    assert_ok(vt_profile_open(&options, &diag, &profile));
    start_server(0);
    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)vt_rpc_server_port(server));
    assert_ok(vt_item_table_new(&table));
    assert_ok(vt_rpc_channel_new(target, &channel));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_profile_follow_stop(follow);
    vt_rpc_channel_free(channel);
    stop_server();
    vt_item_table_free(table);
    vt_profile_close(profile);
    vt_test_folder_remove(folder);
    return 0;
}

static void follower_gets_the_snapshot_then_changes_and_survives_a_restart(void **state)
{
    (void)state;
    upsert("mug-1");
    assert_ok(vt_profile_follow_start(channel, table, NULL, &follow));
    wait_for("mug-1");
    upsert("mug-2");
    wait_for("mug-2");
    uint16_t port = vt_rpc_server_port(server);
    stop_server();
    upsert("mug-3");
    start_server(port);
    wait_for("mug-3");
    assert_int_equal(vt_item_table_n_described(table), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            follower_gets_the_snapshot_then_changes_and_survives_a_restart, begin, end),
    };
    return cmocka_run_group_tests_name("profile_rpc/follow", tests, NULL, NULL);
}
