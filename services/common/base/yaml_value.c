/*
 * Readers of single nodes. Every refusal is one sentence: where it stands, which key, what was
 * given, what would be right.
 */
#include "services/common/base/options.h"
#include "services/common/base/text.h"
#include "services/common/base/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64, SHOWN_BYTES = 40, DAY_BYTES = 10 };

struct vt_err vt_yaml_refuse(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                             const char *format, ...)
{
    char text[VT_DIAG_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *key = node->key != NULL ? node->key : "";
    vt_diag_set(reader->diag, key, "%s:%" PRIu64 ": %s%s%s", reader->path, node->line, key,
                *key != '\0' ? ": " : "", text);
    if (reader->diag != NULL)
        reader->diag->line = node->line;
    return VT_ERR(VT_INVALID, "a configuration file is wrong");
}

struct vt_err vt_yaml_read_map(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               const struct vt_yaml_field *fields, size_t n_fields, void *target)
{
    const char *names[NAMES_MAX];
    VT_ASSERT(n_fields <= NAMES_MAX);
    for (size_t f = 0; f < n_fields; f++)
        names[f] = fields[f].key;
    if (node->kind != VT_YAML_MAP)
        return vt_yaml_refuse(reader, node, "expected a map of 'key: value' lines here");
    for (const struct vt_yaml_node *child = node->first; child != NULL; child = child->next) {
        size_t f = 0;
        while (f < n_fields && strcmp(names[f], child->key) != 0)
            f++;
        const char *nearest = f == n_fields ? vt_nearest_name(child->key, names, n_fields) : NULL;
        if (f == n_fields)
            return vt_yaml_refuse(reader, child, "no such key here%s%s%s",
                                  nearest != NULL ? "; did you mean '" : "",
                                  nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
        VT_TRY(fields[f].read(reader, child, target));
    }
    return vt_ok();
}

struct vt_err vt_yaml_check_list(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, uint32_t max)
{
    if (node->kind != VT_YAML_LIST)
        return vt_yaml_refuse(reader, node, "expected a list here");
    if (node->n > max)
        return vt_yaml_refuse(reader, node, "%" PRIu32 " entries, at most %" PRIu32, node->n, max);
    return vt_ok();
}

/* ---- scalars ---- */

static struct vt_err check_scalar(const struct vt_yaml_reader *reader,
                                  const struct vt_yaml_node *node)
{
    if (node->kind != VT_YAML_SCALAR || node->text.len == 0)
        return vt_yaml_refuse(reader, node, "expected one value here");
    return vt_ok();
}

struct vt_err vt_yaml_read_f64(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               double min, double max, double *ret_value)
{
    VT_TRY(check_scalar(reader, node));
    /* No spaces, no "nan", no hexadecimal. */
    bool digits = strspn(node->text.data, "0123456789+-.eE") == node->text.len;
    char *end = NULL;
    double value = strtod(node->text.data, &end);
    if (!digits || *end != '\0' || !isfinite(value) || value < min || value > max)
        return vt_yaml_refuse(reader, node, "'%.*s' is not a number from %g to %g", SHOWN_BYTES,
                              node->text.data, min, max);
    *ret_value = value;
    return vt_ok();
}

/* Digits only: strtoull alone would take " -1" too. */
static bool parse_digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret_value = strtoull(text, &end, 10);
    *ret_rest = end;
    return errno == 0;
}

struct vt_err vt_yaml_read_u32(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               uint32_t min, uint32_t max, uint32_t *ret_value)
{
    uint64_t value = 0;
    const char *rest = "";
    VT_TRY(check_scalar(reader, node));
    if (!parse_digits(node->text.data, &value, &rest) || *rest != '\0' || value < min ||
        value > max)
        return vt_yaml_refuse(reader, node,
                              "'%.*s' is not a whole number from %" PRIu32 " to %" PRIu32,
                              SHOWN_BYTES, node->text.data, min, max);
    *ret_value = (uint32_t)value;
    return vt_ok();
}

struct vt_err vt_yaml_read_duration(const struct vt_yaml_reader *reader,
                                    const struct vt_yaml_node *node, int64_t max_ms,
                                    int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t number = 0;
    const char *unit = "";
    int64_t ms = 0;
    VT_TRY(check_scalar(reader, node));
    bool read = parse_digits(node->text.data, &number, &unit);
    for (size_t u = 0; read && u < sizeof units / sizeof units[0]; u++)
        if (strcmp(unit, units[u].unit) == 0 && __builtin_mul_overflow(number, units[u].ms, &ms))
            ms = 0;
    if (ms <= 0 || ms > max_ms)
        return vt_yaml_refuse(
            reader, node, "'%.*s' is not a time such as 10m, 36h or 14d, of at most %" PRId64 "d",
            SHOWN_BYTES, node->text.data, max_ms / 86400000);
    *ret_ms = ms;
    return vt_ok();
}

/* Days since 1970-01-01 of a Gregorian date (Howard Hinnant's days_from_civil). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static bool is_day(unsigned year, unsigned month, unsigned day)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && leap);
}

struct vt_err vt_yaml_read_day(const struct vt_yaml_reader *reader, const struct vt_yaml_node *node,
                               int64_t *ret_ms)
{
    unsigned year = 0, month = 0, day = 0;
    VT_TRY(check_scalar(reader, node));
    const char *text = node->text.data;
    bool form = node->text.len == DAY_BYTES && strspn(text, "0123456789-") == DAY_BYTES &&
                sscanf(text, "%4u-%2u-%2u", &year, &month, &day) == 3;
    if (!form || !is_day(year, month, day))
        return vt_yaml_refuse(reader, node, "'%.*s' is not a day such as 2026-06-01", SHOWN_BYTES,
                              text);
    *ret_ms = days_of(year, month, day) * INT64_C(86400000);
    return vt_ok();
}

struct vt_err vt_yaml_read_choice(const struct vt_yaml_reader *reader,
                                  const struct vt_yaml_node *node, const char *const *names,
                                  size_t n_names, unsigned *ret_choice)
{
    char all[VT_DIAG_TEXT_BYTES / 2] = "";
    size_t len = 0;
    VT_TRY(check_scalar(reader, node));
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], node->text.data) == 0) {
            *ret_choice = (unsigned)i;
            return vt_ok();
        }
        if (len < sizeof all)
            len +=
                (size_t)snprintf(all + len, sizeof all - len, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = vt_nearest_name(node->text.data, names, n_names);
    return vt_yaml_refuse(reader, node, "'%.*s' is none of %s%s%s%s", SHOWN_BYTES, node->text.data,
                          all, nearest != NULL ? "; did you mean '" : "",
                          nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

struct vt_err vt_yaml_read_text(const struct vt_yaml_reader *reader,
                                const struct vt_yaml_node *node, size_t max,
                                struct vt_slice *ret_text)
{
    VT_TRY(check_scalar(reader, node));
    if (node->text.len > max || !vt_text_valid(node->text, NULL))
        return vt_yaml_refuse(reader, node, "a text of %zu bytes; UTF-8 of at most %zu is right",
                              node->text.len, max);
    *ret_text = vt_arena_copy(reader->arena, node->text);
    VT_CHECK(ret_text->data != NULL, VT_EXHAUSTED, "no memory for the configuration");
    return vt_ok();
}

struct vt_err vt_yaml_read_texts(const struct vt_yaml_reader *reader,
                                 const struct vt_yaml_node *node, uint32_t n_max, size_t max,
                                 const struct vt_slice **ret_texts, uint32_t *ret_n)
{
    bool one = node->kind == VT_YAML_SCALAR;
    uint32_t n = 0;
    if (!one)
        VT_TRY(vt_yaml_check_list(reader, node, n_max));
    struct vt_slice *texts =
        vt_arena_array(reader->arena, one ? 1 : (size_t)node->n + 1, sizeof *texts);
    VT_CHECK(texts != NULL, VT_EXHAUSTED, "no memory for the configuration");
    for (const struct vt_yaml_node *entry = one ? node : node->first; entry != NULL;
         entry = one ? NULL : entry->next)
        VT_TRY(vt_yaml_read_text(reader, entry, max, &texts[n++]));
    *ret_texts = texts;
    *ret_n = n;
    return vt_ok();
}
