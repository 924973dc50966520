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

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS_MAX = 4096, FILES_MAX = 4096, ENTRIES_MAX = 65536, PATH_BYTES = 1024, PAGE = 4096 };

/* What one write or truncation destroyed. */
struct change {
    off_t offset, old_size;
    size_t old_len, new_len;
    unsigned char *old; /* owned */
};

struct file {
    dev_t device;
    ino_t inode;
    int fd; /* our own, for reading and undoing */
    struct change *changes;
    size_t n_changes, capacity;
};

enum entry_kind { ENTRY_MADE, ENTRY_FOLDER_MADE, ENTRY_RENAMED, ENTRY_REMOVED };
struct entry {
    enum entry_kind kind;
    bool durable, kept;
    char path[PATH_BYTES];
    char to[PATH_BYTES];     /* RENAMED */
    char buried[PATH_BYTES]; /* what was removed or replaced; empty: nothing */
};

static struct {
    pthread_mutex_t lock;
    bool armed;
    char folder[PATH_BYTES];
    size_t folder_len;
    uint64_t at, n_calls, random;
    unsigned n_buried;
    struct file *of_fd[FDS_MAX];
    struct file files[FILES_MAX];
    size_t n_files;
    struct entry *entries;
    size_t n_entries;
} cut = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Noreturn static void give_up(const char *why)
{
    fprintf(stderr, "power_cut: %s: %s\n", why, strerror(errno));
    _exit(97);
}

/* 0 to n. */
static uint64_t draw(uint64_t n)
{
    cut.random ^= cut.random << 13;
    cut.random ^= cut.random >> 7;
    cut.random ^= cut.random << 17;
    return (cut.random * UINT64_C(2685821657736338717) >> 16) % (n + 1);
}

static int sys_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int sys_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int sys_unlink(const char *path, int flags)
{
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
}

/* ---- the cut ---- */

static void undo_change(const struct file *file, const struct change *change, uint64_t torn)
{
    bool appended = change->offset >= change->old_size;
    if (change->old_len != 0 &&
        syscall(SYS_pwrite64, file->fd, change->old, change->old_len, change->offset) < 0)
        give_up("cannot undo a write");
    off_t size = appended && torn != 0 ? change->offset + (off_t)torn : change->old_size;
    if (syscall(SYS_ftruncate, file->fd, size) != 0)
        give_up("cannot undo an append");
}

/* The first write that is lost was long: its pages went to disk in any order, and some did not. */
static void tear_pages(const struct file *file, const struct change *change)
{
    static const unsigned char zeros[PAGE];
    size_t first = PAGE - (size_t)change->offset % PAGE;
    for (size_t at = first; at + PAGE <= change->new_len; at += PAGE)
        if (draw(1) != 0 &&
            syscall(SYS_pwrite64, file->fd, zeros, PAGE, change->offset + (off_t)at) < 0)
            give_up("cannot tear a write");
}

static void undo_file(struct file *file)
{
    size_t kept = draw(file->n_changes);
    while (file->n_changes > kept) {
        const struct change *change = &file->changes[--file->n_changes];
        bool first_lost = file->n_changes == kept;
        bool appended = change->offset >= change->old_size;
        if (first_lost && appended && change->new_len > 2 * PAGE && draw(1) != 0) {
            tear_pages(file, change);
            return;
        }
        undo_change(file, change, first_lost && draw(1) != 0 ? draw(change->new_len) : 0);
    }
}

/* With all that is in it: nothing leads there any more. */
static void bury_folder(const char *path)
{
    char grave[PATH_BYTES];
    snprintf(grave, sizeof grave, "%s.buried/%u", cut.folder, cut.n_buried++);
    if (sys_rename(path, grave) != 0)
        give_up("cannot undo a folder");
}

static void undo_entry(const struct entry *entry)
{
    if (entry->kind == ENTRY_MADE)
        sys_unlink(entry->path, 0);
    else if (entry->kind == ENTRY_FOLDER_MADE)
        bury_folder(entry->path);
    else if (entry->kind == ENTRY_RENAMED)
        sys_rename(entry->to, entry->path);
    if (entry->buried[0] != '\0')
        sys_rename(entry->buried, entry->kind == ENTRY_RENAMED ? entry->to : entry->path);
}

static size_t folder_len_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

static bool same_folder(const struct entry *a, const struct entry *b)
{
    size_t len = folder_len_of(a->path);
    return len == folder_len_of(b->path) && memcmp(a->path, b->path, len) == 0;
}

