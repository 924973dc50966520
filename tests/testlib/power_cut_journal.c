/*
 * The notes of what a process did to its files, and the cut itself: what was not fsynced is undone,
 * as power_cut.c says.
 */
#include "tests/testlib/power_cut_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct power_cut vt__cut = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Noreturn void vt__cut_give_up(const char *why)
{
    fprintf(stderr, "power_cut: %s: %s\n", why, strerror(errno));
    _exit(97);
}

/* 0 to n. */
static uint64_t draw(uint64_t n)
{
    vt__cut.random ^= vt__cut.random << 13;
    vt__cut.random ^= vt__cut.random >> 7;
    vt__cut.random ^= vt__cut.random << 17;
    return (vt__cut.random * UINT64_C(2685821657736338717) >> 16) % (n + 1);
}

int vt__cut_sys_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int vt__cut_sys_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int vt__cut_sys_unlink(const char *path, int flags)
{
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
}

/* ---- the cut ---- */

static void undo_change(const struct file *file, const struct change *change, uint64_t torn)
{
    bool appended = change->offset >= change->old_size;
    if (change->old_len != 0 &&
        syscall(SYS_pwrite64, file->fd, change->old, change->old_len, change->offset) < 0)
        vt__cut_give_up("cannot undo a write");
    off_t size = appended && torn != 0 ? change->offset + (off_t)torn : change->old_size;
    if (syscall(SYS_ftruncate, file->fd, size) != 0)
        vt__cut_give_up("cannot undo an append");
}

/* The first write that is lost was long: its pages went to disk in any order, and some did not. */
static void tear_pages(const struct file *file, const struct change *change)
{
    static const unsigned char zeros[PAGE];
    size_t first = PAGE - (size_t)change->offset % PAGE;
    for (size_t at = first; at + PAGE <= change->new_len; at += PAGE)
        if (draw(1) != 0 &&
            syscall(SYS_pwrite64, file->fd, zeros, PAGE, change->offset + (off_t)at) < 0)
            vt__cut_give_up("cannot tear a write");
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
    snprintf(grave, sizeof grave, "%s.buried/%u", vt__cut.folder, vt__cut.n_buried++);
    if (vt__cut_sys_rename(path, grave) != 0)
        vt__cut_give_up("cannot undo a folder");
}

static void undo_entry(const struct entry *entry)
{
    if (entry->kind == ENTRY_MADE)
        vt__cut_sys_unlink(entry->path, 0);
    else if (entry->kind == ENTRY_FOLDER_MADE)
        bury_folder(entry->path);
    else if (entry->kind == ENTRY_RENAMED)
        vt__cut_sys_rename(entry->to, entry->path);
    if (entry->buried[0] != '\0')
        vt__cut_sys_rename(entry->buried, entry->kind == ENTRY_RENAMED ? entry->to : entry->path);
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
    for (size_t i = first; i < vt__cut.n_entries; i++)
        n += !vt__cut.entries[i].durable &&
             same_folder(&vt__cut.entries[first], &vt__cut.entries[i]);
    kept = draw(n);
    for (size_t i = first; i < vt__cut.n_entries && kept != 0; i++) {
        if (vt__cut.entries[i].durable ||
            !same_folder(&vt__cut.entries[first], &vt__cut.entries[i]))
            continue;
        vt__cut.entries[i].kept = true;
        kept--;
    }
}

static bool is_first_of_folder(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!vt__cut.entries[i].durable &&
            same_folder(&vt__cut.entries[i], &vt__cut.entries[index]))
            return false;
    return !vt__cut.entries[index].durable;
}

static void undo_entries(void)
{
    for (size_t i = 0; i < vt__cut.n_entries; i++)
        if (is_first_of_folder(i))
            draw_kept(i);
    for (size_t i = vt__cut.n_entries; i-- > 0;) {
        struct entry *entry = &vt__cut.entries[i];
        if (!entry->durable && !entry->kept)
            undo_entry(entry);
        else if (entry->buried[0] != '\0')
            vt__cut_sys_unlink(entry->buried, 0);
    }
}

