/*
 * The files of the moment, and the thread that notices new ones. libgrpc has a provider that
 * watches files itself; it takes whatever it finds, and while a file is broken or half of a pair is
 * new, every handshake fails (docs/adr/0050). So the files are judged here, and gRPC is handed what
 * passed: servers through a callback at each new connection, channels by being made anew
 * (client.c) when the generation has risen. Open connections go on as they began.
 *
 * Files are taken when two looks in a row saw the same change: one that is being written, or a
 * certificate whose key comes a moment later, is left alone until it rests. One mutex guards the
 * current files; it is held for copying texts, never for reading files.
 */
#include "services/common/rpc/tls.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "services/common/rpc/certified.h"
#include "services/common/rpc/internal.h"
#include "services/common/rpc/tls_files.h"
#include "services/common/rpc/tls_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { N_FILES = 3 };

/* What tells one state of the files from another without reading them. */
struct fingerprint {
    struct {
        dev_t device;
        ino_t inode;
        off_t size_bytes;
        struct timespec changed;
    } files[N_FILES];
};

struct vt_rpc_tls {
    struct vt_rpc_tls_options options; /* texts owned */
    pthread_mutex_t mutex;             /* of the files and `stopping` */
    pthread_cond_t stop;
    bool stopping, watching;
    struct vt__tls_files files;
    atomic_uint_fast64_t generation; /* release by take(), acquire by readers */
    struct fingerprint seen, judged; /* the watching thread's */
    pthread_t thread;
    struct vt_gauge *cert_until, *ca_until, *broken;
    struct vt_counter *taken, *refused;
};

/* ---- looking ---- */

static struct fingerprint look(const struct vt_rpc_tls_options *options)
{
    const char *const paths[N_FILES] = {options->cert, options->key, options->ca};
    struct fingerprint print;
    memset(&print, 0, sizeof print); /* compared as bytes */
    for (int i = 0; i < N_FILES; i++) {
        struct stat info;
        if (paths[i] == NULL || stat(paths[i], &info) != 0)
            continue;
        print.files[i].device = info.st_dev;
        print.files[i].inode = info.st_ino;
        print.files[i].size_bytes = info.st_size;
        print.files[i].changed = info.st_mtim;
    }
    return print;
}

static bool same(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void take(struct vt_rpc_tls *tls, struct vt__tls_files *files)
{
    pthread_mutex_lock(&tls->mutex);
    struct vt__tls_files old = tls->files;
    tls->files = *files;
    atomic_fetch_add_explicit(&tls->generation, 1, memory_order_release);
    pthread_mutex_unlock(&tls->mutex);
    if (files->cert != NULL)
        vt_gauge_set(tls->cert_until, (double)files->cert_until_s);
    vt_gauge_set(tls->ca_until, (double)files->ca_until_s);
    vt__tls_files_fini(&old);
}

/* The files have changed and rest: take them, or say why not. */
static void judge_again(struct vt_rpc_tls *tls)
{
    struct vt_diag diag = {0};
    struct vt__tls_files files;
    struct vt_err err = vt__tls_files_read(&tls->options, &diag, &files);
    vt_gauge_set(tls->broken, vt_failed(err) ? 1 : 0);
    if (vt_failed(err)) {
        vt_counter_add(tls->refused, 1);
        vt_log(VT_LOG_ERROR, "tls_files_refused", VT_F_STR("option", diag.field),
               VT_F_STR("text", diag.text),
               VT_F_STR("meanwhile", "the certificate in use stays in use"));
        return;
    }
    take(tls, &files); /* first: who reads of it below finds it served */
    vt_counter_add(tls->taken, 1);
    vt_log(VT_LOG_INFO, "tls_files_taken", VT_F_INT("certificate_until_s", files.cert_until_s),
           VT_F_INT("authority_until_s", files.ca_until_s));
}

static void look_once(struct vt_rpc_tls *tls)
{
    struct fingerprint now = look(&tls->options);
    bool rests = same(&now, &tls->seen);
    tls->seen = now;
    if (!rests || same(&now, &tls->judged))
        return;
    tls->judged = now;
    judge_again(tls);
}

/* True when it is time to stop. */
static bool wait_a_moment(struct vt_rpc_tls *tls)
{
    int64_t until_ns = vt__now_ns() + (int64_t)tls->options.poll_ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&tls->mutex);
    while (!tls->stopping)
        if (pthread_cond_timedwait(&tls->stop, &tls->mutex, &until) != 0)
            break;
    bool stopping = tls->stopping;
    pthread_mutex_unlock(&tls->mutex);
    return stopping;
}

