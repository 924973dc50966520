/*
 * Frames are walked by their lengths, which nothing ever changes, so a file can be read while its
 * process appends to it and while records in it are erased: what a reader takes for its own is held
 * against the hash. What does not begin with a frame is the torn end of a process that was killed,
 * and ends the walk.
 *
 * Frame, little-endian: 8 hash of all that follows (of an erased one: of the frame alone) · 4 mark
 * · 4 length · 8 state · 8 time · 8 customer · 16 nonce. File: 8 mark · 8 run · 8 begin.
 */
#include "services/ranking/decision_files.h"

#include "services/common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HASH_BYTES = 8,
    STATE_LIVE = 1,
    STATE_ERASED = 2,
    HEAD_BYTES = 24,
    PATH_BYTES = 4096,
    FILES_MAX = 100000, /* a folder of ours never has so many; bounds what is listed */
};
#define FRAME_MARK UINT32_C(0x43445456)      /* "VTDC" */
#define FILE_MARK UINT64_C(0x01534943454454) /* "TDECIS", version 1 */
#define LATE_MS INT64_C(60000) /* an answer is written after its time: so much at most */

/* ---- frames ---- */

void vt_decision_frame_write(const unsigned char key[VT_TOKEN_KEY_BYTES],
                             const struct vt_decision_frame *frame, unsigned char *memory)
{
    struct vt_pack pack;
    size_t hashed = VT_DECISION_FRAME_BYTES - HASH_BYTES + (frame->erased ? (size_t)0 : frame->len);
    vt_pack_init(&pack, memory, VT_DECISION_FRAME_BYTES);
    vt_pack_u64(&pack, 0);
    vt_pack_u32(&pack, FRAME_MARK);
    vt_pack_u32(&pack, frame->len);
    vt_pack_u64(&pack, frame->erased ? STATE_ERASED : STATE_LIVE);
    vt_pack_u64(&pack, (uint64_t)frame->time_ms);
    vt_pack_u64(&pack, frame->customer);
    memcpy(pack.at, frame->nonce, VT_TOKEN_NONCE_BYTES);
    vt_pack_init(&pack, memory, HASH_BYTES);
    vt_pack_u64(&pack, vt_token_hash(key, vt_slice(memory + HASH_BYTES, hashed)));
}

bool vt_decision_frame_read(struct vt_slice bytes, struct vt_decision_frame *ret_frame)
{
    struct vt_unpack unpack;
    struct vt_decision_frame frame;
    if (bytes.len < VT_DECISION_FRAME_BYTES)
        return false;
    vt_unpack_init(&unpack, vt_slice(bytes.data, VT_DECISION_FRAME_BYTES));
    (void)vt_unpack_u64(&unpack);
    bool marked = vt_unpack_u32(&unpack) == FRAME_MARK;
    frame.len = vt_unpack_u32(&unpack);
    uint64_t state = vt_unpack_u64(&unpack);
    frame.erased = state == STATE_ERASED;
    frame.time_ms = (int64_t)vt_unpack_u64(&unpack);
    frame.customer = vt_unpack_u64(&unpack);
    memcpy(frame.nonce, unpack.at, VT_TOKEN_NONCE_BYTES);
    if (!marked || (state != STATE_LIVE && state != STATE_ERASED) ||
        frame.len > VT_DECISION_BYTES_MAX || frame.len > bytes.len - VT_DECISION_FRAME_BYTES)
        return false;
    *ret_frame = frame;
    return true;
}

bool vt_decision_frame_is_whole(const unsigned char key[VT_TOKEN_KEY_BYTES], struct vt_slice bytes)
{
    struct vt_decision_frame frame;
    struct vt_unpack unpack;
    if (!vt_decision_frame_read(bytes, &frame))
        return false;
    vt_unpack_init(&unpack, bytes);
    size_t hashed = VT_DECISION_FRAME_BYTES - HASH_BYTES + (frame.erased ? (size_t)0 : frame.len);
    return vt_unpack_u64(&unpack) == vt_token_hash(key, vt_slice(bytes.data + HASH_BYTES, hashed));
}

