/*
 * The thread that looks at the server's metrics page while the load runs: HTTP/1.0, so that the
 * answer ends with the connection and comes in one piece. Every wait has its end, and a look that
 * failed is counted and tried again at the next moment.
 */
#include "loadtest/scrape.h"
#include "services/common/base/clock.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, HOST_BYTES_MAX = 256 };

struct scraper {
    char host[HOST_BYTES_MAX], port[8];
    int64_t interval_ns, began_ns;
    struct scrape *scrape; /* owned; the thread's until it ends */
    char *page;            /* owned, SCRAPE_BYTES_MAX */
    pthread_t thread;
    pthread_mutex_t mutex; /* of stopping */
    pthread_cond_t changed;
    bool stopping;
};

static int64_t now_ns(void)
{
    return vt_clock_monotonic_ns(vt_clock_system());
}

/* ---- a look ---- */

static int connect_to(const struct addrinfo *where)
{
    const struct timeval timeout = {SCRAPE_TIMEOUT_MS / 1000, SCRAPE_TIMEOUT_MS % 1000 * 1000};
    int fd = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, where->ai_protocol);
    if (fd < 0)
        return -1;
    /* Linux ends connect, too, by the time to send. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
        connect(fd, where->ai_addr, where->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_connection(const struct scraper *scraper)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int fd = -1;
    if (getaddrinfo(scraper->host, scraper->port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_to(at);
    freeaddrinfo(found);
    return fd;
}

static bool ask(int fd, const char *host)
{
    char request[HOST_BYTES_MAX + 64];
    int len = snprintf(request, sizeof request, "GET /metrics HTTP/1.0\r\nHost: %s\r\n\r\n", host);
    return send(fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

/* Bytes up to the connection's end; 0: too late, too long, or broken. */
static size_t receive(int fd, char *page)
{
    const int64_t deadline_ns = now_ns() + (int64_t)SCRAPE_TIMEOUT_MS * NS_PER_MS;
    size_t len = 0;
    while (len < SCRAPE_BYTES_MAX && now_ns() < deadline_ns) {
        ssize_t n = recv(fd, page + len, SCRAPE_BYTES_MAX - len, 0);
        if (n <= 0)
            return n == 0 ? len : 0;
        len += (size_t)n;
    }
    return 0;
}

static bool take_in(struct scraper *scraper, size_t len)
{
    static const char end_of_head[] = "\r\n\r\n";
    const char *head = memmem(scraper->page, len, end_of_head, sizeof end_of_head - 1);
    if (head == NULL || len < 12 || memcmp(scraper->page + 9, "200", 3) != 0)
        return false;
    const char *body = head + sizeof end_of_head - 1;
    scrape_read_page(scraper->scrape, vt_slice(body, len - (size_t)(body - scraper->page)),
                     (double)(now_ns() - scraper->began_ns) / NS_PER_S);
    return true;
}

static bool look(struct scraper *scraper)
{
    int fd = open_connection(scraper);
    if (fd < 0)
        return false;
    size_t len = ask(fd, scraper->host) ? receive(fd, scraper->page) : 0;
    close(fd);
    return take_in(scraper, len);
}

/* ---- the thread ---- */

/* True when it is time to end. */
static bool wait_until(struct scraper *scraper, int64_t until_ns)
{
    const struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    bool stopping;
    pthread_mutex_lock(&scraper->mutex);
    while (!scraper->stopping &&
           pthread_cond_timedwait(&scraper->changed, &scraper->mutex, &until) == 0)
        ;
    stopping = scraper->stopping;
    pthread_mutex_unlock(&scraper->mutex);
    return stopping;
}

static void *run(void *argument)
{
    struct scraper *scraper = argument;
    for (int64_t due_ns = scraper->began_ns + scraper->interval_ns;;
         due_ns += scraper->interval_ns) {
        bool last = wait_until(scraper, due_ns);
        if (!look(scraper))
            scraper->scrape->n_missed++;
        if (last)
            return NULL;
        if (due_ns < now_ns() - scraper->interval_ns)
            due_ns = now_ns(); /* looks that were slept over are not made up for */
    }
}

static struct vt_err parse_address(struct scraper *scraper, const char *address,
                                   struct vt_diag *diag)
{
    const char *colon = strrchr(address, ':');
    size_t host = colon != NULL ? (size_t)(colon - address) : 0;
    if (host == 0 || host >= sizeof scraper->host || strlen(colon + 1) >= sizeof scraper->port ||
        colon[1] == '\0') {
        vt_diag_set(diag, "http", "'%s' is not HOST:PORT", address);
        return VT_ERR(VT_INVALID, "not an address");
    }
    memcpy(scraper->host, address, host);
    memcpy(scraper->port, colon + 1, strlen(colon + 1));
    return vt_ok();
}

static void free_all(struct scraper *scraper)
{
    pthread_mutex_destroy(&scraper->mutex);
    pthread_cond_destroy(&scraper->changed);
    scrape_free(scraper->scrape);
    free(scraper->page);
    free(scraper);
}

static struct vt_err init(struct scraper *scraper, const char *address, struct vt_diag *diag)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&scraper->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&scraper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    scraper->began_ns = now_ns();
    scraper->scrape = scrape_new();
    scraper->page = malloc(SCRAPE_BYTES_MAX);
    VT_CHECK(scraper->scrape != NULL && scraper->page != NULL, VT_EXHAUSTED,
             "no memory for the server's metrics");
    VT_TRY(parse_address(scraper, address, diag));
    if (!look(scraper)) {
        vt_diag_set(diag, "http", "%s does not answer GET /metrics with metrics", address);
        return VT_ERR(VT_UNAVAILABLE, "no metrics there");
    }
    return vt_ok();
}

struct vt_err scraper_start(const char *address, int64_t interval_ms, struct vt_diag *diag,
                            struct scraper **ret_scraper)
{
    struct scraper *scraper = calloc(1, sizeof *scraper);
    VT_CHECK(scraper != NULL, VT_EXHAUSTED, "no memory for the server's metrics");
    scraper->interval_ns = interval_ms * NS_PER_MS;
    struct vt_err err = init(scraper, address, diag);
    if (!vt_failed(err) && pthread_create(&scraper->thread, NULL, run, scraper) != 0)
        err = VT_ERR(VT_EXHAUSTED, "cannot start a thread");
    if (vt_failed(err))
        free_all(scraper);
    else
        *ret_scraper = scraper;
    return err;
}

struct scrape *scraper_stop(struct scraper *scraper)
{
    if (scraper == NULL)
        return NULL;
    pthread_mutex_lock(&scraper->mutex);
    scraper->stopping = true;
    pthread_cond_signal(&scraper->changed);
    pthread_mutex_unlock(&scraper->mutex);
    pthread_join(scraper->thread, NULL);
    struct scrape *scrape = scraper->scrape;
    scraper->scrape = NULL;
    free_all(scraper);
    return scrape;
}