static void *watch(void *arg)
{
    struct vt_rpc_tls *tls = arg;
    while (!wait_a_moment(tls))
        look_once(tls);
    return NULL;
}

/* ---- life ---- */

static void register_metrics(struct vt_rpc_tls *tls)
{
    static const char until[] = "vitrine_tls_not_after_seconds";
    static const char until_help[] =
        "Unix time when the certificate in use, or the first of its authorities, is out of date.";
    static const char reloads[] = "vitrine_tls_reloads_total";
    static const char reloads_help[] = "Changed TLS files, taken or refused.";
    struct vt_metrics *metrics = tls->options.metrics;
    tls->cert_until = vt_metrics_gauge(metrics, until, until_help, "file=\"cert\"");
    tls->ca_until = vt_metrics_gauge(metrics, until, until_help, "file=\"ca\"");
    tls->taken = vt_metrics_counter(metrics, reloads, reloads_help, "result=\"taken\"");
    tls->refused = vt_metrics_counter(metrics, reloads, reloads_help, "result=\"refused\"");
    tls->broken = vt_metrics_gauge(metrics, "vitrine_tls_files_broken",
                                   "1 while the TLS files on disk are not fit for use.", "");
}

static struct vt_err copy_texts(struct vt_rpc_tls_options *options)
{
    const char **const texts[N_FILES] = {&options->cert, &options->key, &options->ca};
    bool copied = true;
    for (int i = 0; i < N_FILES; i++) {
        if (*texts[i] == NULL)
            continue;
        *texts[i] = strdup(*texts[i]);
        copied = copied && *texts[i] != NULL;
    }
    VT_CHECK(copied, VT_EXHAUSTED, "no memory for TLS");
    return vt_ok();
}

static void init(struct vt_rpc_tls *tls, const struct vt_rpc_tls_options *options)
{
    tls->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&tls->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&tls->mutex, NULL);
}

static struct vt_err start(struct vt_rpc_tls *tls, struct vt_diag *diag)
{
    struct vt__tls_files files;
    VT_TRY(copy_texts(&tls->options));
    register_metrics(tls);
    tls->seen = tls->judged = look(&tls->options);
    VT_TRY(vt__tls_files_read(&tls->options, diag, &files));
    take(tls, &files);
    if (tls->options.poll_ms == 0)
        return vt_ok();
    VT_CHECK(pthread_create(&tls->thread, NULL, watch, tls) == 0, VT_EXHAUSTED,
             "no thread to watch the TLS files");
    tls->watching = true;
    return vt_ok();
}

struct vt_err vt_rpc_tls_new(const struct vt_rpc_tls_options *options, struct vt_diag *diag,
                             struct vt_rpc_tls **ret_tls)
{
    struct vt_rpc_tls *tls = calloc(1, sizeof *tls);
    VT_CHECK(tls != NULL, VT_EXHAUSTED, "no memory for TLS");
    init(tls, options);
    struct vt_err err = start(tls, diag);
    if (vt_failed(err))
        vt_rpc_tls_free(tls);
    else
        *ret_tls = tls;
    return err;
}

struct vt_err vt_rpc_tls_from_flags(const struct vt_rpc_tls_flags *flags, struct vt_diag *diag,
                                    struct vt_rpc_tls **ret_tls)
{
    const struct vt_rpc_tls_options options = {
        .cert = flags->cert, .key = flags->key, .ca = flags->ca};
    *ret_tls = NULL;
    if (flags->cert != NULL || flags->key != NULL || flags->ca != NULL)
        return vt_rpc_tls_new(&options, diag, ret_tls);
    if (flags->server_name == NULL)
        return vt_ok();
    vt_diag_set(diag, "tls-server-name", "has no meaning without --tls-ca");
    return VT_ERR(VT_INVALID, "half a TLS configuration");
}

