/*
 * Nothing is lost silently: what is not imported stands in one of these files with its line, the
 * field and the reason. A review line is a row of docs/data-formats.md with a "_review" object
 * beside, which the importer passes over, so mending means editing the line and importing the file.
 */
#include "services/ingest/aside.h"

#include "services/common/base/file.h"
#include "services/common/base/text.h"
#include "services/common/base/time_text.h"
#include "services/ingest/fields.h"
#include "services/ingest/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char UNFINISHED[] = ".part";
enum { SAME_NAME_MAX = 10000 }; /* files of one name that may wait side by side */

/* True when the source is the file that waits under this name: a mended one, imported again. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat info_a, info_b;
    return stat(a, &info_a) == 0 && stat(b, &info_b) == 0 && info_a.st_dev == info_b.st_dev &&
           info_a.st_ino == info_b.st_ino;
}

/* DIR/folder/name.jsonl, then name.2.jsonl … */
static int format_path(const struct vt_aside *aside, unsigned copy, char *ret_path)
{
    char number[16] = "";
    if (copy > 0)
        snprintf(number, sizeof number, ".%u", copy + 1);
    return snprintf(ret_path, VT_ASIDE_PATH_BYTES, "%s%s.jsonl", aside->stem, number);
}

struct vt_err vt_aside_init(struct vt_aside *aside, const char *dir, const char *folder,
                            const char *source, unsigned copy, struct vt_diag *diag)
{
    *aside = (struct vt_aside){0};
    if (dir == NULL)
        return vt_ok();
    struct vt_slice stem = vt_path_stem(source);
    bool named = stem.len > 6 && memcmp(stem.data + stem.len - 6, ".jsonl", 6) == 0;
    char parent[VT_ASIDE_PATH_BYTES];
    int n_parent = snprintf(parent, sizeof parent, "%s/%s", dir, folder);
    stem.len -= named ? 6 : 0;
    int n = snprintf(aside->stem, sizeof aside->stem, "%s/%s/%.*s", dir, folder, (int)stem.len,
                     stem.data);
    VT_CHECK(n_parent < (int)sizeof parent && n + 32 < (int)sizeof aside->path, VT_INVALID,
             "the path of the data folder is too long");
    aside->copy = copy;
    format_path(aside, copy, aside->path);
    aside->replaces = is_same_file(source, aside->path);
    return vt_folder_create(parent, diag);
}

static struct vt_err aside_open(struct vt_aside *aside)
{
    char part[VT_ASIDE_PATH_BYTES + sizeof UNFINISHED];
    aside->n++;
    if (aside->path[0] == '\0' || aside->out != NULL)
        return vt_ok();
    snprintf(part, sizeof part, "%s%s", aside->path, UNFINISHED);
    aside->out = fopen(part, "we");
    if (aside->out == NULL)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write the review or reject file");
    return vt_ok();
}

void vt_json_text(FILE *out, struct vt_slice text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.data[i];
        size_t bytes = c == 0 ? 1 : vt_text_sequence_bytes(text, i);
        if (bytes == 0)
            fputs("\\ufffd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fwrite(text.data + i, 1, bytes, out);
        i += bytes > 0 ? bytes : 1;
    }
    fputc('"', out);
}

struct vt_err vt_aside_reject(struct vt_aside *aside, uint64_t line, const char *reason,
                              struct vt_slice raw)
{
    VT_TRY(aside_open(aside));
    if (aside->out == NULL)
        return vt_ok();
    bool cut = raw.len > VT_ASIDE_RAW_BYTES;
    fprintf(aside->out, "{\"line\":%llu,\"reason\":", (unsigned long long)line);
    vt_json_text(aside->out, vt_slice_str(reason));
    fprintf(aside->out, ",\"cut\":%s,\"raw\":", cut ? "true" : "false");
    vt_json_text(aside->out, vt_slice(raw.data, cut ? VT_ASIDE_RAW_BYTES : raw.len));
    fputs("}\n", aside->out);
    return vt_ok();
}

/* ---- a record as a line of docs/data-formats.md ---- */
static void print_name(FILE *out, const char *name)
{
    fprintf(out, ",\"%s\":", name);
}

static void print_slice(FILE *out, const struct vt_field_spec *field, const void *value)
{
    const struct vt_slice *text = value;
    if (text->len == 0)
        return;
    print_name(out, field->name);
    vt_json_text(out, *text);
}

static void print_number(FILE *out, const struct vt_field_spec *field, const void *value)
{
    print_name(out, field->name);
    fprintf(out, "%.15g", *(const double *)value);
}