/* Draws how many of a folder's entries survive, when its first one is met. */
static void draw_kept(size_t first)
{
    uint64_t n = 0, kept;
    for (size_t i = first; i < cut.n_entries; i++)
        n += !cut.entries[i].durable && same_folder(&cut.entries[first], &cut.entries[i]);
    kept = draw(n);
    for (size_t i = first; i < cut.n_entries && kept != 0; i++) {
        if (cut.entries[i].durable || !same_folder(&cut.entries[first], &cut.entries[i]))
            continue;
        cut.entries[i].kept = true;
        kept--;
    }
}

static bool is_first_of_folder(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!cut.entries[i].durable && same_folder(&cut.entries[i], &cut.entries[index]))
            return false;
    return !cut.entries[index].durable;
}

static void undo_entries(void)
{
    for (size_t i = 0; i < cut.n_entries; i++)
        if (is_first_of_folder(i))
            draw_kept(i);
    for (size_t i = cut.n_entries; i-- > 0;) {
        struct entry *entry = &cut.entries[i];
        if (!entry->durable && !entry->kept)
            undo_entry(entry);
        else if (entry->buried[0] != '\0')
            sys_unlink(entry->buried, 0);
    }
}

_Noreturn static void cut_power(void)
{
    for (size_t i = 0; i < cut.n_files; i++)
        undo_file(&cut.files[i]);
    undo_entries();
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* ---- noting ---- */

static void count_call(void)
{
    if (++cut.n_calls == cut.at)
        cut_power();
}

static bool is_below(const char *path)
{
    return cut.armed && strncmp(path, cut.folder, cut.folder_len) == 0 &&
           path[cut.folder_len] == '/';
}

static struct file *find_file(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    for (size_t i = 0; i < cut.n_files; i++)
        if (cut.files[i].inode == info.st_ino && cut.files[i].device == info.st_dev)
            return &cut.files[i];
    return NULL;
}

/* Our own descriptor keeps the inode's number from being given to another file. */
static struct file *add_file(int fd)
{
    char link[64];
    struct stat info;
    struct file *file = &cut.files[cut.n_files];
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    if (cut.n_files == FILES_MAX)
        give_up("too many files");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    *file = (struct file){.device = info.st_dev, .inode = info.st_ino};
    file->fd = sys_open(link, O_RDWR | O_CLOEXEC, 0);
    if (file->fd < 0)
        give_up("cannot follow a file");
    cut.n_files++;
    return file;
}

static void follow(int fd)
{
    if (fd < 0 || fd >= FDS_MAX)
        return;
    struct file *file = find_file(fd);
    cut.of_fd[fd] = file != NULL ? file : add_file(fd);
}

static off_t size_of(const struct file *file)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        give_up("cannot ask for a size");
    return info.st_size;
}

/* Keeps what stands in [offset, offset + len) before it is overwritten or cut off. */
static void note_change(struct file *file, off_t offset, size_t old_len, size_t new_len)
{
    if (file->n_changes == file->capacity) {
        file->capacity = file->capacity != 0 ? 2 * file->capacity : 16;
        file->changes = realloc(file->changes, file->capacity * sizeof *file->changes);
    }
    off_t size = size_of(file);
    size_t there = offset < size ? (size_t)(size - offset) : 0;
    struct change change = {.offset = offset,
                            .old_size = size,
                            .old_len = old_len < there ? old_len : there,
                            .new_len = new_len};
    change.old = malloc(change.old_len + 1);
    if (file->changes == NULL || change.old == NULL)
        give_up("no memory");
    if (change.old_len != 0 &&
        syscall(SYS_pread64, file->fd, change.old, change.old_len, offset) < 0)
        give_up("cannot read what is overwritten");
    file->changes[file->n_changes++] = change;
}

static void forget_changes(struct file *file)
{
    for (size_t i = 0; i < file->n_changes; i++)
        free(file->changes[i].old);
    file->n_changes = 0;
}

static struct entry *note_entry(enum entry_kind kind, const char *path)
{
    if (cut.n_entries == ENTRIES_MAX)
        give_up("too many entries");
    struct entry *entry = &cut.entries[cut.n_entries++];
    *entry = (struct entry){.kind = kind};
    snprintf(entry->path, sizeof entry->path, "%s", path);
    return entry;
}

/* Instead of removing: moves aside, so that it can come back. */
static void bury(struct entry *entry, const char *path)
{
    snprintf(entry->buried, sizeof entry->buried, "%s.buried/%u", cut.folder, cut.n_buried++);
    if (sys_rename(path, entry->buried) != 0)
        entry->buried[0] = '\0';
}

