/*
 * The hash of a line covers all bytes before its own field, of which the last are the hash of the
 * line before: checking needs no JSON, and no two ways of writing one entry.
 *
 *   {"number":…,"time":…,…,"prev":"<64 hex>","hash":"<64 hex>"}\n
 */
#include "services/profile/audit.h"

#include "services/common/base/log.h"
#include "services/common/base/time_text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    HASH_BYTES = crypto_hash_sha256_BYTES,
    HASH_TEXT_BYTES = 2 * HASH_BYTES + 1,
    RECEIPT_HASH_CHARS = 16,
    SUBJECT_HASH_BYTES = (VT_AUDIT_SUBJECT_BYTES - 1) / 2,
    MS_PER_S = 1000,
    LINE_BYTES_MAX = 128 << 10, /* of VT_AUDIT_SUBJECTS_MAX subjects, and room */
};
#define HASH_FIELD ",\"hash\":\""
#define PREV_FIELD ",\"prev\":\""
#define LINE_END "\"}"
static const char first_prev[] = /* of the first line */
    "0000000000000000000000000000000000000000000000000000000000000000";

/* How far a chain has come. */
struct chain {
    uint64_t n;
    char hash[HASH_TEXT_BYTES];
};

struct vt_audit {
    char *path;           /* owned */
    pthread_mutex_t lock; /* of all below */
    int fd;
    struct chain chain;
};

/* ---- hashes ---- */

static void hash_text(const char *bytes, size_t len, char ret_text[HASH_TEXT_BYTES])
{
    unsigned char hash[HASH_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)bytes, len);
    sodium_bin2hex(ret_text, HASH_TEXT_BYTES, hash, sizeof hash);
}

static void hash_part(crypto_generichash_state *state, const void *bytes, size_t len)
{
    uint32_t size = (uint32_t)len; /* in front, so that no two lists of parts look alike */
    crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    crypto_generichash_update(state, bytes, len);
}

void vt_audit_subject(const unsigned char key[VT_AUDIT_KEY_BYTES], const char *type,
                      struct vt_slice channel, struct vt_slice id,
                      struct vt_audit_subject *ret_subject)
{
    static const char purpose[] = "vitrine audit subject 1"; /* the key has other uses */
    unsigned char hash[SUBJECT_HASH_BYTES];
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, VT_AUDIT_KEY_BYTES, sizeof hash);
    hash_part(&state, purpose, sizeof purpose - 1);
    hash_part(&state, type, strlen(type));
    hash_part(&state, channel.data, channel.len);
    hash_part(&state, id.data, id.len);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(ret_subject->text, sizeof ret_subject->text, hash, sizeof hash);
}

/* ---- a line ---- */

static json_t *entry_json(const struct vt_audit_entry *entry, uint64_t number, const char *prev)
{
    char time_text[VT_TIME_TEXT_BYTES];
    vt_time_print_ms(entry->time_ms, time_text);
    json_t *subjects = json_array();
    for (uint32_t i = 0; i < entry->n_subjects; i++)
        json_array_append_new(subjects, json_string(entry->subjects[i].text));
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:o, s:s, s:s}", "number", (json_int_t)number,
                     "time", time_text, "action", entry->action, "actor", entry->actor, "customer",
                     (json_int_t)entry->customer, "subjects", subjects, "detail",
                     entry->detail != NULL ? entry->detail : "", "prev", prev);
}

/* The finished line with its newline, owned; NULL without memory. */
static char *make_line(const struct vt_audit_entry *entry, struct chain *chain)
{
    json_t *json = entry_json(entry, chain->n + 1, chain->hash);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    char *line = NULL;
    size_t len = text != NULL ? strlen(text) - 1 : 0; /* without the closing brace */
    if (text == NULL)
        return NULL;
    hash_text(text, len, chain->hash);
    chain->n++;
    if (asprintf(&line, "%.*s" HASH_FIELD "%s" LINE_END "\n", (int)len, text, chain->hash) < 0)
        line = NULL;
    free(text);
    return line;
}

/* True when `field` and a hash stand right before `end`; the hash is copied. */
static bool take_hash(const char *line, size_t end, const char *field,
                      char ret_hash[HASH_TEXT_BYTES])
{
    size_t field_len = strlen(field), len = field_len + HASH_TEXT_BYTES - 1;
    if (end < len || memcmp(line + end - len, field, field_len) != 0)
        return false;
    memcpy(ret_hash, line + end - len + field_len, HASH_TEXT_BYTES - 1);
    ret_hash[HASH_TEXT_BYTES - 1] = '\0';
    return true;
}

