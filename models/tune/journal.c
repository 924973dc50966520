/*
 * The journal is text, because people look into it; values are hexadecimal floats, because the same
 * bits must come back or the order of two trials could change. A value is written when it is known
 * and never changed.
 */
#include "models/tune/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { LINE_BYTES = 512, RESULTS_MAX = VT_TUNE_TRIALS_MAX * VT_TUNE_RUNGS };

static bool parse_line(const char *line, struct vt_tune_result *ret_result)
{
    struct vt_tune_result result;
    char value[64], *end;
    int used = 0;
    if (sscanf(line, "%" SCNu32 " %" SCNu32 " %63s%n", &result.trial, &result.rung, value, &used) !=
            3 ||
        line[used] != '\n')
        return false;
    result.value = strtod(value, &end);
    if (*end != '\0' || result.trial >= VT_TUNE_TRIALS_MAX || result.rung >= VT_TUNE_RUNGS)
        return false;
    *ret_result = result;
    return true;
}

static struct vt_err check_about(const char *line, const char *about, const char *path,
                                 struct vt_diag *diag)
{
    const size_t len = strlen(about);
    if (strncmp(line, about, len) == 0 && strcmp(line + len, "\n") == 0)
        return vt_ok();
    vt_diag_set(diag, path,
                "this is the journal of another tuning; remove it, or give another --out");
    return VT_ERR(VT_INVALID, "the journal is of something else");
}

/* Cuts off what a kill left of a line; the file stands at its end afterwards. */
static struct vt_err cut_at(FILE *file, long end)
{
    const bool done =
        fflush(file) == 0 && ftruncate(fileno(file), end) == 0 && fseek(file, end, SEEK_SET) == 0;
    return done ? vt_ok() : VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
}

static struct vt_err read_results(const char *path, struct vt_diag *diag,
                                  struct vt_tune_journal *journal)
{
    char line[LINE_BYTES];
    long end = ftell(journal->file);
    while (fgets(line, sizeof line, journal->file) != NULL && strchr(line, '\n') != NULL) {
        if (journal->n == RESULTS_MAX || !parse_line(line, &journal->results[journal->n])) {
            vt_diag_set(diag, path, "'%.*s' is no result", (int)strcspn(line, "\n"), line);
            return VT_ERR(VT_CORRUPT, "the journal is damaged");
        }
        journal->n++;
        end = ftell(journal->file);
    }
    return cut_at(journal->file, end);
}

static struct vt_err read_or_begin(const char *path, const char *about, struct vt_diag *diag,
                                   struct vt_tune_journal *journal)
{
    char line[LINE_BYTES];
    if (fgets(line, sizeof line, journal->file) != NULL && strchr(line, '\n') != NULL) {
        VT_TRY(check_about(line, about, path, diag));
        return read_results(path, diag, journal);
    }
    VT_TRY(cut_at(journal->file, 0));
    const bool written = fprintf(journal->file, "%s\n", about) > 0 && fflush(journal->file) == 0;
    return written ? vt_ok() : VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "r+");
    return file != NULL || errno != ENOENT ? file : fopen(path, "w+");
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
    journal.results = calloc(RESULTS_MAX, sizeof *journal.results);
    if (journal.results != NULL)
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
    for (uint32_t i = 0; i < journal->n; i++)
        if (journal->results[i].trial == trial && journal->results[i].rung == rung) {
            *ret_value = journal->results[i].value;
            return true;
        }
    return false;
}

struct vt_err vt_tune_journal_add(struct vt_tune_journal *journal,
                                  const struct vt_tune_result *result)
{
    VT_CHECK(journal->n < RESULTS_MAX, VT_EXHAUSTED, "the journal is full");
    journal->results[journal->n++] = *result;
    if (fprintf(journal->file, "%" PRIu32 " %" PRIu32 " %a\n", result->trial, result->rung,
                result->value) < 0 ||
        fflush(journal->file) != 0 || fsync(fileno(journal->file)) != 0)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the journal cannot be written");
    return vt_ok();
}
