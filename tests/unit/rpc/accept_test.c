/* accept4 as gRPC gets it: the reserve, and that no want of descriptors looks like an end. */
#include "services/common/base/metrics.h"
#include "services/common/rpc/accept.h"
#include "tests/testlib/testlib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 128, CALLERS_MAX = 16 };

struct fixture {
    struct vt_metrics *metrics;
    int listener, callers[CALLERS_MAX];
    struct sockaddr_in address;
};

static struct rlimit old_limit;

static int listen_anywhere(struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, CALLERS_MAX), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_address = address;
    return fd;
}

/* The hard limit stays: only root may raise it again, so the soft one is lowered after _count. */
static int setup(void **state)
{
    static struct fixture fixture;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old_limit), 0);
    assert_ok(vt_metrics_new(&fixture.metrics));
    vt__accept_count(fixture.metrics);
    fixture.listener = listen_anywhere(&fixture.address);
    for (int i = 0; i < CALLERS_MAX; i++) {
        fixture.callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fixture.callers[i], (const struct sockaddr *)&fixture.address,
                                 sizeof fixture.address),
                         0);
    }
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    setrlimit(RLIMIT_NOFILE, &old_limit);
    for (int i = 0; i < CALLERS_MAX; i++)
        close(fixture->callers[i]);
    close(fixture->listener);
    vt__accept_forget(fixture->metrics);
    vt_metrics_free(fixture->metrics);
    return 0;
}

static uint64_t counted(const struct fixture *fixture, const char *name)
{
    return vt_counter_value(vt_metrics_counter(fixture->metrics, name, "", ""));
}

static int accept_one(const struct fixture *fixture)
{
    return accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void a_quarter_and_at_most_256_are_kept_back(void **state)
{
    (void)state;
    assert_int_equal(vt__accept_reserve(100), 25);
    assert_int_equal(vt__accept_reserve(1024), 256);
    assert_int_equal(vt__accept_reserve(1025), 256);
    assert_int_equal(vt__accept_reserve(1 << 20), 256);
}

static void accepted_connections_are_counted(void **state)
{
    struct fixture *fixture = *state;
    int fd = accept_one(fixture);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(counted(fixture, "vitrine_connections_accepted_total"), 1);
    assert_int_equal(counted(fixture, "vitrine_connections_refused_total"), 0);
}

/* With no descriptor left each caller is turned away, and then the queue is simply empty. */
static void without_descriptors_callers_are_turned_away(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit limit = old_limit;
    limit.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int taken[LIMIT], n_taken = 0;
    while ((taken[n_taken] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n_taken++;
    for (int i = 0; i < CALLERS_MAX; i++) {
        assert_int_equal(accept_one(fixture), -1);
        assert_int_equal(errno, EINTR);
    }
    assert_int_equal(accept_one(fixture), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(counted(fixture, "vitrine_connections_refused_total"), CALLERS_MAX);
    while (n_taken > 0)
        close(taken[--n_taken]);
}

static void a_listener_that_is_gone_is_told(void **state)
{
    (void)state;
    assert_int_equal(accept4(-1, NULL, NULL, 0), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_and_at_most_256_are_kept_back),
        cmocka_unit_test_setup_teardown(accepted_connections_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(without_descriptors_callers_are_turned_away, setup,
                                        teardown),
        cmocka_unit_test(a_listener_that_is_gone_is_told),
    };
    return cmocka_run_group_tests_name("rpc/accept", tests, NULL, NULL);
}
