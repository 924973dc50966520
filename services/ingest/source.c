/*
 * Bytes of a file to lines. A thread of its own reads and unpacks into a few chunks (libarchive's
 * raw format, so that one .xz, .gz or .zst file is a stream and plain files pass through); the
 * caller splits lines meanwhile, which hides the shorter of the two. A line over the limit costs no
 * memory: its beginning is kept for the reject file, the rest is passed over.
 */
#include "services/ingest/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK_BYTES = 1 << 18, N_CHUNKS = 4, FILE_BLOCK_BYTES = 1 << 16 };

struct chunk {
    char *bytes; /* CHUNK_BYTES */
    size_t len;
};

struct vt_source {
    const char *path; /* borrowed */
    struct archive *archive;
    uint64_t size; /* of the file */
    _Atomic uint64_t
        position; /* written by the unpacking thread, relaxed: only progress reads it */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards what follows up to `damage` */
    pthread_cond_t changed;
    struct chunk chunks[N_CHUNKS];
    unsigned first, n_full; /* ring: chunks the thread has filled */
    bool finished, stopping;
    char damage[160]; /* what libarchive said, or empty */

    /* the reader's own */
    size_t at;    /* in the first chunk */
    bool holding; /* the first chunk is being read */
    char *line;   /* VT_LINE_BYTES_MAX, for lines over a chunk's end */
    size_t line_len;
    uint64_t n_lines;
};

static bool fill(struct vt_source *source, struct chunk *chunk)
{
    chunk->len = 0;
    while (chunk->len < CHUNK_BYTES) {
        la_ssize_t n =
            archive_read_data(source->archive, chunk->bytes + chunk->len, CHUNK_BYTES - chunk->len);
        if (n == ARCHIVE_RETRY)
            continue;
        if (n < 0) {
            const char *said = archive_error_string(source->archive);
            snprintf(source->damage, sizeof source->damage, "%s",
                     said != NULL ? said : "damaged data");
            return false;
        }
        if (n == 0)
            return false;
        chunk->len += (size_t)n;
    }
    return true;
}

static void *unpack(void *ctx)
{
    struct vt_source *source = ctx;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&source->lock);
        while (source->n_full == N_CHUNKS && !source->stopping)
            pthread_cond_wait(&source->changed, &source->lock);
        unsigned last = (source->first + source->n_full) % N_CHUNKS;
        bool stopping = source->stopping;
        pthread_mutex_unlock(&source->lock);
        if (stopping)
            break;
        more = fill(source, &source->chunks[last]);
        atomic_store_explicit(&source->position,
                              (uint64_t)archive_filter_bytes(source->archive, -1),
                              memory_order_relaxed);
        pthread_mutex_lock(&source->lock);
        source->n_full++;
        source->finished = !more;
        pthread_cond_signal(&source->changed);
        pthread_mutex_unlock(&source->lock);
    }
    return NULL;
}

/* Waits for the next chunk; false at the end. */
static bool next_chunk(struct vt_source *source)
{
    pthread_mutex_lock(&source->lock);
    if (source->holding) {
        source->first = (source->first + 1) % N_CHUNKS;
        source->n_full--;
        pthread_cond_signal(&source->changed);
    }
    while (source->n_full == 0 && !source->finished)
        pthread_cond_wait(&source->changed, &source->lock);
    source->holding = source->n_full > 0;
    pthread_mutex_unlock(&source->lock);
    source->at = 0;
    return source->holding;
}

static struct vt_err refuse(struct vt_diag *diag, const char *path, const char *why)
{
    vt_diag_set(diag, path, "%s", why);
    return VT_ERR(VT_INVALID, "this file cannot be imported");
}

static struct vt_err check_file(const char *path, struct vt_diag *diag, uint64_t *ret_size)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        vt_diag_set(diag, path, "%s", strerror(errno));
        return VT_ERR_SYS(VT_NOT_FOUND, errno, "cannot open the file");
    }
    if (S_ISDIR(status.st_mode))
        return refuse(diag, path, "is a folder; name its files");
    if (S_ISREG(status.st_mode) && status.st_size == 0)
        return refuse(diag, path, "is empty: there is nothing to import");
    *ret_size = (uint64_t)status.st_size;
    return vt_ok();
}