static void print_time(FILE *out, const struct vt_field_spec *field, const void *value)
{
    char text[VT_TIME_TEXT_BYTES];
    vt_time_print(*(const int64_t *)value, text);
    print_name(out, field->name);
    fprintf(out, "\"%s\"", text);
}

static void print_stock(FILE *out, const struct vt_field_spec *field, const void *value)
{
    print_name(out, field->name);
    fprintf(out, "%lld", (long long)*(const int64_t *)value);
}

static void print_type(FILE *out, const struct vt_field_spec *field, const void *value)
{
    const char *name = vt_event_type_name(*(const enum vt_event_type *)value);
    print_name(out, field->name);
    vt_json_text(out, vt_slice_str(name != NULL ? name : ""));
}

static void print_consent(FILE *out, const struct vt_field_spec *field, const void *value)
{
    static const char *const names[] = {"unspecified", "granted", "denied"};
    print_name(out, field->name);
    fprintf(out, "\"%s\"", names[*(const int *)value]);
}

typedef void (*print_fn)(FILE *out, const struct vt_field_spec *field, const void *value);
static const print_fn printers[] = {
    [VT_FIELD_ID] = print_slice,        [VT_FIELD_ITEM_KEY] = print_slice,
    [VT_FIELD_TEXT] = print_slice,      [VT_FIELD_NUMBER] = print_number,
    [VT_FIELD_PRICE] = print_number,    [VT_FIELD_AMOUNT] = print_number,
    [VT_FIELD_TIME] = print_time,       [VT_FIELD_TYPE] = print_type,
    [VT_FIELD_CURRENCY] = print_slice,  [VT_FIELD_STOCK] = print_stock,
    [VT_FIELD_CONSENT] = print_consent,
};

static void print_categories(FILE *out, const struct vt_item *item)
{
    fputs(",\"categories\":[", out);
    for (uint32_t i = 0; i < item->n_categories; i++) {
        fputs(i > 0 ? "," : "", out);
        vt_json_text(out, item->categories[i]);
    }
    fputc(']', out);
}

static void print_attributes(FILE *out, const struct vt_record *record)
{
    uint32_t n;
    const struct vt_attribute *list = vt_record_attributes(record, &n);
    fputs(",\"attributes\":{", out);
    for (uint32_t i = 0; i < n; i++) {
        fputs(i > 0 ? "," : "", out);
        vt_json_text(out, list[i].key);
        fputc(':', out);
        vt_json_text(out, list[i].value);
    }
    fputc('}', out);
}

/* The flaw whose text stands where the field's value would; NULL when the value is usable. */
static const struct vt_flaw *flaw_of(const struct vt_record *record, const char *field)
{
    for (const struct vt_flaw *flaw = record->flaws; flaw != NULL; flaw = flaw->next)
        if (strcmp(flaw->field, field) == 0 && flaw->text.len > 0)
            return flaw;
    return NULL;
}

static bool field_has_value(const struct vt_record *record, const struct vt_field_spec *field,
                            size_t i)
{
    bool told = (record->fields >> i & 1) != 0;
    bool derived_type = field->form == VT_FIELD_TYPE && record->of.event->event.type != 0;
    bool slice = printers[field->form] == print_slice; /* prints itself only when there is one */
    return told || derived_type || slice;
}

static void print_field(FILE *out, const struct vt_record *record,
                        const struct vt_field_spec *field, size_t i)
{
    const struct vt_flaw *flaw = flaw_of(record, field->name);
    const char *value = (const char *)record->of.any + field->offset;
    bool list = field->form == VT_FIELD_CATEGORIES || field->form == VT_FIELD_ATTRIBUTES;
    if (flaw != NULL && !list) {
        print_name(out, field->name);
        vt_json_text(out, flaw->text);
    } else if (field->form == VT_FIELD_CATEGORIES) {
        print_categories(out, &record->of.item->item);
    } else if (field->form == VT_FIELD_ATTRIBUTES) {
        print_attributes(out, record);
    } else if (field_has_value(record, field, i)) {
        printers[field->form](out, field, value);
    }
}

static const char *deciding_field(const struct vt_record *record)
{
    for (const struct vt_flaw *flaw = record->flaws; flaw != NULL; flaw = flaw->next)
        if (flaw->rule == (enum vt_rule)record->decided_by)
            return flaw->field;
    return "";
}

