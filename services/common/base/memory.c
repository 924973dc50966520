/*
 * How much memory is left. /proc/meminfo speaks of the machine; a container's limit stands in its
 * control group or in one above it, so every level up to the root is read and the nearest limit
 * counts. Inside a container the path of /proc/self/cgroup may not exist below the mount: the
 * mount's own files are the container's then, and the walk ends there anyway.
 */
#include "services/common/base/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LINE_BYTES = 512, LEVELS_MAX = 32 };

/* The number behind `name` in a file of "name number" lines, or the first number when `name` is "".
 * "max" and what is not there: false. */
static bool read_number(const char *path, const char *name, uint64_t *ret_number)
{
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    bool found = false;
    size_t len = strlen(name);
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *end, *at = line + len;
        if (strncmp(line, name, len) != 0 || (len > 0 && *at != ' ' && *at != ':'))
            continue;
        at += strspn(at, ": \t");
        unsigned long long number = strtoull(at, &end, 10);
        found = end != at;
        if (found)
            *ret_number = number;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Where one version of control groups keeps its numbers. */
struct group_files {
    const char *line; /* of /proc/self/cgroup begins with, or contains */
    const char *mount, *limit, *usage, *inactive;
};
static const struct group_files versions[] = {
    {"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file"},
};

/* What one group leaves; UINT64_MAX: it has no limit, or is not there. */
static uint64_t left_in_group(const struct group_files *files, const char *folder)
{
    char path[PATH_MAX];
    uint64_t limit, usage, inactive = 0;
    snprintf(path, sizeof path, "%s/%s", folder, files->limit);
    if (!read_number(path, "", &limit))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s", folder, files->usage);
    if (!read_number(path, "", &usage))
        return limit;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (!read_number(path, files->inactive, &inactive))
        inactive = 0;
    return minus(limit, minus(usage, inactive));
}

/* The path of this process's group, "" when it has none. */
static void find_group(const struct group_files *files, const char *root, char *ret_group)
{
    char path[PATH_MAX], line[LINE_BYTES];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    ret_group[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, files->line);
        if (at == NULL)
            continue;
        at += strlen(files->line);
        snprintf(ret_group, LINE_BYTES, "%.*s", (int)strcspn(at, "\n"), at);
        break;
    }
    if (file != NULL)
        fclose(file);
}

static uint64_t left_in_groups(const struct group_files *files, const char *root)
{
    char group[LINE_BYTES], folder[PATH_MAX];
    uint64_t least = UINT64_MAX;
    find_group(files, root, group);
    for (int level = 0; level < LEVELS_MAX; level++) {
        snprintf(folder, sizeof folder, "%s%s%s", root, files->mount, group);
        uint64_t left = left_in_group(files, folder);
        least = left < least ? left : least;
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
    }
    return least;
}

uint64_t vt_memory_available_below(const char *root)
{
    char path[PATH_MAX];
    uint64_t least = UINT64_MAX, kib;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemAvailable", &kib))
        least = kib * 1024;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        uint64_t left = left_in_groups(&versions[i], root);
        least = left < least ? left : least;
    }
    return least;
}

uint64_t vt_memory_available_bytes(void)
{
    uint64_t least = vt_memory_available_below(""), used_kib = 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return least;
    if (!read_number("/proc/self/status", "VmSize", &used_kib))
        used_kib = 0;
    uint64_t left = minus((uint64_t)limit.rlim_cur, used_kib * 1024);
    return left < least ? left : least;
}