/* ---- files ---- */

static struct vt_err fail(struct vt_diag *diag, const char *path, const char *doing)
{
    int failure = errno;
    vt_diag_set(diag, path, "cannot %s the decision log: %s", doing, strerror(failure));
    return VT_ERR_SYS(failure == ENOSPC || failure == EDQUOT ? VT_EXHAUSTED : VT_UNAVAILABLE,
                      failure, "the decision log cannot be used");
}

static void run_text(const vt_decision_run run, char ret_text[2 * VT_DECISION_RUN_BYTES + 1])
{
    for (int i = 0; i < VT_DECISION_RUN_BYTES; i++)
        snprintf(ret_text + 2 * (size_t)i, 3, "%02x", run[i]);
}

struct vt_err vt_decision_file_new(const char *folder, const vt_decision_run run, int64_t begin_ms,
                                   struct vt_diag *diag, int *ret_fd)
{
    char path[PATH_BYTES], text[2 * VT_DECISION_RUN_BYTES + 1];
    unsigned char head[HEAD_BYTES];
    struct vt_pack pack;
    run_text(run, text);
    snprintf(path, sizeof path, "%s/%013lld-%s.log", folder, (long long)begin_ms, text);
    vt_pack_init(&pack, head, sizeof head);
    vt_pack_u64(&pack, FILE_MARK);
    memcpy(pack.at, run, VT_DECISION_RUN_BYTES);
    pack.at += VT_DECISION_RUN_BYTES;
    vt_pack_u64(&pack, (uint64_t)begin_ms);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0600);
    if (fd < 0)
        return fail(diag, path, "begin");
    if (write(fd, head, sizeof head) != (ssize_t)sizeof head) {
        struct vt_err err = fail(diag, path, "begin");
        close(fd);
        unlink(path);
        return err;
    }
    *ret_fd = fd;
    return vt_ok();
}

/* The name of a file of ours, by its parts. */
struct name {
    int64_t begin_ms;
    char run[2 * VT_DECISION_RUN_BYTES + 1];
    char text[VT_DECISION_NAME_BYTES];
};

static bool parse_name(const char *text, struct name *ret_name)
{
    struct name name;
    int end = 0;
    long long begin_ms = 0;
    if (strlen(text) != VT_DECISION_NAME_BYTES - 1 ||
        sscanf(text, "%13lld-%16[0-9a-f].log%n", &begin_ms, name.run, &end) != 2 ||
        end != VT_DECISION_NAME_BYTES - 1)
        return false;
    name.begin_ms = begin_ms;
    memcpy(name.text, text, sizeof name.text);
    *ret_name = name;
    return true;
}

struct names {
    struct name *list; /* owned, oldest first */
    size_t n, capacity;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct vt_err add_name(struct names *names, const struct name *name)
{
    if (names->n == names->capacity) {
        size_t capacity = names->capacity != 0 ? names->capacity * 2 : 64;
        struct name *list = realloc(names->list, capacity * sizeof *list);
        VT_CHECK(list != NULL, VT_EXHAUSTED, "no memory for the decision log's files");
        names->list = list;
        names->capacity = capacity;
    }
    names->list[names->n++] = *name;
    return vt_ok();
}

/* Free names->list, also after a failure. */
static struct vt_err list_names(const char *folder, struct vt_diag *diag, struct names *names)
{
    DIR *listed = opendir(folder);
    if (listed == NULL)
        return fail(diag, folder, "list");
    struct vt_err err = vt_ok();
    const struct dirent *entry;
    while (!vt_failed(err) && names->n < FILES_MAX && (entry = readdir(listed)) != NULL) {
        struct name name;
        if (parse_name(entry->d_name, &name))
            err = add_name(names, &name);
    }
    closedir(listed);
    if (names->n != 0)
        qsort(names->list, names->n, sizeof names->list[0], compare_names);
    return err;
}

struct vt_err vt_decision_files_expire(const char *folder, int64_t before_ms, struct vt_diag *diag,
                                       uint64_t *ret_bytes)
{
    struct names names = {0};
    struct vt_err err = list_names(folder, diag, &names);
    uint64_t bytes = 0;
    for (size_t i = 0; i < names.n; i++) {
        char path[PATH_BYTES];
        struct vt_slice mapped = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names.list[i].text);
        if (names.list[i].begin_ms < before_ms)
            (void)unlink(path); /* another process of the cell may have done it */
        else if (!vt_failed(vt_file_map(path, NULL, &mapped)))
            bytes += mapped.len;
        vt_file_unmap(mapped);
    }
    free(names.list);
    if (!vt_failed(err))
        *ret_bytes = bytes;
    return err;
}

