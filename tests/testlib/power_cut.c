/*
 * What a power cut leaves behind, without cutting the power: libc's calls that change files are
 * taken over, each is done at once and noted with what would undo it, and fsync forgets the notes.
 * At the cut the remaining notes are undone.
 *
 * The model is as strict as POSIX lets a file system be, except that writes of one file keep their
 * order:
 *   - Of a file's writes since its last fsync or fdatasync the first few survive, and of the next
 *     one perhaps a part: its beginning, or any of its pages. (sync_file_range promises nothing, so
 *     it is not noted.)
 *   - Of a folder's entries made, renamed or removed since that folder's own last fsync the first
 *     few survive. Syncing a file does not save its name.
 * How many is drawn from the seed, for each file and folder anew.
 *
 * It works on the system calls directly, so nothing here is taken over twice. One lock serialises
 * all calls that are noted; at the cut it is never given back, so no thread gets further.
 */
#include "tests/testlib/power_cut.h"

#include "tests/testlib/power_cut_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The file behind a descriptor that is noted, with the lock held; NULL: not noted, no lock. */
static struct file *enter_fd(int fd)
{
    if (!vt__cut.armed || fd < 0 || fd >= FDS_MAX)
        return NULL;
    pthread_mutex_lock(&vt__cut.lock);
    if (vt__cut.of_fd[fd] != NULL) {
        vt__cut_count_call();
        return vt__cut.of_fd[fd];
    }
    pthread_mutex_unlock(&vt__cut.lock);
    return NULL;
}

static bool enter_path(const char *path)
{
    if (!vt__cut_is_below(path))
        return false;
    pthread_mutex_lock(&vt__cut.lock);
    vt__cut_count_call();
    return true;
}

static void leave(void)
{
    int sys = errno;
    pthread_mutex_unlock(&vt__cut.lock);
    errno = sys;
}

/* ---- the calls that are taken over ---- */

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    bool writes = (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY;
    if (!writes || !enter_path(path))
        return vt__cut_sys_open(path, flags, mode);
    bool is_new = access(path, F_OK) != 0;
    int fd = vt__cut_sys_open(path, flags & ~O_TRUNC, mode);
    if (fd >= 0) {
        vt__cut_follow(fd);
        if (is_new)
            vt__cut_note_entry(ENTRY_MADE, path);
        if ((flags & O_TRUNC) != 0 && vt__cut.of_fd[fd] != NULL &&
            vt__cut_size_of(vt__cut.of_fd[fd]) != 0) {
            vt__cut_note_change(vt__cut.of_fd[fd], 0, (size_t)vt__cut_size_of(vt__cut.of_fd[fd]),
                                0);
            syscall(SYS_ftruncate, fd, 0);
        }
    }
    leave();
    return fd;
}

int mkostemp(char *template, int flags)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    char *end = template + strlen(template) - 6;
    int fd = -1;
    for (unsigned trial = 0; trial < 1000 && fd < 0; trial++) {
        for (unsigned i = 0; i < 6; i++)
            end[i] = letters[(trial * 31 + (unsigned)getpid() * 7 + i * i * trial) % 26];
        fd = open(template, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
    }
    return fd;
}

int close(int fd)
{
    bool known = vt__cut.armed && fd >= 0 && fd < FDS_MAX;
    if (known) {
        pthread_mutex_lock(&vt__cut.lock);
        vt__cut.of_fd[fd] = NULL;
    }
    int result = (int)syscall(SYS_close, fd);
    if (known)
        leave();
    return result;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    struct file *file = enter_fd(fd);
    if (file == NULL)
        return syscall(SYS_write, fd, bytes, n);
    bool appends = (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) != 0;
    vt__cut_note_change(file, appends ? vt__cut_size_of(file) : lseek(fd, 0, SEEK_CUR), n, n);
    ssize_t written = syscall(SYS_write, fd, bytes, n);
    leave();
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct file *file = enter_fd(fd);
    if (file == NULL)
        return syscall(SYS_pwrite64, fd, bytes, n, offset);
    vt__cut_note_change(file, offset, n, n);
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, n, offset);
    leave();
    return written;
}

int ftruncate(int fd, off_t size)
{
    struct file *file = enter_fd(fd);
    if (file == NULL)
        return (int)syscall(SYS_ftruncate, fd, size);
    off_t old = vt__cut_size_of(file);
    vt__cut_note_change(file, size < old ? size : old, size < old ? (size_t)(old - size) : 0, 0);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    leave();
    return result;
}

static int sync_fd(int fd, long call)
{
    struct file *file = enter_fd(fd);
    struct stat info;
    if (file != NULL) {
        vt__cut_forget_changes(file);
        leave();
        return 0; /* nobody cuts the machine's own power: the wait is saved */
    }
    if (vt__cut.armed && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        pthread_mutex_lock(&vt__cut.lock);
        vt__cut_count_call();
        vt__cut_make_entries_durable(fd);
        leave();
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_fd(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_fd(fd, SYS_fdatasync);
}

int rename(const char *from, const char *to)
{
    if (!enter_path(from))
        return vt__cut_sys_rename(from, to);
    struct entry *entry = vt__cut_note_entry(ENTRY_RENAMED, from);
    snprintf(entry->to, sizeof entry->to, "%s", to);
    vt__cut_bury(entry, to);
    int result = vt__cut_sys_rename(from, to);
    leave();
    return result;
}

int unlink(const char *path)
{
    if (!enter_path(path))
        return vt__cut_sys_unlink(path, 0);
    int result = access(path, F_OK);
    if (result == 0)
        vt__cut_bury(vt__cut_note_entry(ENTRY_REMOVED, path), path);
    leave();
    return result;
}

int remove(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return vt__cut_sys_unlink(path, AT_REMOVEDIR);
    return unlink(path);
}

int link(const char *from, const char *to)
{
    if (!enter_path(to))
        return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    int result = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0)
        vt__cut_note_entry(ENTRY_MADE, to);
    leave();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    if (!enter_path(path))
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0)
        vt__cut_note_entry(ENTRY_FOLDER_MADE, path);
    leave();
    return result;
}

/* ---- beginning ---- */

void vt_power_cut_arm(const char *folder, uint64_t at, uint64_t seed)
{
    char graves[PATH_BYTES];
    vt__cut.folder_len = strlen(folder);
    if (vt__cut.folder_len + sizeof ".buried/4294967295" > sizeof vt__cut.folder)
        vt__cut_give_up("the path is too long");
    memcpy(vt__cut.folder, folder, vt__cut.folder_len + 1);
    snprintf(graves, sizeof graves, "%s.buried", folder);
    if (mkdir(graves, 0700) != 0 && errno != EEXIST)
        vt__cut_give_up("cannot make a place for removed files");
    vt__cut.entries = calloc(ENTRIES_MAX, sizeof *vt__cut.entries);
    if (vt__cut.entries == NULL)
        vt__cut_give_up("no memory");
    vt__cut.at = at;
    vt__cut.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    vt__cut.armed = true;
}

__attribute__((constructor)) static void arm_from_environment(void)
{
    const char *text = getenv("VITRINE_POWER_CUT");
    unsigned long long at = 0, seed = 0;
    int end = 0;
    if (text != NULL && sscanf(text, "%llu:%llu:%n", &at, &seed, &end) == 2 && end != 0)
        vt_power_cut_arm(text + end, at, seed);
}
