/*
 * Where plaintext may be spoken. The address is read as gRPC reads it: a scheme, or host and port,
 * IPv6 in brackets; an empty host is every address of the machine. A name is resolved and judged by
 * what it stands for, all of it, so that "localhost" passes where it is loopback, and nowhere else.
 */
#include "services/common/rpc/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HOST_BYTES = 256 };

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* The host of "host:port", "[::1]:port", "ipv4:host:port", "dns:///host:port". */
static struct vt_err host_of(const char *address, char ret_host[HOST_BYTES], struct vt_diag *diag)
{
    static const char *const schemes[] = {"ipv4:", "ipv6:", "dns:///", "dns:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (begins(address, schemes[i])) {
            address += strlen(schemes[i]);
            break;
        }
    const char *end = strrchr(address, ':');
    size_t len = end != NULL ? (size_t)(end - address) : strlen(address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    if (len >= HOST_BYTES) {
        vt_diag_set(diag, "listen", "a host's name has at most %d bytes", HOST_BYTES - 1);
        return VT_ERR(VT_INVALID, "not an address");
    }
    memcpy(ret_host, address, len);
    ret_host[len] = '\0';
    return vt_ok();
}

/* True when all addresses of the host are loopback ones. */
static struct vt_err resolve(const char *host, bool *ret_loopback, struct vt_diag *diag)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *all = NULL;
    int failure = getaddrinfo(host, "0", &hints, &all);
    if (failure != 0) {
        vt_diag_set(diag, "listen", "'%s' is no host that this machine knows: %s", host,
                    gai_strerror(failure));
        return VT_ERR(VT_INVALID, "not an address");
    }
    *ret_loopback = true;
    for (const struct addrinfo *one = all; one != NULL; one = one->ai_next)
        *ret_loopback = *ret_loopback && is_loopback(one->ai_addr);
    freeaddrinfo(all);
    return vt_ok();
}

struct vt_err vt_rpc_listen_check(const char *address, struct vt_diag *diag)
{
    char host[HOST_BYTES];
    bool loopback = false;
    if (begins(address, "unix:") || begins(address, "unix-abstract:"))
        return vt_ok();
    VT_TRY(host_of(address, host, diag));
    if (host[0] != '\0')
        VT_TRY(resolve(host, &loopback, diag));
    if (loopback)
        return vt_ok();
    vt_diag_set(diag, "listen",
                "%s can be reached from the network, where everybody could read and write without "
                "TLS: give --tls-cert, --tls-key and --tls-ca, or listen on 127.0.0.1 or [::1]",
                address);
    return VT_ERR(VT_DENIED, "plaintext is for the loopback only");
}