/* ---- walking a file ---- */

struct walk {
    struct vt_slice bytes; /* mapped */
    size_t offset;         /* of the frame in hand */
    struct vt_decision_frame frame;
};

static struct vt_err walk_open(const char *folder, const struct name *name, struct vt_diag *diag,
                               struct walk *walk)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name->text);
    *walk = (struct walk){.offset = 0};
    return vt_file_map(path, diag, &walk->bytes);
}

static struct vt_slice walk_rest(const struct walk *walk)
{
    return vt_slice(walk->bytes.data + walk->offset, walk->bytes.len - walk->offset);
}

static bool walk_next(struct walk *walk)
{
    size_t step =
        walk->offset == 0 ? HEAD_BYTES : VT_DECISION_FRAME_BYTES + (size_t)walk->frame.len;
    if (walk->bytes.len - walk->offset < step)
        return false;
    walk->offset += step;
    return vt_decision_frame_read(walk_rest(walk), &walk->frame);
}

/* ---- finding ---- */

static struct vt_err take_record(const struct walk *walk, const unsigned char *key,
                                 struct vt_arena *arena, enum vt_decision_search *ret_search,
                                 struct vt_slice *ret_record)
{
    size_t len = VT_DECISION_FRAME_BYTES + (size_t)walk->frame.len;
    struct vt_slice copy = vt_arena_copy(arena, vt_slice(walk->bytes.data + walk->offset, len));
    struct vt_decision_frame frame;
    VT_CHECK(copy.data != NULL, VT_EXHAUSTED, "the request's memory is full");
    VT_CHECK(vt_decision_frame_read(copy, &frame) && vt_decision_frame_is_whole(key, copy),
             VT_CORRUPT, "damaged: the answer's record is not what was written");
    *ret_search = frame.erased ? VT_DECISION_ERASED : VT_DECISION_FOUND;
    *ret_record = vt_slice(copy.data + VT_DECISION_FRAME_BYTES, frame.len);
    return vt_ok();
}

static struct vt_err find_in(const char *folder, const struct name *name, const unsigned char *key,
                             const struct vt_token *token, struct vt_arena *arena,
                             enum vt_decision_search *ret_search, struct vt_slice *ret_record)
{
    struct walk walk;
    struct vt_err err = walk_open(folder, name, NULL, &walk);
    if (err.code == VT_NOT_FOUND)
        return vt_ok(); /* expired meanwhile */
    VT_TRY(err);
    bool found = false;
    while (!found && walk_next(&walk))
        found = memcmp(walk.frame.nonce, token->nonce, VT_TOKEN_NONCE_BYTES) == 0;
    if (found)
        err = take_record(&walk, key, arena, ret_search, ret_record);
    vt_file_unmap(walk.bytes);
    return err;
}

/* Whether a file of the run may hold an answer of that time: it begins before the record was
 * written, and the next begins after the answer was asked for. */
static bool may_hold(const struct names *names, size_t i, const struct vt_token *token)
{
    const struct name *name = &names->list[i];
    int64_t next_ms = INT64_MAX;
    for (size_t later = i + 1; next_ms == INT64_MAX && later < names->n; later++)
        if (strcmp(names->list[later].run, name->run) == 0)
            next_ms = names->list[later].begin_ms;
    return name->begin_ms <= token->time_ms + LATE_MS && next_ms >= token->time_ms;
}

