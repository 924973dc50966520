/*
 * The machine, as far as it decides whether Vitrine is right and fast on it. Thresholds stand where
 * they are used, with where they come from.
 */
#include "models/kernels/kernels.h"
#include "services/common/base/clock.h"
#include "services/node/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    FILES_LEAST = 2048, /* 512 tables, a model's files, and some connections */
    FILES_GOOD = 16384, /* a connection a descriptor, and running out kills the listener */
    YEAR_LEAST = 2024,  /* of this program: an earlier clock is not set */
    YEAR_MOST = 2100,
    TLS_WARN_DAYS = 30,
    S_PER_DAY = 24 * 3600,
};
static const uint64_t MEMORY_LEAST_KIB = 512 * 1024; /* caches, memtables and a small catalog */

/* ---- numbers ---- */

static void check_blas(const struct vt_doctor *doctor)
{
    struct vt_diag diag = {0};
    struct vt_err err = vt_kernels_check(&diag);
    if (vt_failed(err))
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "blas",
                      "apt-get install libopenblas0-pthread, and remove libopenblas0-serial", "%s",
                      diag.text[0] != '\0' ? diag.text : err.what);
    else
        vt_doctor_say(doctor, VT_DOCTOR_OK, "blas", "", "OpenBLAS with threads, core type %s",
                      vt_kernels_blas_core());
}

static void check_cpu(const struct vt_doctor *doctor)
{
    const char *kernels = vt_kernels()->name;
    bool plain = strcmp(kernels, "ref") == 0;
    vt_doctor_say(doctor, plain ? VT_DOCTOR_WARN : VT_DOCTOR_OK, "cpu",
                  plain ? "a CPU (or a virtual machine) with AVX2 answers several times faster"
                        : "",
                  "kernels: %s", kernels);
}

/* ---- limits and memory ---- */

static void check_files(const struct vt_doctor *doctor)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    enum vt_doctor_level level = limit.rlim_cur < FILES_LEAST  ? VT_DOCTOR_BAD
                                 : limit.rlim_cur < FILES_GOOD ? VT_DOCTOR_WARN
                                                               : VT_DOCTOR_OK;
    vt_doctor_say(doctor, level, "file-descriptors",
                  level != VT_DOCTOR_OK ? "ulimit -n 20000, or LimitNOFILE=20000 in the unit" : "",
                  "%" PRIu64 " may be open at a time", (uint64_t)limit.rlim_cur);
}

static bool read_number(const char *path, const char *key, uint64_t *ret_number)
{
    char line[128];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(key);
        found = strncmp(line, key, len) == 0 && sscanf(line + len, "%" SCNu64, ret_number) == 1;
    }
    fclose(file);
    return found;
}

static void check_memory(const struct vt_doctor *doctor)
{
    uint64_t available_kib = 0, overcommit = 0;
    if (read_number("/proc/meminfo", "MemAvailable:", &available_kib))
        vt_doctor_say(doctor, available_kib < MEMORY_LEAST_KIB ? VT_DOCTOR_WARN : VT_DOCTOR_OK,
                      "memory",
                      available_kib < MEMORY_LEAST_KIB
                          ? "free some, or lower the limits of what else runs here"
                          : "",
                      "%" PRIu64 " MiB available", available_kib / 1024);
    /* 2: memory is promised only when it is there. A model that is mapped and an allocator that
     * reserves then fail, though most of it is never used. */
    if (read_number("/proc/sys/vm/overcommit_memory", "", &overcommit) && overcommit == 2)
        vt_doctor_say(doctor, VT_DOCTOR_WARN, "overcommit", "sysctl vm.overcommit_memory=0",
                      "vm.overcommit_memory is 2: allocations fail early");
}

/* ---- clocks ---- */

static void check_clock(const struct vt_doctor *doctor)
{
    time_t now = (time_t)(vt_clock_unix_ms(vt_clock_system()) / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int year = utc.tm_year + 1900;
    bool sane = year >= YEAR_LEAST && year <= YEAR_MOST;
    vt_doctor_say(doctor, sane ? VT_DOCTOR_OK : VT_DOCTOR_BAD, "clock",
                  sane ? "" : "set the clock (chrony, systemd-timesyncd) before any event is taken",
                  "it is %s", text);
}

/* ---- certificates ---- */

static void check_tls(const struct vt_doctor *doctor)
{
    const struct vt_rpc_tls_options options = {.cert = doctor->tls.cert,
                                               .key = doctor->tls.key,
                                               .ca = doctor->tls.ca,
                                               .serves = doctor->tls.cert != NULL};
    struct vt_diag diag = {0};
    struct vt_rpc_tls *tls = NULL;
    if (options.cert == NULL && options.ca == NULL)
        return;
    struct vt_err err = vt_rpc_tls_new(&options, &diag, &tls);
    if (vt_failed(err)) {
        vt_doctor_say(doctor, VT_DOCTOR_BAD, "certificates", "mend or renew the file that is named",
                      "%s: %s", diag.field, diag.text[0] != '\0' ? diag.text : err.what);
        return;
    }
    int64_t days =
        (vt_rpc_tls_valid_until_s(tls) - vt_clock_unix_ms(vt_clock_system()) / 1000) / S_PER_DAY;
    vt_doctor_say(doctor, days < TLS_WARN_DAYS ? VT_DOCTOR_WARN : VT_DOCTOR_OK, "certificates",
                  days < TLS_WARN_DAYS ? "renew them: a running server reads them again" : "",
                  "good for %" PRId64 " days more", days);
    vt_rpc_tls_free(tls);
}

void vt_doctor_check_machine(const struct vt_doctor *doctor)
{
    check_blas(doctor);
    check_cpu(doctor);
    check_files(doctor);
    check_memory(doctor);
    check_clock(doctor);
    check_tls(doctor);
}