static struct vt_err open_archive(struct vt_source *source, struct vt_diag *diag)
{
    struct archive *archive = source->archive = archive_read_new();
    struct archive_entry *entry;
    VT_CHECK(archive != NULL, VT_EXHAUSTED, "out of memory");
    archive_read_support_format_raw(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_zstd(archive);
    if (archive_read_open_filename(archive, source->path, FILE_BLOCK_BYTES) == ARCHIVE_OK &&
        archive_read_next_header(archive, &entry) == ARCHIVE_OK)
        return vt_ok();
    const char *said = archive_error_string(archive);
    vt_diag_set(diag, source->path, "is empty, cut off or damaged (%s)",
                said != NULL ? said : "it holds no data");
    return VT_ERR(VT_INVALID, "this file cannot be read");
}

static struct vt_err damaged(const struct vt_source *source, struct vt_diag *diag)
{
    vt_diag_set(diag, source->path,
                "the archive is cut off or damaged after line %llu (%s); nothing was written: "
                "get the file again",
                (unsigned long long)source->n_lines, source->damage);
    return VT_ERR(VT_CORRUPT, "damaged archive");
}

static struct vt_err judge_head(const struct vt_source *source, struct vt_diag *diag)
{
    struct vt_slice head = vt_source_head(source);
    if (head.len == 0 && source->damage[0] != '\0')
        return damaged(source, diag);
    if (head.len == 0)
        return refuse(diag, source->path, "is empty: there is nothing to import");
    if (head.len >= 2 &&
        (memcmp(head.data, "\xff\xfe", 2) == 0 || memcmp(head.data, "\xfe\xff", 2) == 0))
        return refuse(diag, source->path,
                      "is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW");
    if (memchr(head.data, '\0', head.len) != NULL)
        return refuse(diag, source->path,
                      "is a binary file; lines of text are needed (jsonl, csv …)");
    return vt_ok();
}

static struct vt_err start(struct vt_source *source, struct vt_diag *diag)
{
    VT_TRY(check_file(source->path, diag, &source->size));
    VT_TRY(open_archive(source, diag));
    source->line = malloc(VT_LINE_BYTES_MAX);
    VT_CHECK(source->line != NULL, VT_EXHAUSTED, "out of memory");
    for (unsigned i = 0; i < N_CHUNKS; i++) {
        source->chunks[i].bytes = malloc(CHUNK_BYTES);
        VT_CHECK(source->chunks[i].bytes != NULL, VT_EXHAUSTED, "out of memory");
    }
    source->started = pthread_create(&source->thread, NULL, unpack, source) == 0;
    VT_CHECK(source->started, VT_EXHAUSTED, "cannot start a thread");
    next_chunk(source);
    VT_TRY(judge_head(source, diag));
    struct vt_slice head = vt_source_head(source);
    if (head.len >= 3 && memcmp(head.data, "\xef\xbb\xbf", 3) == 0)
        source->at = 3; /* a byte order mark says nothing in UTF-8 */
    return vt_ok();
}

struct vt_err vt_source_open(const char *path, struct vt_diag *diag, struct vt_source **ret_source)
{
    struct vt_source *source = calloc(1, sizeof *source);
    VT_CHECK(source != NULL, VT_EXHAUSTED, "out of memory");
    source->path = path;
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->changed, NULL);
    struct vt_err err = start(source, diag);
    if (vt_failed(err)) {
        vt_source_close(source);
        return err;
    }
    *ret_source = source;
    return vt_ok();
}

void vt_source_close(struct vt_source *source)
{
    if (source == NULL)
        return;
    if (source->started) {
        pthread_mutex_lock(&source->lock);
        source->stopping = true;
        pthread_cond_signal(&source->changed);
        pthread_mutex_unlock(&source->lock);
        pthread_join(source->thread, NULL);
    }
    if (source->archive != NULL)
        archive_read_free(source->archive);
    for (unsigned i = 0; i < N_CHUNKS; i++)
        free(source->chunks[i].bytes);
    free(source->line);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

struct vt_slice vt_source_head(const struct vt_source *source)
{
    if (!source->holding)
        return (struct vt_slice){0};
    const struct chunk *chunk = &source->chunks[source->first];
    struct vt_slice head = vt_slice(chunk->bytes + source->at, chunk->len - source->at);
    if (head.len > VT_SOURCE_HEAD_BYTES)
        head.len = VT_SOURCE_HEAD_BYTES;
    return head;
}

static void keep_part(struct vt_source *source, const char *bytes, size_t len, bool *too_long)
{
    size_t space = VT_LINE_BYTES_MAX - source->line_len;
    if (len > space)
        *too_long = true;
    size_t n = len < space ? len : space;
    memcpy(source->line + source->line_len, bytes, n);
    source->line_len += n;
}

static struct vt_err end_of_lines(struct vt_source *source, struct vt_diag *diag, bool *ret_end)
{
    *ret_end = true;
    return source->damage[0] != '\0' ? damaged(source, diag) : vt_ok();
}

static void finish_line(struct vt_source *source, struct vt_slice text, bool too_long,
                        struct vt_line *ret_line)
{
    if (text.len > 0 && text.data[text.len - 1] == '\r')
        text.len--;
    *ret_line = (struct vt_line){text, ++source->n_lines, too_long};
}

struct vt_err vt_source_next(struct vt_source *source, struct vt_diag *diag,
                             struct vt_line *ret_line, bool *ret_end)
{
    bool too_long = false;
    *ret_end = false;
    source->line_len = 0;
    for (;;) {
        struct chunk *chunk = &source->chunks[source->first];
        if (!source->holding || source->at == chunk->len) {
            if (source->holding && next_chunk(source))
                continue;
            if (source->line_len == 0 || source->damage[0] != '\0')
                return end_of_lines(source, diag, ret_end);
            break;
        }
        const char *begin = chunk->bytes + source->at;
        size_t rest = chunk->len - source->at;
        const char *newline = memchr(begin, '\n', rest);
        size_t len = newline != NULL ? (size_t)(newline - begin) : rest;
        source->at += newline != NULL ? len + 1 : len;
        if (newline != NULL && source->line_len == 0 && len <= VT_LINE_BYTES_MAX) {
            finish_line(source, vt_slice(begin, len), false, ret_line);
            return vt_ok();
        }
        keep_part(source, begin, len, &too_long);
        if (newline != NULL)
            break;
    }
    finish_line(source, vt_slice(source->line, source->line_len), too_long, ret_line);
    return vt_ok();
}

uint64_t vt_source_position(const struct vt_source *source, uint64_t *ret_size)
{
    *ret_size = source->size;
    return atomic_load_explicit(&source->position, memory_order_relaxed);
}
