/*
 * One value from text into the target struct. A row per kind says how to read it and, for people,
 * what it looks like; every refusal is one sentence: where it stands, which key, what was given,
 * what would be right.
 */
#include "services/common/base/options_internal.h"
#include "services/common/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 64, LIST_ITEMS_MAX = 65536 };

/* Reads assignment->value into `field`; false when it is not of the kind, or no memory. */
typedef bool (*read_fn)(struct vt__storage *storage, const struct vt__assignment *assignment,
                        void *field);

/* Numbers are short: a NUL-terminated copy for strto*. */
static bool copy_number(struct vt_slice value, char ret_text[NUMBER_BYTES_MAX])
{
    if (value.len == 0 || value.len >= NUMBER_BYTES_MAX)
        return false;
    memcpy(ret_text, value.data, value.len);
    ret_text[value.len] = '\0';
    return strlen(ret_text) == value.len;
}

static bool has_limits(const struct vt_option *option)
{
    return option->min < 0 || option->min > 0 || option->max < 0 || option->max > 0;
}

static bool within_limits(const struct vt_option *option, double value)
{
    return !has_limits(option) || (value >= option->min && value <= option->max);
}

/* Digits only: strtoull alone would take " -1" too. */
static bool parse_digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
    if (text[0] < '0' || text[0] > '9')
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    *ret_value = value;
    *ret_rest = end;
    return true;
}

static bool parse_integer(const struct vt__assignment *assignment, uint64_t max,
                          uint64_t *ret_value)
{
    char text[NUMBER_BYTES_MAX];
    const char *rest;
    return copy_number(assignment->value, text) && parse_digits(text, ret_value, &rest) &&
           *rest == '\0' && *ret_value <= max &&
           within_limits(assignment->option, (double)*ret_value);
}

static bool read_bool(struct vt__storage *storage, const struct vt__assignment *assignment,
                      void *field)
{
    (void)storage;
    bool yes = vt_slice_equal(assignment->value, vt_slice_str("true"));
    if (!yes && !vt_slice_equal(assignment->value, vt_slice_str("false")))
        return false;
    memcpy(field, &yes, sizeof yes);
    return true;
}

static bool read_u32(struct vt__storage *storage, const struct vt__assignment *assignment,
                     void *field)
{
    (void)storage;
    uint64_t value;
    if (!parse_integer(assignment, UINT32_MAX, &value))
        return false;
    uint32_t narrow = (uint32_t)value;
    memcpy(field, &narrow, sizeof narrow);
    return true;
}

static bool read_u64(struct vt__storage *storage, const struct vt__assignment *assignment,
                     void *field)
{
    (void)storage;
    uint64_t value;
    if (!parse_integer(assignment, UINT64_MAX, &value))
        return false;
    memcpy(field, &value, sizeof value);
    return true;
}

static bool read_f64(struct vt__storage *storage, const struct vt__assignment *assignment,
                     void *field)
{
    (void)storage;
    char text[NUMBER_BYTES_MAX];
    /* No spaces, no "nan", no hexadecimal. */
    if (!copy_number(assignment->value, text) ||
        strspn(text, "0123456789+-.eE") != assignment->value.len)
        return false;
    char *end = NULL;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || !within_limits(assignment->option, value))
        return false;
    memcpy(field, &value, sizeof value);
    return true;
}

/* Texts of argv and of the table live long enough; all others are copied. */
static const char *lasting_text(struct vt__storage *storage,
                                const struct vt__assignment *assignment, struct vt_slice text)
{
    if (!vt_text_valid(text, NULL))
        return NULL;
    bool ends_with_nul = text.data + text.len == assignment->value.data + assignment->value.len;
    if (ends_with_nul &&
        (assignment->source == VT__SOURCE_FLAG || assignment->source == VT__SOURCE_DEFAULT))
        return text.data;
    return vt__option_keep(storage, text);
}