/* Judges a line without its newline and moves the chain on. Returns NULL, or what is wrong. */
static const char *check_line(const char *line, size_t len, struct chain *chain)
{
    char hash[HASH_TEXT_BYTES], prev[HASH_TEXT_BYTES], own[HASH_TEXT_BYTES];
    size_t end = len - strlen(LINE_END), tail = strlen(HASH_FIELD) + HASH_TEXT_BYTES - 1;
    if (len < strlen(LINE_END) || strcmp(line + end, LINE_END) != 0 ||
        !take_hash(line, end, HASH_FIELD, hash))
        return "is no entry of an audit log";
    hash_text(line, end - tail, own);
    if (strcmp(hash, own) != 0)
        return "was changed: its hash does not fit its text";
    if (end - tail < 1 || !take_hash(line, end - tail - 1, PREV_FIELD, prev) ||
        strcmp(prev, chain->hash) != 0)
        return "does not follow the line before it: entries were taken out, put in or moved";
    memcpy(chain->hash, hash, sizeof hash);
    chain->n++;
    return NULL;
}

/* ---- reading ---- */

typedef struct vt_err (*each_fn)(void *ctx, const struct vt_audit_entry *entry);

/* What vt_time_print_ms wrote; 0 when it is something else. */
static int64_t parse_time(const char *text)
{
    struct tm utc = {0};
    int ms = 0;
    const char *end = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
    if (end == NULL || sscanf(end, ".%3dZ", &ms) != 1)
        return 0;
    return (int64_t)timegm(&utc) * MS_PER_S + ms;
}

static uint32_t take_subjects(const json_t *list, struct vt_audit_subject *subjects)
{
    uint32_t n = 0;
    for (size_t i = 0; i < json_array_size(list) && n < VT_AUDIT_SUBJECTS_MAX; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL && strlen(text) == VT_AUDIT_SUBJECT_BYTES - 1)
            memcpy(subjects[n++].text, text, VT_AUDIT_SUBJECT_BYTES);
    }
    return n;
}

static struct vt_err tell_entry(const char *line, size_t len, struct vt_audit_subject *subjects,
                                each_fn each, void *ctx)
{
    json_t *json = json_loadb(line, len, 0, NULL);
    const char *action = json_string_value(json_object_get(json, "action"));
    const char *actor = json_string_value(json_object_get(json, "actor"));
    struct vt_err err = VT_ERR(VT_CORRUPT, "an entry of the audit log lacks a field");
    if (action != NULL && actor != NULL) {
        struct vt_audit_entry entry = {
            .number = (uint64_t)json_integer_value(json_object_get(json, "number")),
            .time_ms = parse_time(json_string_value(json_object_get(json, "time"))),
            .action = action,
            .actor = actor,
            .customer = (uint64_t)json_integer_value(json_object_get(json, "customer")),
            .subjects = subjects,
            .n_subjects = take_subjects(json_object_get(json, "subjects"), subjects),
            .detail = json_string_value(json_object_get(json, "detail")),
        };
        err = each(ctx, &entry);
    }
    json_decref(json);
    return err;
}

struct reading {
    const char *path;
    struct vt_diag *diag;
    FILE *file;
    struct vt_audit_subject *subjects; /* owned scratch */
    char *line;                        /* owned; getline's */
    size_t room;
    struct chain chain;
    off_t end; /* behind the last whole line */
};

static struct vt_err read_lines(struct reading *reading, each_fn each, void *ctx)
{
    ssize_t len;
    while ((len = getline(&reading->line, &reading->room, reading->file)) > 0) {
        if (reading->line[len - 1] != '\n')
            return vt_ok(); /* torn by a crash */
        reading->line[--len] = '\0';
        const char *wrong = len < LINE_BYTES_MAX
                                ? check_line(reading->line, (size_t)len, &reading->chain)
                                : "is longer than any entry";
        if (wrong != NULL) {
            vt_diag_set(reading->diag, reading->path, "line %llu %s",
                        (unsigned long long)reading->chain.n + 1, wrong);
            return VT_ERR(VT_CORRUPT, "the audit log is damaged");
        }
        reading->end += len + 1;
        if (each != NULL)
            VT_TRY(tell_entry(reading->line, (size_t)len, reading->subjects, each, ctx));
    }
    return ferror(reading->file) != 0
               ? VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot read the audit log")
               : vt_ok();
}

static struct vt_err read_all(struct reading *reading, each_fn each, void *ctx)
{
    memcpy(reading->chain.hash, first_prev, sizeof first_prev);
    reading->subjects = calloc(VT_AUDIT_SUBJECTS_MAX, sizeof *reading->subjects);
    VT_CHECK(reading->subjects != NULL, VT_EXHAUSTED, "out of memory");
    struct vt_err err = read_lines(reading, each, ctx);
    free(reading->subjects);
    free(reading->line);
    return err;
}