struct vt_err vt_decision_files_find(const char *folder,
                                     const unsigned char key[VT_TOKEN_KEY_BYTES],
                                     const struct vt_token *token, struct vt_arena *arena,
                                     enum vt_decision_search *ret_search,
                                     struct vt_slice *ret_record)
{
    struct names names = {0};
    char run[2 * VT_DECISION_RUN_BYTES + 1];
    run_text(token->nonce, run);
    *ret_search = VT_DECISION_NO_RUN;
    struct vt_err err = list_names(folder, NULL, &names);
    for (size_t i = 0; i < names.n && !vt_failed(err); i++) {
        if (strcmp(names.list[i].run, run) != 0)
            continue;
        if (*ret_search == VT_DECISION_NO_RUN)
            *ret_search = VT_DECISION_ABSENT;
        if (*ret_search == VT_DECISION_ABSENT && may_hold(&names, i, token))
            err = find_in(folder, &names.list[i], key, token, arena, ret_search, ret_record);
    }
    free(names.list);
    return err;
}

/* ---- forgetting ---- */

static bool is_among(const uint64_t *customers, size_t n, uint64_t customer)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (customers[middle] < customer)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && customers[low] == customer;
}

/* The record first: until the frame says that it is erased, it is known by its customer. */
static bool erase_record(int fd, const unsigned char *key, const struct walk *walk)
{
    static const unsigned char zeros[4096];
    struct vt_decision_frame frame = walk->frame;
    unsigned char memory[VT_DECISION_FRAME_BYTES];
    off_t at = (off_t)(walk->offset + VT_DECISION_FRAME_BYTES);
    for (size_t left = frame.len; left > 0;) {
        size_t part = left < sizeof zeros ? left : sizeof zeros;
        if (pwrite(fd, zeros, part, at) != (ssize_t)part)
            return false;
        at += (off_t)part;
        left -= part;
    }
    frame.erased = true;
    frame.customer = 0;
    vt_decision_frame_write(key, &frame, memory);
    return pwrite(fd, memory, sizeof memory, (off_t)walk->offset) == (ssize_t)sizeof memory;
}

static struct vt_err forget_in(const char *path, struct walk *walk, const unsigned char *key,
                               const uint64_t *customers, size_t n, struct vt_diag *diag,
                               uint64_t *n_records)
{
    int fd = -1;
    bool done = true;
    while (done && walk_next(walk)) {
        if (walk->frame.erased || !is_among(customers, n, walk->frame.customer))
            continue;
        if (fd < 0)
            fd = open(path, O_WRONLY | O_CLOEXEC);
        done = fd >= 0 && erase_record(fd, key, walk);
        *n_records += done ? 1 : 0;
    }
    done = done && (fd < 0 || fdatasync(fd) == 0);
    struct vt_err err = done ? vt_ok() : fail(diag, path, "erase records of");
    if (fd >= 0)
        close(fd);
    return err;
}

struct vt_err vt_decision_files_forget(const char *folder,
                                       const unsigned char key[VT_TOKEN_KEY_BYTES],
                                       const uint64_t *customers, size_t n, struct vt_diag *diag,
                                       uint64_t *ret_n_records)
{
    struct names names = {0};
    *ret_n_records = 0;
    struct vt_err err = list_names(folder, diag, &names);
    for (size_t i = 0; i < names.n && !vt_failed(err); i++) {
        char path[PATH_BYTES];
        struct walk walk;
        snprintf(path, sizeof path, "%s/%s", folder, names.list[i].text);
        err = walk_open(folder, &names.list[i], diag, &walk);
        if (err.code == VT_NOT_FOUND) {
            err = vt_ok(); /* expired meanwhile */
            continue;
        }
        if (!vt_failed(err))
            err = forget_in(path, &walk, key, customers, n, diag, ret_n_records);
        vt_file_unmap(walk.bytes);
    }
    free(names.list);
    return err;
}
