/*
 * libgrpc 1.51 stops listening for good when accept4 fails with anything but EAGAIN or EINTR, and a
 * process that is out of descriptors gets EMFILE (CVE-2023-4785, not mended in Debian): a burst of
 * idle connections left a live process that no one could ever reach again. Connections can not be
 * accepted for gRPC by somebody else (grpc_server_add_channel_from_fd knows no TLS), so the one
 * call it makes is answered here: this accept4 stands before the C library's, because a program's
 * symbols come before those of its libraries (docs/adr/0195). It does two things.
 *
 * - The last descriptors are kept back: a connection that got one of them is closed at once, and
 *   the store, a model swap and the operator's pages go on working. The kernel gives the
 *   lowest free number, so the number itself says how many are taken; nothing is counted.
 * - What is wrong with one connection, or passes, never looks to gRPC like the end of the listener.
 *
 * Any thread; no lock; a few nanoseconds beside the call of the kernel.
 */
#include "services/common/rpc/accept.h"

#include "services/common/base/log.h"
#include "services/common/base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    RESERVE_MAX = 256, /* a bundle's files, RocksDB's tables, 64 operators */
    RESERVE_SHARE = 4, /* of a small limit, never more than this part */
    WARN_EVERY_S = 10, /* a line of log, however many are turned away */
    NO_FD = -1,
};

/* Set before the first connection, read by every accept: relaxed, each stands for itself. */
static struct {
    _Atomic(unsigned long) ceiling; /* descriptors from this number on are kept back; 0: not set */
    atomic_int exempt_fd;
    atomic_int spare_fd; /* acq_rel: whoever takes it owns it until it is put back */
    /* Release by vt__accept_count, acquire here: what they point at was written before. */
    _Atomic(struct vt_counter *) accepted, refused;
    _Atomic(const struct vt_metrics *) counted_in;
    _Atomic(int64_t) warned_s;
} door = {.exempt_fd = NO_FD, .spare_fd = NO_FD};

unsigned long vt__accept_reserve(unsigned long limit)
{
    return limit / RESERVE_SHARE < RESERVE_MAX ? limit / RESERVE_SHARE : RESERVE_MAX;
}

static void count(_Atomic(struct vt_counter *) *slot)
{
    struct vt_counter *counter = atomic_load_explicit(slot, memory_order_acquire);
    if (counter != NULL)
        vt_counter_add(counter, 1);
}

static void warn_sometimes(void)
{
    unsigned long ceiling = atomic_load_explicit(&door.ceiling, memory_order_relaxed);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t last_s = atomic_load_explicit(&door.warned_s, memory_order_relaxed);
    if ((last_s != 0 && now.tv_sec - last_s < WARN_EVERY_S) ||
        !atomic_compare_exchange_strong_explicit(&door.warned_s, &last_s, now.tv_sec,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    vt_log(VT_LOG_WARN, "connections_refused", VT_F_INT("descriptors", (int64_t)ceiling),
           VT_F_STR("text", "callers hold all descriptors that they may; raise LimitNOFILE, or "
                            "lower the connections that the gateway lets in"));
}

/* What libgrpc does with an errno: EAGAIN waits for the next connection, EINTR asks again at once,
 * anything else ends the listener. */
static int mild(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return EAGAIN; /* whoever waits is accepted with the next who comes */
    case ECONNABORTED: /* this one connection, and what accept(2) says of pending network errors */
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return EINTR;
    default:
        return error;
    }
}

static void open_spare(void)
{
    atomic_store_explicit(&door.spare_fd, open("/dev/null", O_RDONLY | O_CLOEXEC),
                          memory_order_release);
}

static void turn_away(int fd)
{
    close(fd);
    count(&door.refused);
    warn_sometimes();
}

/* Even the reserve is gone. Who waits in the queue would wait for ever and hide those behind, so a
 * descriptor that was kept for this is given for a moment. Returns the errno for gRPC. */
static int turn_away_with_spare(int fd)
{
    int spare = atomic_exchange_explicit(&door.spare_fd, NO_FD, memory_order_acq_rel);
    if (spare < 0)
        return EAGAIN;
    close(spare);
    long accepted = syscall(SYS_accept4, fd, NULL, NULL, SOCK_CLOEXEC);
    if (accepted >= 0)
        turn_away((int)accepted);
    open_spare();
    return accepted >= 0 ? EINTR : EAGAIN;
}

/* Under the name that libgrpc calls; the C library's prototype of it is no ISO C. */
int vt__accept(int fd, struct sockaddr *address, socklen_t *address_len,
               int flags) __asm__("accept4") __attribute__((used));

int vt__accept(int fd, struct sockaddr *address, socklen_t *address_len, int flags)
{
    long accepted = syscall(SYS_accept4, fd, address, address_len, flags);
    if (accepted < 0) {
        errno = errno == EMFILE ? turn_away_with_spare(fd) : mild(errno);
        return -1;
    }
    unsigned long ceiling = atomic_load_explicit(&door.ceiling, memory_order_relaxed);
    if (ceiling == 0 || (unsigned long)accepted < ceiling ||
        fd == atomic_load_explicit(&door.exempt_fd, memory_order_relaxed)) {
        count(&door.accepted);
        return (int)accepted;
    }
    turn_away((int)accepted);
    errno = EINTR;
    return -1;
}

static void keep_some_back(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    atomic_store_explicit(&door.ceiling, limit.rlim_cur - vt__accept_reserve(limit.rlim_cur),
                          memory_order_relaxed);
    if (atomic_load_explicit(&door.spare_fd, memory_order_relaxed) == NO_FD)
        open_spare();
}

void vt__accept_count(struct vt_metrics *metrics)
{
    keep_some_back();
    struct vt_counter *accepted = vt_metrics_counter(metrics, "vitrine_connections_accepted_total",
                                                     "Connections of callers and operators.", "");
    struct vt_counter *refused =
        vt_metrics_counter(metrics, "vitrine_connections_refused_total",
                           "Connections closed at once, for want of descriptors.", "");
    atomic_store_explicit(&door.accepted, accepted, memory_order_release);
    atomic_store_explicit(&door.refused, refused, memory_order_release);
    atomic_store_explicit(&door.counted_in, metrics, memory_order_relaxed);
}

void vt__accept_forget(const struct vt_metrics *metrics)
{
    if (atomic_load_explicit(&door.counted_in, memory_order_relaxed) != metrics)
        return;
    atomic_store_explicit(&door.accepted, NULL, memory_order_relaxed);
    atomic_store_explicit(&door.refused, NULL, memory_order_relaxed);
}

void vt__accept_exempt(int listening_fd)
{
    atomic_store_explicit(&door.exempt_fd, listening_fd, memory_order_relaxed);
}
