/*
 * The protocol is one datagram, so libsystemd and what it brings along are not linked (ADR 0185).
 * The socket is opened for each message: there are few, and none is held open for years.
 */
#include "services/node/notify.h"

#include "services/common/base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Length of the address of `path`, whose leading @ stands for a name without a file; 0: not one. */
static socklen_t address_of(const char *path, struct sockaddr_un *ret_address)
{
    size_t len = strlen(path);
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof ret_address->sun_path)
        return 0;
    memcpy(ret_address->sun_path, path, len);
    if (path[0] == '@')
        ret_address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static int send_to(const char *path, const char *state)
{
    struct sockaddr_un address;
    socklen_t address_len = address_of(path, &address);
    if (address_len == 0)
        return EINVAL;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, address_len);
    int failure = sent < 0 ? errno : 0;
    close(fd);
    return failure;
}

void vt_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL)
        return;
    int failure = send_to(path, state);
    if (failure != 0)
        vt_log(VT_LOG_WARN, "notify_failed", VT_F_STR("socket", path),
               VT_F_STR("reason", strerror(failure)));
}

/* A positive number and nothing else, or 0. */
static int64_t number_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = text != NULL ? strtoll(text, &end, 10) : 0;
    return errno == 0 && value > 0 && *end == '\0' ? (int64_t)value : 0;
}

int64_t vt_notify_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    if (pid != NULL && number_of(pid) != getpid())
        return 0; /* meant for another process of the service */
    return number_of(getenv("WATCHDOG_USEC")) / 1000;
}