static void stop_watching(struct vt_rpc_tls *tls)
{
    if (!tls->watching)
        return;
    pthread_mutex_lock(&tls->mutex);
    tls->stopping = true;
    pthread_cond_signal(&tls->stop);
    pthread_mutex_unlock(&tls->mutex);
    pthread_join(tls->thread, NULL);
}

void vt_rpc_tls_free(struct vt_rpc_tls *tls)
{
    if (tls == NULL)
        return;
    stop_watching(tls);
    vt__tls_files_fini(&tls->files);
    pthread_cond_destroy(&tls->stop);
    pthread_mutex_destroy(&tls->mutex);
    free((void *)(uintptr_t)tls->options.cert);
    free((void *)(uintptr_t)tls->options.key);
    free((void *)(uintptr_t)tls->options.ca);
    free(tls);
}

uint64_t vt_rpc_tls_generation(const struct vt_rpc_tls *tls)
{
    return atomic_load_explicit(&tls->generation, memory_order_acquire);
}

int64_t vt_rpc_tls_valid_until_s(struct vt_rpc_tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    int64_t cert_s = tls->files.cert_until_s, ca_s = tls->files.ca_until_s;
    pthread_mutex_unlock(&tls->mutex);
    return cert_s < ca_s ? cert_s : ca_s;
}

/* ---- gRPC's credentials ---- */

static grpc_ssl_pem_key_cert_pair pair_of(const struct vt__tls_files *files)
{
    return (grpc_ssl_pem_key_cert_pair){.private_key = files->key, .cert_chain = files->cert};
}

/* gRPC asks before each handshake, on a thread of its own. */
static grpc_ssl_certificate_config_reload_status
fetch(void *ctx, grpc_ssl_server_certificate_config **ret_config)
{
    struct vt__tls_port *port = ctx;
    struct vt_rpc_tls *tls = port->tls;
    if (vt_rpc_tls_generation(tls) == atomic_load_explicit(&port->generation, memory_order_relaxed))
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    pthread_mutex_lock(&tls->mutex);
    grpc_ssl_pem_key_cert_pair pair = pair_of(&tls->files);
    *ret_config = grpc_ssl_server_certificate_config_create(tls->files.ca, &pair, 1);
    atomic_store_explicit(&port->generation, vt_rpc_tls_generation(tls), memory_order_relaxed);
    pthread_mutex_unlock(&tls->mutex);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

grpc_server_credentials *vt__tls_server_credentials(struct vt__tls_port *port,
                                                    struct vt_rpc_tls *tls)
{
    port->tls = tls;
    vt__certified_init();
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch, port));
}

grpc_channel_credentials *vt__tls_channel_credentials(struct vt_rpc_tls *tls,
                                                      uint64_t *ret_generation)
{
    pthread_mutex_lock(&tls->mutex);
    grpc_ssl_pem_key_cert_pair pair = pair_of(&tls->files);
    grpc_channel_credentials *credentials = grpc_ssl_credentials_create_ex(
        tls->files.ca, pair.cert_chain != NULL ? &pair : NULL, NULL, NULL);
    *ret_generation = vt_rpc_tls_generation(tls);
    pthread_mutex_unlock(&tls->mutex);
    return credentials;
}

void vt__tls_own_name(struct vt_rpc_tls *tls, char *ret_name, size_t size_bytes)
{
    pthread_mutex_lock(&tls->mutex);
    snprintf(ret_name, size_bytes, "%s", tls->files.name);
    pthread_mutex_unlock(&tls->mutex);
}

bool vt__tls_is_over(struct vt_rpc_tls *tls)
{
    int64_t now_s = vt_clock_unix_ms(vt_clock_system()) / 1000;
    pthread_mutex_lock(&tls->mutex);
    bool over = now_s > tls->files.cert_until_s || now_s > tls->files.ca_until_s;
    pthread_mutex_unlock(&tls->mutex);
    return over;
}
