/* What a service manager hears: a socket of the test stands in for it. */
#include "services/node/notify.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

/* A bound socket; the name begins with @ where there is no file. */
static int manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect_heard(int fd, const char *wanted)
{
    char heard[64];
    ssize_t len = recv(fd, heard, sizeof heard - 1, MSG_DONTWAIT);
    assert_true(len >= 0);
    heard[len] = '\0';
    assert_string_equal(heard, wanted);
}

static void the_state_arrives_as_one_datagram(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@vitrine-notify-test-%d", (int)getpid());
    int fd = manager(name);
    vt_notify("READY=1\nSTATUS=serving");
    vt_notify("STOPPING=1");
    expect_heard(fd, "READY=1\nSTATUS=serving");
    expect_heard(fd, "STOPPING=1");
    close(fd);
}

static void a_socket_with_a_file_is_found_too(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "/tmp/vitrine-notify-test-%d", (int)getpid());
    int fd = manager(name);
    vt_notify("READY=1");
    expect_heard(fd, "READY=1");
    close(fd);
    unlink(name);
}

static void nobody_to_tell_is_no_trouble(void **state)
{
    (void)state;
    char long_name[512];
    vt_notify("READY=1");
    memset(long_name, 'a', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"", "@", "relative", "/nowhere/at/all", long_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        vt_notify("READY=1");
    }
}

static void the_watchdog_is_ours_or_nobodys(void **state)
{
    (void)state;
    char pid[16];
    assert_int_equal(vt_notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(vt_notify_watchdog_ms(), 30000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(vt_notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(vt_notify_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    const char *const wrong[] = {"", "x", "30s", "-5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("WATCHDOG_USEC", wrong[i], 1);
        assert_int_equal(vt_notify_watchdog_ms(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_state_arrives_as_one_datagram, setup),
        cmocka_unit_test_setup(a_socket_with_a_file_is_found_too, setup),
        cmocka_unit_test_setup(nobody_to_tell_is_no_trouble, setup),
        cmocka_unit_test_setup(the_watchdog_is_ours_or_nobodys, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