static void make_entries_durable(int fd)
{
    char link[64], path[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    for (size_t i = 0; len > 0 && i < cut.n_entries; i++) {
        struct entry *entry = &cut.entries[i];
        if (entry->durable || folder_len_of(entry->path) != (size_t)len ||
            memcmp(entry->path, path, (size_t)len) != 0)
            continue;
        entry->durable = true;
        if (entry->buried[0] != '\0')
            sys_unlink(entry->buried, 0);
        entry->buried[0] = '\0';
    }
}

/* The file behind a descriptor that is noted, with the lock held; NULL: not noted, no lock. */
static struct file *enter_fd(int fd)
{
    if (!cut.armed || fd < 0 || fd >= FDS_MAX)
        return NULL;
    pthread_mutex_lock(&cut.lock);
    if (cut.of_fd[fd] != NULL) {
        count_call();
        return cut.of_fd[fd];
    }
    pthread_mutex_unlock(&cut.lock);
    return NULL;
}

static bool enter_path(const char *path)
{
    if (!is_below(path))
        return false;
    pthread_mutex_lock(&cut.lock);
    count_call();
    return true;
}

static void leave(void)
{
    int sys = errno;
    pthread_mutex_unlock(&cut.lock);
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
        return sys_open(path, flags, mode);
    bool is_new = access(path, F_OK) != 0;
    int fd = sys_open(path, flags & ~O_TRUNC, mode);
    if (fd >= 0) {
        follow(fd);
        if (is_new)
            note_entry(ENTRY_MADE, path);
        if ((flags & O_TRUNC) != 0 && cut.of_fd[fd] != NULL && size_of(cut.of_fd[fd]) != 0) {
            note_change(cut.of_fd[fd], 0, (size_t)size_of(cut.of_fd[fd]), 0);
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
    bool known = cut.armed && fd >= 0 && fd < FDS_MAX;
    if (known) {
        pthread_mutex_lock(&cut.lock);
        cut.of_fd[fd] = NULL;
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
    note_change(file, appends ? size_of(file) : lseek(fd, 0, SEEK_CUR), n, n);
    ssize_t written = syscall(SYS_write, fd, bytes, n);
    leave();
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct file *file = enter_fd(fd);
    if (file == NULL)
        return syscall(SYS_pwrite64, fd, bytes, n, offset);
    note_change(file, offset, n, n);
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, n, offset);
    leave();
    return written;
}

int ftruncate(int fd, off_t size)
{
    struct file *file = enter_fd(fd);
    if (file == NULL)
        return (int)syscall(SYS_ftruncate, fd, size);
    off_t old = size_of(file);
    note_change(file, size < old ? size : old, size < old ? (size_t)(old - size) : 0, 0);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    leave();
    return result;
}

static int sync_fd(int fd, long call)
{
    struct file *file = enter_fd(fd);
    struct stat info;
    if (file != NULL) {
        forget_changes(file);
        leave();
        return 0; /* nobody cuts the machine's own power: the wait is saved */
    }
    if (cut.armed && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        pthread_mutex_lock(&cut.lock);
        count_call();
        make_entries_durable(fd);
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
        return sys_rename(from, to);
    struct entry *entry = note_entry(ENTRY_RENAMED, from);
    snprintf(entry->to, sizeof entry->to, "%s", to);
    bury(entry, to);
    int result = sys_rename(from, to);
    leave();
    return result;
}

int unlink(const char *path)
{
    if (!enter_path(path))
        return sys_unlink(path, 0);
    int result = access(path, F_OK);
    if (result == 0)
        bury(note_entry(ENTRY_REMOVED, path), path);
    leave();
    return result;
}

int remove(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return sys_unlink(path, AT_REMOVEDIR);
    return unlink(path);
}

int link(const char *from, const char *to)
{
    if (!enter_path(to))
        return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    int result = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0)
        note_entry(ENTRY_MADE, to);
    leave();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    if (!enter_path(path))
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0)
        note_entry(ENTRY_FOLDER_MADE, path);
    leave();
    return result;
}

/* ---- beginning ---- */

void vt_power_cut_arm(const char *folder, uint64_t at, uint64_t seed)
{
    char graves[PATH_BYTES];
    cut.folder_len = strlen(folder);
    if (cut.folder_len + sizeof ".buried/4294967295" > sizeof cut.folder)
        give_up("the path is too long");
    memcpy(cut.folder, folder, cut.folder_len + 1);
    snprintf(graves, sizeof graves, "%s.buried", folder);
    if (mkdir(graves, 0700) != 0 && errno != EEXIST)
        give_up("cannot make a place for removed files");
    cut.entries = calloc(ENTRIES_MAX, sizeof *cut.entries);
    if (cut.entries == NULL)
        give_up("no memory");
    cut.at = at;
    cut.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    cut.armed = true;
}

__attribute__((constructor)) static void arm_from_environment(void)
{
    const char *text = getenv("VITRINE_POWER_CUT");
    unsigned long long at = 0, seed = 0;
    int end = 0;
    if (text != NULL && sscanf(text, "%llu:%llu:%n", &at, &seed, &end) == 2 && end != 0)
        vt_power_cut_arm(text + end, at, seed);
}
