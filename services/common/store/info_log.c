/*
 * Where RocksDB's own log goes. Its writer aborts the process when the disk is full, so it must not
 * share one with the data: the first place on another file system is taken, and when there is none
 * there is no log (what matters of it comes back as errors anyway). A place may be memory
 * (/dev/shm), and every opening writes 100 KiB of options, so the log of a store that was closed is
 * removed: it is of use after a crash.
 */
#include "services/common/store/store_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 200, PLACES = 3 };
static const char no_place[] = "/dev/null/no-log"; /* cannot be made */

static bool make_own_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return false;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

static bool shares_file_system(const char *path, const char *other)
{
    struct stat a, b;
    return stat(path, &a) != 0 || stat(other, &b) != 0 || a.st_dev == b.st_dev;
}

/* "/data/shop/live" → "data_shop_live", its end when it is long. */
static void name_of_store(const char *path, char ret_name[NAME_BYTES])
{
    size_t len = strlen(path), skip = len >= NAME_BYTES ? len - NAME_BYTES + 1 : 1;
    size_t n = 0;
    for (const char *c = path + (skip < len ? skip : 0); *c != '\0'; c++)
        ret_name[n++] = isalnum((unsigned char)*c) || *c == '-' ? *c : '_';
    ret_name[n] = '\0';
}

void vt__info_log_place(const struct vt_store_options *options, char ret_path[VT__STORE_PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char places[PLACES][VT__STORE_PATH_BYTES / 2] = {""}, name[NAME_BYTES];
    if (options->log_dir != NULL) {
        snprintf(ret_path, VT__STORE_PATH_BYTES, "%s", options->log_dir);
        return;
    }
    if (runtime != NULL && runtime[0] == '/')
        snprintf(places[0], sizeof places[0], "%s/vitrine", runtime);
    snprintf(places[1], sizeof places[1], "/tmp/vitrine-%ld", (long)geteuid());
    snprintf(places[2], sizeof places[2], "/dev/shm/vitrine-%ld", (long)geteuid());
    name_of_store(options->path, name);
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i][0] == '\0' || !make_own_folder(places[i]) ||
            shares_file_system(places[i], options->path))
            continue;
        snprintf(ret_path, VT__STORE_PATH_BYTES, "%s/%s", places[i], name);
        return;
    }
    memcpy(ret_path, no_place, sizeof no_place);
}

bool vt_store_find_log_dir(const char *path, char ret_path[VT_STORE_PATH_BYTES])
{
    _Static_assert((int)VT_STORE_PATH_BYTES == (int)VT__STORE_PATH_BYTES, "one length of paths");
    vt__info_log_place(&(struct vt_store_options){.path = path}, ret_path);
    return strcmp(ret_path, no_place) != 0;
}

void vt__info_log_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strstr(entry->d_name, "LOG") != NULL)
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}