static bool read_text(struct vt__storage *storage, const struct vt__assignment *assignment,
                      void *field)
{
    const char *text = lasting_text(storage, assignment, assignment->value);
    if (text == NULL)
        return false;
    memcpy(field, &text, sizeof text);
    return true;
}

static bool is_choice(const char *choices, struct vt_slice value)
{
    for (const char *at = choices; at != NULL;) {
        const char *bar = strchr(at, '|');
        size_t len = bar != NULL ? (size_t)(bar - at) : strlen(at);
        if (vt_slice_equal(value, vt_slice(at, len)))
            return true;
        at = bar != NULL ? bar + 1 : NULL;
    }
    return false;
}

static bool read_choice(struct vt__storage *storage, const struct vt__assignment *assignment,
                        void *field)
{
    return is_choice(assignment->option->choices, assignment->value) &&
           read_text(storage, assignment, field);
}

static bool parse_unit(const char *unit, uint64_t *ret_ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].name) == 0) {
            *ret_ms = units[i].ms;
            return true;
        }
    return false;
}

static bool read_duration(struct vt__storage *storage, const struct vt__assignment *assignment,
                          void *field)
{
    (void)storage;
    char text[NUMBER_BYTES_MAX];
    const char *unit;
    uint64_t number, unit_ms = 0;
    int64_t ms;
    if (!copy_number(assignment->value, text) || !parse_digits(text, &number, &unit))
        return false;
    if (!parse_unit(unit, &unit_ms) && !(number == 0 && *unit == '\0'))
        return false;
    if (__builtin_mul_overflow(number, unit_ms, &ms) ||
        !within_limits(assignment->option, (double)ms))
        return false;
    memcpy(field, &ms, sizeof ms);
    return true;
}

static bool parse_size_unit(const char *text, uint64_t *ret_bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i]) != 0)
            continue;
        *ret_bytes = UINT64_C(1) << (10 * i);
        return true;
    }
    return false;
}

static bool read_size(struct vt__storage *storage, const struct vt__assignment *assignment,
                      void *field)
{
    (void)storage;
    char text[NUMBER_BYTES_MAX];
    const char *unit;
    uint64_t number, unit_bytes, bytes;
    if (!copy_number(assignment->value, text) || !parse_digits(text, &number, &unit) ||
        !parse_size_unit(unit, &unit_bytes))
        return false;
    if (__builtin_mul_overflow(number, unit_bytes, &bytes) ||
        !within_limits(assignment->option, (double)bytes))
        return false;
    memcpy(field, &bytes, sizeof bytes);
    return true;
}

