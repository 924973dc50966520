#ifndef VT_TESTLIB_POWER_CUT_JOURNAL_H
#define VT_TESTLIB_POWER_CUT_JOURNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What was not fsynced, and how it is undone: shared by the two files of power_cut. */
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

struct power_cut {
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
};
extern struct power_cut vt__cut;

/* Ends the process: the test is broken, not the store. */
_Noreturn void vt__cut_give_up(const char *why);
/* The system calls themselves. */
int vt__cut_sys_open(const char *path, int flags, mode_t mode);
int vt__cut_sys_rename(const char *from, const char *to);
int vt__cut_sys_unlink(const char *path, int flags);
/* Everything below runs with the lock held. One call more; at the last one the power is cut. */
void vt__cut_count_call(void);
/* Is it ours to note? */
bool vt__cut_is_below(const char *path);
/* Notes what happens to the file behind a descriptor. */
void vt__cut_follow(int fd);
off_t vt__cut_size_of(const struct file *file);
/* Keeps what stands in [offset, offset + old_len) before it is overwritten or cut off. */
void vt__cut_note_change(struct file *file, off_t offset, size_t old_len, size_t new_len);
/* They are on disk. */
void vt__cut_forget_changes(struct file *file);
struct entry *vt__cut_note_entry(enum entry_kind kind, const char *path);
/* Instead of removing: moves aside, so that it can come back. */
void vt__cut_bury(struct entry *entry, const char *path);
/* The folder was synced. */
void vt__cut_make_entries_durable(int fd);

#endif