_Noreturn static void cut_power(void)
{
    for (size_t i = 0; i < vt__cut.n_files; i++)
        undo_file(&vt__cut.files[i]);
    undo_entries();
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* ---- noting ---- */

void vt__cut_count_call(void)
{
    if (++vt__cut.n_calls == vt__cut.at)
        cut_power();
}

bool vt__cut_is_below(const char *path)
{
    return vt__cut.armed && strncmp(path, vt__cut.folder, vt__cut.folder_len) == 0 &&
           path[vt__cut.folder_len] == '/';
}

static struct file *find_file(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    for (size_t i = 0; i < vt__cut.n_files; i++)
        if (vt__cut.files[i].inode == info.st_ino && vt__cut.files[i].device == info.st_dev)
            return &vt__cut.files[i];
    return NULL;
}

/* Our own descriptor keeps the inode's number from being given to another file. */
static struct file *add_file(int fd)
{
    char link[64];
    struct stat info;
    struct file *file = &vt__cut.files[vt__cut.n_files];
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    if (vt__cut.n_files == FILES_MAX)
        vt__cut_give_up("too many files");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    *file = (struct file){.device = info.st_dev, .inode = info.st_ino};
    file->fd = vt__cut_sys_open(link, O_RDWR | O_CLOEXEC, 0);
    if (file->fd < 0)
        vt__cut_give_up("cannot follow a file");
    vt__cut.n_files++;
    return file;
}

void vt__cut_follow(int fd)
{
    if (fd < 0 || fd >= FDS_MAX)
        return;
    struct file *file = find_file(fd);
    vt__cut.of_fd[fd] = file != NULL ? file : add_file(fd);
}

off_t vt__cut_size_of(const struct file *file)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        vt__cut_give_up("cannot ask for a size");
    return info.st_size;
}

/* Keeps what stands in [offset, offset + len) before it is overwritten or cut off. */
void vt__cut_note_change(struct file *file, off_t offset, size_t old_len, size_t new_len)
{
    if (file->n_changes == file->capacity) {
        file->capacity = file->capacity != 0 ? 2 * file->capacity : 16;
        file->changes = realloc(file->changes, file->capacity * sizeof *file->changes);
    }
    off_t size = vt__cut_size_of(file);
    size_t there = offset < size ? (size_t)(size - offset) : 0;
    struct change change = {.offset = offset,
                            .old_size = size,
                            .old_len = old_len < there ? old_len : there,
                            .new_len = new_len};
    change.old = malloc(change.old_len + 1);
    if (file->changes == NULL || change.old == NULL)
        vt__cut_give_up("no memory");
    if (change.old_len != 0 &&
        syscall(SYS_pread64, file->fd, change.old, change.old_len, offset) < 0)
        vt__cut_give_up("cannot read what is overwritten");
    file->changes[file->n_changes++] = change;
}

void vt__cut_forget_changes(struct file *file)
{
    for (size_t i = 0; i < file->n_changes; i++)
        free(file->changes[i].old);
    file->n_changes = 0;
}

struct entry *vt__cut_note_entry(enum entry_kind kind, const char *path)
{
    if (vt__cut.n_entries == ENTRIES_MAX)
        vt__cut_give_up("too many entries");
    struct entry *entry = &vt__cut.entries[vt__cut.n_entries++];
    *entry = (struct entry){.kind = kind};
    snprintf(entry->path, sizeof entry->path, "%s", path);
    return entry;
}

/* Instead of removing: moves aside, so that it can come back. */
void vt__cut_bury(struct entry *entry, const char *path)
{
    snprintf(entry->buried, sizeof entry->buried, "%s.buried/%u", vt__cut.folder,
             vt__cut.n_buried++);
    if (vt__cut_sys_rename(path, entry->buried) != 0)
        entry->buried[0] = '\0';
}

void vt__cut_make_entries_durable(int fd)
{
    char link[64], path[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    for (size_t i = 0; len > 0 && i < vt__cut.n_entries; i++) {
        struct entry *entry = &vt__cut.entries[i];
        if (entry->durable || folder_len_of(entry->path) != (size_t)len ||
            memcmp(entry->path, path, (size_t)len) != 0)
            continue;
        entry->durable = true;
        if (entry->buried[0] != '\0')
            vt__cut_sys_unlink(entry->buried, 0);
        entry->buried[0] = '\0';
    }
}
