/*
 * The journal is text, because people look into it; values are hexadecimal floats, because the same
 * bits must come back or the order of two trials could change. A value is written when it is known
 * and never changed.
 */
#include "models/tune/journal.h"

#include "services/common/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

enum { LINE_BYTES = 128, ABOUT_BYTES_MAX = 512 };
/* A line of "trial rung value" has under 40 bytes; a file that is larger is something else. */
#define JOURNAL_BYTES_MAX (ABOUT_BYTES_MAX + (size_t)VT_TUNE_RESULTS_MAX * LINE_BYTES)

/* ---- reading ---- */

static bool parse_line(struct vt_slice line, struct vt_tune_result *ret_result)
{
    struct vt_tune_result result;
    char text[LINE_BYTES], value[64], *end;
    int used = 0;
    if (line.len >= sizeof text || memchr(line.data, '\0', line.len) != NULL)
        return false;
    memcpy(text, line.data, line.len);
    text[line.len] = '\0';
    if (sscanf(text, "%" SCNu32 " %" SCNu32 " %63s%n", &result.trial, &result.rung, value, &used) !=
            3 ||
        text[used] != '\0')
        return false;
    result.value = strtod(value, &end);
    if (*end != '\0' || isinf(result.value) || result.trial >= VT_TUNE_TRIALS_MAX ||
        result.rung >= VT_TUNE_RUNGS)
        return false;
    *ret_result = result;
    return true;
}

static const struct vt_tune_result *find(const struct vt_tune_result *results, uint32_t n,
                                         uint32_t trial, uint32_t rung)
{
    for (uint32_t i = 0; i < n; i++)
        if (results[i].trial == trial && results[i].rung == rung)
            return &results[i];
    return NULL;
}

static struct vt_err refuse_line(struct vt_slice line, const char *why, struct vt_diag *diag)
{
    const int shown = line.len < 80 ? (int)line.len : 80;
    vt_diag_set(diag, "journal", "'%.*s' %s; remove the journal to begin anew", shown, line.data,
                why);
    return VT_ERR(VT_CORRUPT, "the journal is damaged");
}

static struct vt_err refuse_other(struct vt_diag *diag)
{
    vt_diag_set(diag, "journal",
                "this is the journal of another tuning, or another file; remove it, or give "
                "another --out");
    return VT_ERR(VT_INVALID, "the journal is of something else");
}

/* Up to and without the next line feed; false: none follows. */
static bool take_line(struct vt_slice bytes, size_t at, struct vt_slice *ret_line)
{
    const char *start = bytes.data + at;
    const char *end = memchr(start, '\n', bytes.len - at);
    if (end != NULL)
        *ret_line = vt_slice(start, (size_t)(end - start));
    return end != NULL;
}

static struct vt_err take_result(struct vt_slice line, struct vt_diag *diag,
                                 struct vt_tune_result *results, uint32_t *n)
{
    struct vt_tune_result result;
    if (*n == VT_TUNE_RESULTS_MAX || !parse_line(line, &result))
        return refuse_line(line, "is no result", diag);
    if (find(results, *n, result.trial, result.rung) != NULL)
        return refuse_line(line, "is there twice", diag);
    results[(*n)++] = result;
    return vt_ok();
}

struct vt_err vt_tune_journal_parse(struct vt_slice bytes, const char *about, struct vt_diag *diag,
                                    struct vt_tune_result *ret_results, uint32_t *ret_n,
                                    size_t *ret_whole)
{
    const size_t len = strlen(about);
    struct vt_slice line;
    size_t at = 0;
    uint32_t n = 0;
    /* A kill may have cut line 1 itself. */
    if (memcmp(bytes.data, about, bytes.len < len ? bytes.len : len) != 0)
        return refuse_other(diag);
    if (bytes.len > len && bytes.data[len] != '\n')
        return refuse_other(diag);
    at = bytes.len > len ? len + 1 : 0;
    while (at > 0 && take_line(bytes, at, &line)) {
        VT_TRY(take_result(line, diag, ret_results, &n));
        at += line.len + 1;
    }
    *ret_n = n;
    *ret_whole = at;
    return vt_ok();
}

/* ---- the file ---- */

/* Cuts off what a kill left of a line; the file stands at its end afterwards. */
static struct vt_err cut_at(FILE *file, size_t end)
{
    const bool done = ftruncate(fileno(file), (off_t)end) == 0 && fseek(file, 0, SEEK_END) == 0;
    return done ? vt_ok() : VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
}

static struct vt_err read_or_begin(const char *path, const char *about, struct vt_diag *diag,
                                   struct vt_tune_journal *journal)
{
    struct vt_slice bytes;
    size_t whole = 0;
    VT_TRY(vt_file_map(path, diag, &bytes));
    struct vt_err err = bytes.len > JOURNAL_BYTES_MAX
                            ? refuse_other(diag)
                            : vt_tune_journal_parse(bytes.len > 0 ? bytes : vt_slice("", 0), about,
                                                    diag, journal->results, &journal->n, &whole);
    vt_file_unmap(bytes);
    VT_TRY(err);
    VT_TRY(cut_at(journal->file, whole));
    if (whole > 0)
        return vt_ok();
    const bool written = fprintf(journal->file, "%s\n", about) > 0 && fflush(journal->file) == 0;
    return written ? vt_ok() : VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "r+");
    return file != NULL || errno != ENOENT ? file : fopen(path, "w+");
}

static struct vt_err lock_file(const char *path, FILE *file, struct vt_diag *diag)
{
    if (flock(fileno(file), LOCK_EX | LOCK_NB) == 0)
        return vt_ok();
    vt_diag_set(diag, path, "another tuning writes it; wait for its end, or give another --out");
    return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal is in use");
}

struct vt_err vt_tune_journal_open(const char *path, const char *about, struct vt_diag *diag,
                                   struct vt_tune_journal *ret_journal)
{
    struct vt_tune_journal journal = {.file = open_file(path)};
    if (journal.file == NULL) {
        vt_diag_set(diag, path, "cannot be opened for writing");
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be opened");
    }
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the journal");
    journal.results = calloc(VT_TUNE_RESULTS_MAX, sizeof *journal.results);
    if (journal.results != NULL)
        err = lock_file(path, journal.file, diag);
    if (!vt_failed(err))
        err = read_or_begin(path, about, diag, &journal);
    if (vt_failed(err))
        vt_tune_journal_close(&journal);
    else
        *ret_journal = journal;
    return err;
}

void vt_tune_journal_close(struct vt_tune_journal *journal)
{
    if (journal->file != NULL)
        fclose(journal->file);
    free(journal->results);
    *journal = (struct vt_tune_journal){0};
}

bool vt_tune_journal_has(const struct vt_tune_journal *journal, uint32_t trial, uint32_t rung,
                         double *ret_value)
{
    const struct vt_tune_result *found = find(journal->results, journal->n, trial, rung);
    if (found != NULL)
        *ret_value = found->value;
    return found != NULL;
}

struct vt_err vt_tune_journal_add(struct vt_tune_journal *journal,
                                  const struct vt_tune_result *result)
{
    VT_CHECK(journal->n < VT_TUNE_RESULTS_MAX, VT_EXHAUSTED, "the journal is full");
    journal->results[journal->n++] = *result;
    if (fprintf(journal->file, "%" PRIu32 " %" PRIu32 " %a\n", result->trial, result->rung,
                result->value) < 0 ||
        fflush(journal->file) != 0 || fsync(fileno(journal->file)) != 0)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
    return vt_ok();
}