static void print_review(FILE *out, const struct vt_record *record, const char *source)
{
    const struct vt_rule_info *rule = vt_rule_info((enum vt_rule)record->decided_by);
    fputs(",\"_review\":{\"file\":", out);
    vt_json_text(out, vt_slice_str(source));
    fprintf(out, ",\"line\":%llu,\"field\":\"%s\",\"rule\":\"%s\",\"reason\":",
            (unsigned long long)record->line, deciding_field(record), rule->name);
    vt_json_text(out, vt_slice_str(rule->summary));
    fprintf(out, ",\"quality\":%u}}\n", record->quality);
}

/* Without the closing brace, for what stands behind the fields. */
static void print_record(FILE *out, const struct vt_record *record)
{
    size_t n_fields;
    enum vt_record_kind kind = (enum vt_record_kind)record->kind;
    const struct vt_field_spec *fields = vt_fields(kind, &n_fields);
    fprintf(out, "{\"kind\":\"%s\"", vt_record_kind_name(kind));
    for (size_t i = 0; i < n_fields; i++)
        print_field(out, record, &fields[i], i);
}

struct vt_err vt_aside_review(struct vt_aside *aside, const struct vt_record *record,
                              const char *source)
{
    VT_TRY(aside_open(aside));
    if (aside->out == NULL)
        return vt_ok();
    print_record(aside->out, record);
    print_review(aside->out, record, source);
    return vt_ok();
}

struct vt_err vt_aside_refused(struct vt_aside *aside, const struct vt_record *record,
                               const char *reason)
{
    char *row = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&row, &len);
    VT_CHECK(memory != NULL, VT_EXHAUSTED, "out of memory");
    print_record(memory, record);
    fputc('}', memory);
    struct vt_err err = fclose(memory) == 0
                            ? vt_aside_reject(aside, record->line, reason, vt_slice(row, len))
                            : VT_ERR(VT_EXHAUSTED, "out of memory");
    free(row);
    return err;
}

static bool have_same_content(const char *a, const char *b)
{
    struct vt_slice left, right;
    if (vt_failed(vt_file_map(a, NULL, &left)))
        return false;
    bool same = !vt_failed(vt_file_map(b, NULL, &right));
    if (same) {
        same = vt_slice_equal(left, right);
        vt_file_unmap(right);
    }
    vt_file_unmap(left);
    return same;
}

/* Moves aside->path on to a name under which nothing else waits: rows that somebody has yet to mend
 * are never overwritten. Importing the same file again finds its own rows and changes nothing. */
static struct vt_err choose_name(struct vt_aside *aside, const char *part)
{
    for (unsigned copy = aside->copy; !aside->replaces && copy < SAME_NAME_MAX; copy++) {
        format_path(aside, copy, aside->path);
        if (access(aside->path, F_OK) != 0 || have_same_content(part, aside->path))
            return vt_ok();
    }
    return aside->replaces ? vt_ok()
                           : VT_ERR(VT_EXHAUSTED, "too many files of one name wait for review");
}

static struct vt_err close_part(struct vt_aside *aside)
{
    bool ok = fflush(aside->out) == 0 && fsync(fileno(aside->out)) == 0 && !ferror(aside->out);
    ok = fclose(aside->out) == 0 && ok;
    aside->out = NULL;
    return ok ? vt_ok() : VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write a file");
}

struct vt_err vt_aside_commit(struct vt_aside *aside, struct vt_diag *diag, char *ret_path)
{
    char part[VT_ASIDE_PATH_BYTES + sizeof UNFINISHED];
    ret_path[0] = '\0';
    if (aside->path[0] == '\0')
        return vt_ok();
    if (aside->out == NULL) {
        if (aside->replaces) /* all of it is mended */
            (void)unlink(aside->path);
        return vt_ok();
    }
    snprintf(part, sizeof part, "%s%s", aside->path, UNFINISHED);
    struct vt_err err = close_part(aside);
    if (!vt_failed(err))
        err = choose_name(aside, part);
    if (!vt_failed(err) && rename(part, aside->path) != 0)
        err = VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot write a file");
    if (vt_failed(err)) {
        vt_diag_set(diag, aside->path, "%s: %s", err.what, strerror(err.sys));
        return err;
    }
    memcpy(ret_path, aside->path, VT_ASIDE_PATH_BYTES);
    return vt_ok();
}

void vt_aside_fini(struct vt_aside *aside)
{
    char part[VT_ASIDE_PATH_BYTES + sizeof UNFINISHED];
    if (aside->out == NULL)
        return;
    fclose(aside->out);
    aside->out = NULL;
    snprintf(part, sizeof part, "%s%s", aside->path, UNFINISHED);
    (void)unlink(part);
}