static bool list_grow(struct vt_option_list *list, size_t *capacity)
{
    if (list->n + 1 < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    const char **grown =
        list->n < LIST_ITEMS_MAX ? realloc(list->items, wanted * sizeof *grown) : NULL;
    if (grown == NULL)
        return false;
    list->items = grown;
    *capacity = wanted;
    return true;
}

static bool list_add(struct vt__storage *storage, const struct vt__assignment *assignment,
                     struct vt_option_list *list, struct vt_slice item)
{
    struct vt__option_state *state = &storage->states[assignment->option - storage->spec->options];
    const char *text = lasting_text(storage, assignment, item);
    if (text == NULL || !list_grow(list, &state->capacity))
        return false;
    list->items[list->n++] = text;
    list->items[list->n] = NULL;
    return true;
}

/* A flag and an element of a YAML sequence are one item each; defaults and the environment, which
 * can not repeat, are cut at commas. A stronger source replaces the whole list. */
static bool read_list(struct vt__storage *storage, const struct vt__assignment *assignment,
                      void *field)
{
    struct vt_option_list *list = field;
    if (storage->states[assignment->option - storage->spec->options].source != assignment->source)
        list->n = 0;
    struct vt_slice rest = assignment->value;
    if (assignment->source == VT__SOURCE_FLAG || assignment->source == VT__SOURCE_FILE)
        return list_add(storage, assignment, list, rest);
    while (rest.len > 0) {
        const char *comma = memchr(rest.data, ',', rest.len);
        size_t len = comma != NULL ? (size_t)(comma - rest.data) : rest.len;
        if (!list_add(storage, assignment, list, vt_slice(rest.data, len)))
            return false;
        rest = comma != NULL ? vt_slice(comma + 1, rest.len - len - 1) : vt_slice(NULL, 0);
    }
    return true;
}

static const struct {
    read_fn read;
    const char *looks_like;
} kinds[] = {
    [VT_OPTION_BOOL] = {read_bool, "true or false"},
    [VT_OPTION_U32] = {read_u32, "a whole number"},
    [VT_OPTION_U64] = {read_u64, "a whole number"},
    [VT_OPTION_F64] = {read_f64, "a finite number"},
    [VT_OPTION_TEXT] = {read_text, "UTF-8 text without NUL"},
    [VT_OPTION_CHOICE] = {read_choice, "one of "},
    [VT_OPTION_DURATION] = {read_duration, "a duration such as 250ms, 5s, 10m, 1h or 14d"},
    [VT_OPTION_SIZE] = {read_size, "a size such as 4096, 512KiB, 64MiB or 2GiB"},
    [VT_OPTION_LIST] = {read_list, "UTF-8 text without NUL"},
};

/* "config.yaml:3: key 'port'", "environment VITRINE_PORT", "--port". */
static void describe_place(const struct vt__assignment *assignment, char *ret_text,
                           size_t size_bytes)
{
    const char *name = assignment->option->name;
    if (assignment->source == VT__SOURCE_FILE) {
        snprintf(ret_text, size_bytes, "%s:%" PRIu64 ": key '%s'", assignment->path,
                 assignment->line, name);
    } else if (assignment->source == VT__SOURCE_ENV) {
        char env_name[VT_DIAG_FIELD_BYTES];
        vt__option_env_name(assignment->option, env_name, sizeof env_name);
        snprintf(ret_text, size_bytes, "environment %s", env_name);
    } else {
        snprintf(ret_text, size_bytes, "%s%s", name[1] == '\0' ? "-" : "--", name);
    }
}

static void describe_limits(const struct vt_option *option, char *ret_text, size_t size_bytes)
{
    ret_text[0] = '\0';
    if (!has_limits(option))
        return;
    bool is_duration = option->kind == VT_OPTION_DURATION;
    snprintf(ret_text, size_bytes, " from %.15g%s to %.15g%s", option->min, is_duration ? "ms" : "",
             option->max, is_duration ? "ms" : "");
}

static struct vt_err refuse(const struct vt__assignment *assignment, struct vt_diag *diag)
{
    const struct vt_option *option = assignment->option;
    /* Long enough for what people mistype, short enough to leave room for the advice. */
    size_t shown = assignment->value.len < 60 ? assignment->value.len : 60;
    char place[160], limits[64];
    describe_place(assignment, place, sizeof place);
    describe_limits(option, limits, sizeof limits);
    vt_diag_set(diag, option->name, "%s: '%.*s' is not %s%s%s", place, (int)shown,
                assignment->value.data != NULL ? assignment->value.data : "",
                kinds[option->kind].looks_like,
                option->kind == VT_OPTION_CHOICE ? option->choices : "", limits);
    if (diag != NULL)
        diag->line = assignment->line;
    return VT_ERR(VT_INVALID, "an option has a wrong value");
}

struct vt_err vt__option_set(struct vt__storage *storage, const struct vt__assignment *assignment,
                             struct vt_diag *diag)
{
    const struct vt_option *option = assignment->option;
    void *field = (char *)storage->target + option->offset;
    if (!kinds[option->kind].read(storage, assignment, field))
        return refuse(assignment, diag);
    struct vt__option_state *state = &storage->states[option - storage->spec->options];
    state->source = assignment->source;
    state->line = assignment->line;
    return vt_ok();
}
