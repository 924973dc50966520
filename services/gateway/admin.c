/*
 * One HTTP/1.1 request over a connection of its own: all that is wanted of Envoy's admin page,
 * which listens on the loopback. Only the status line of the answer is read. Blocking, with time
 * limits of the socket.
 */
#include "services/gateway/admin.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { STEP_SECONDS = 2, ADDRESS_BYTES = 128, REQUEST_BYTES = 512, STATUS_BYTES = 64 };

static struct vt_err wrong_address(const char *address, struct vt_diag *diag)
{
    vt_diag_set(diag, "admin", "'%s' is no numeric HOST:PORT", address);
    return VT_ERR(VT_INVALID, "an address");
}

static struct vt_err resolve(const char *address, struct addrinfo **ret_found, struct vt_diag *diag)
{
    char host[ADDRESS_BYTES];
    const char *colon = strrchr(address, ':');
    size_t n = colon != NULL ? (size_t)(colon - address) : 0;
    if (n == 0 || n >= sizeof host)
        return wrong_address(address, diag);
    bool bracketed = n > 2 && address[0] == '[' && address[n - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? n - 2 : n),
             address + (bracketed ? 1 : 0));
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo(host, colon + 1, &hints, ret_found) != 0)
        return wrong_address(address, diag);
    return vt_ok();
}

static int connect_to(const struct addrinfo *found)
{
    const struct timeval limit = {.tv_sec = STEP_SECONDS};
    int socket_fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        return -1;
    if (setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(socket_fd, found->ai_addr, found->ai_addrlen) == 0)
        return socket_fd;
    close(socket_fd);
    return -1;
}

/* The beginning of the answer, up to where STATUS_BYTES or the answer ends. */
static bool exchange(int socket_fd, const char *request, char ret_answer[STATUS_BYTES])
{
    size_t n = strlen(request), got = 0;
    if (send(socket_fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    while (got < STATUS_BYTES - 1 && memchr(ret_answer, '\n', got) == NULL) {
        ssize_t more = recv(socket_fd, ret_answer + got, STATUS_BYTES - 1 - got, 0);
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    ret_answer[got] = '\0';
    return got > 0;
}

static struct vt_err ask(int socket_fd, const char *address, const char *request,
                         struct vt_diag *diag)
{
    char whole[REQUEST_BYTES], answer[STATUS_BYTES];
    snprintf(whole, sizeof whole,
             "%s HTTP/1.1\r\nhost: %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", request,
             address);
    if (!exchange(socket_fd, whole, answer)) {
        vt_diag_set(diag, "admin", "%s gave no answer: %s", address, strerror(errno));
        return VT_ERR(VT_UNAVAILABLE, "no answer");
    }
    if (strncmp(answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) != 0) {
        answer[strcspn(answer, "\r\n")] = '\0';
        vt_diag_set(diag, "admin", "%s answered '%s' to %s", address, answer, request);
        return VT_ERR(VT_UNAVAILABLE, "not done");
    }
    return vt_ok();
}

struct vt_err vt_gateway_ask(const char *address, const char *request, struct vt_diag *diag)
{
    struct addrinfo *found = NULL;
    VT_TRY(resolve(address, &found, diag));
    int socket_fd = connect_to(found);
    int why = errno;
    freeaddrinfo(found);
    if (socket_fd < 0) {
        vt_diag_set(diag, "admin", "%s: %s", address, strerror(why));
        return VT_ERR(VT_UNAVAILABLE, "nobody there");
    }
    struct vt_err err = ask(socket_fd, address, request, diag);
    close(socket_fd);
    return err;
}