static struct vt_err fail_on(const char *path, struct vt_diag *diag, int sys)
{
    vt_diag_set(diag, path, "cannot be opened: %s", strerror(sys));
    return VT_ERR_SYS(sys == ENOENT ? VT_NOT_FOUND : VT_UNAVAILABLE, sys,
                      "cannot open the audit log");
}

struct vt_err vt_audit_read(const char *path, struct vt_diag *diag, each_fn each, void *ctx,
                            uint64_t *ret_n_entries)
{
    struct reading reading = {.path = path, .diag = diag, .file = fopen(path, "re")};
    if (reading.file == NULL)
        return fail_on(path, diag, errno);
    struct vt_err err = read_all(&reading, each, ctx);
    fclose(reading.file);
    *ret_n_entries = reading.chain.n;
    return err;
}

/* ---- writing ---- */

static struct vt_err cut_torn_tail(int fd, off_t end, const char *path, struct vt_diag *diag)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_on(path, diag, errno);
    if (info.st_size == end)
        return vt_ok();
    if (ftruncate(fd, end) != 0 || fsync(fd) != 0)
        return fail_on(path, diag, errno);
    vt_log(VT_LOG_WARN, "audit_tail_cut", VT_F_INT("bytes", info.st_size - end));
    return vt_ok();
}

static struct vt_err open_into(struct vt_audit *audit, const char *path, struct vt_diag *diag)
{
    audit->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (audit->fd < 0)
        return fail_on(path, diag, errno);
    struct reading reading = {.path = path, .diag = diag, .file = fopen(path, "re")};
    if (reading.file == NULL)
        return fail_on(path, diag, errno);
    struct vt_err err = read_all(&reading, NULL, NULL);
    fclose(reading.file);
    audit->chain = reading.chain;
    return vt_failed(err) ? err : cut_torn_tail(audit->fd, reading.end, path, diag);
}

struct vt_err vt_audit_open(const char *path, struct vt_diag *diag, struct vt_audit **ret_audit)
{
    struct vt_audit *audit = calloc(1, sizeof *audit);
    VT_CHECK(audit != NULL, VT_EXHAUSTED, "out of memory");
    audit->fd = -1;
    pthread_mutex_init(&audit->lock, NULL);
    audit->path = strdup(path);
    struct vt_err err =
        audit->path != NULL ? open_into(audit, path, diag) : VT_ERR(VT_EXHAUSTED, "out of memory");
    if (vt_failed(err)) {
        vt_audit_close(audit);
        return err;
    }
    *ret_audit = audit;
    return vt_ok();
}

void vt_audit_close(struct vt_audit *audit)
{
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        close(audit->fd);
    pthread_mutex_destroy(&audit->lock);
    free(audit->path);
    free(audit);
}

const char *vt_audit_path(const struct vt_audit *audit)
{
    return audit->path;
}

/* All of it and on disk, or nothing. */
static struct vt_err write_line(int fd, const char *line)
{
    size_t len = strlen(line);
    off_t before = lseek(fd, 0, SEEK_END);
    ssize_t n = write(fd, line, len);
    if (n == (ssize_t)len && fsync(fd) == 0)
        return vt_ok();
    int sys = n >= 0 && n != (ssize_t)len ? ENOSPC : errno;
    if (before >= 0 && ftruncate(fd, before) != 0)
        vt_log(VT_LOG_ERROR, "audit_not_restored", VT_F_INT("bytes", before));
    return VT_ERR_SYS(sys == ENOSPC ? VT_EXHAUSTED : VT_UNAVAILABLE, sys,
                      "cannot write the audit log");
}

struct vt_err vt_audit_append(struct vt_audit *audit, const struct vt_audit_entry *entry,
                              char ret_receipt[VT_AUDIT_RECEIPT_BYTES])
{
    VT_CHECK(entry->n_subjects <= VT_AUDIT_SUBJECTS_MAX, VT_EXHAUSTED,
             "too many identities for one entry of the audit log");
    pthread_mutex_lock(&audit->lock);
    struct chain next = audit->chain;
    char *line = make_line(entry, &next);
    struct vt_err err =
        line != NULL ? write_line(audit->fd, line) : VT_ERR(VT_EXHAUSTED, "out of memory");
    if (!vt_failed(err))
        audit->chain = next;
    pthread_mutex_unlock(&audit->lock);
    free(line);
    snprintf(ret_receipt, VT_AUDIT_RECEIPT_BYTES, "%llu-%.*s", (unsigned long long)next.n,
             RECEIPT_HASH_CHARS, next.hash);
    return err;
}
