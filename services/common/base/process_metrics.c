/*
 * The process_* families. They are read when somebody asks, so they need no registry, no thread and
 * no state; numbers come from /proc/self/stat, whose second field is a name in brackets that may
 * hold spaces and brackets itself.
 */
#include "services/common/base/process_metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STAT_BYTES = 1024 };

static void put(FILE *out, const char *name, const char *type, const char *help, double value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

/* Fields of /proc/self/stat from the third on, as proc(5) numbers them. */
struct stat_fields {
    unsigned long long user_ticks, system_ticks, start_ticks, virtual_bytes;
    long resident_pages;
};

static bool read_stat(struct stat_fields *ret_fields)
{
    char text[STAT_BYTES];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return false;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    const char *rest = strrchr(text, ')');
    return rest != NULL &&
           sscanf(rest + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
                  "%llu %llu %ld",
                  &ret_fields->user_ticks, &ret_fields->system_ticks, &ret_fields->start_ticks,
                  &ret_fields->virtual_bytes, &ret_fields->resident_pages) == 5;
}

static void put_stat(FILE *out)
{
    struct stat_fields fields;
    struct timespec now, since_boot;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    if (!read_stat(&fields) || ticks <= 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    double boot =
        (double)(now.tv_sec - since_boot.tv_sec) + (double)(now.tv_nsec - since_boot.tv_nsec) / 1e9;
    put(out, "process_cpu_seconds_total", "counter", "Processor time used, user and system.",
        (double)(fields.user_ticks + fields.system_ticks) / ticks);
    put(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
        (double)fields.resident_pages * (double)sysconf(_SC_PAGESIZE));
    put(out, "process_virtual_memory_bytes", "gauge", "Address space in use.",
        (double)fields.virtual_bytes);
    put(out, "process_start_time_seconds", "gauge", "When the process started, seconds since 1970.",
        boot + (double)fields.start_ticks / ticks);
}

static void put_descriptors(FILE *out)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    unsigned open_files = 0;
    if (folder != NULL) {
        while (readdir(folder) != NULL)
            open_files++;
        closedir(folder);
        /* Without ".", ".." and the folder itself. */
        put(out, "process_open_fds", "gauge", "File descriptors in use.",
            open_files > 3 ? open_files - 3.0 : 0);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        put(out, "process_max_fds", "gauge", "File descriptors that there may be.",
            (double)limit.rlim_cur);
}

void vt_process_metrics_render(FILE *out)
{
    put_stat(out);
    put_descriptors(out);
    fprintf(out,
            "# HELP vitrine_build_info The program that runs.\n# TYPE vitrine_build_info gauge\n"
            "vitrine_build_info{version=\"%s\"} 1\n",
            VT_VERSION);
}
