/*
 * Reading interactions from adjacency files. The file is mapped and walked once; a number is
 * accumulated digit by digit with its limit checked, so no line length or count can hurt, and every
 * refusal names line and column.
 */
#include "models/dataset/interactions.h"

#include "services/common/base/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 4096 };

struct vt_err vt_interactions_append(struct vt_interactions *interactions,
                                     const struct vt_interaction *interaction)
{
    if (interactions->n == interactions->capacity) {
        VT_CHECK(interactions->n < VT_INTERACTIONS_MAX, VT_EXHAUSTED,
                 "more interactions than the limit of 2^30");
        uint64_t capacity =
            interactions->capacity > 0 ? 2 * interactions->capacity : FIRST_CAPACITY;
        struct vt_interaction *list =
            realloc(interactions->list, (size_t)capacity * sizeof *interactions->list);
        VT_CHECK(list != NULL, VT_EXHAUSTED, "out of memory for the interactions");
        interactions->list = list;
        interactions->capacity = capacity;
    }
    interactions->list[interactions->n++] = *interaction;
    return vt_ok();
}

void vt_interactions_free(struct vt_interactions *interactions)
{
    if (interactions == NULL)
        return;
    free(interactions->list);
    *interactions = (struct vt_interactions){0};
}

/* Where the parser stands. */
struct cursor {
    const char *at, *end;
    const char *line_start;
    uint64_t line; /* 1-based */
};

static struct vt_err refuse(const struct cursor *cursor, struct vt_diag *diag, const char *reason)
{
    unsigned long column = (unsigned long)(cursor->at - cursor->line_start) + 1;
    if (diag != NULL) {
        diag->line = cursor->line;
        diag->offset = column - 1;
    }
    char found[32] = "the end of the file";
    if (cursor->at < cursor->end) {
        unsigned char byte = (unsigned char)*cursor->at;
        snprintf(found, sizeof found, byte > ' ' && byte < 127 ? "'%c'" : "byte 0x%02x", byte);
    }
    vt_diag_set(diag, "", "line %llu, column %lu: %s, found %s; expected 'user item item …'",
                (unsigned long long)cursor->line, column, reason, found);
    return VT_ERR(VT_INVALID, "not an adjacency file");
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

/* At the end of a line (LF, CRLF or the end of the file): steps over it. */
static bool take_line_end(struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return true;
    const char *at = cursor->at;
    if (*at == '\r' && at + 1 < cursor->end && at[1] == '\n')
        at++;
    if (*at != '\n')
        return false;
    cursor->at = at + 1;
    cursor->line_start = cursor->at;
    cursor->line++;
    return true;
}

/* A number and the blanks behind it. */
static struct vt_err take_number(struct cursor *cursor, struct vt_diag *diag, uint32_t *ret_number)
{
    const char *start = cursor->at;
    uint64_t number = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        number = number * 10 + (uint64_t)(*cursor->at - '0');
        if (number >= UINT32_MAX)
            return refuse(cursor, diag, "a number above 4294967294");
    }
    if (cursor->at == start)
        return refuse(cursor, diag, "not an unsigned integer");
    skip_blanks(cursor);
    *ret_number = (uint32_t)number;
    return vt_ok();
}

static struct vt_err take_line(struct cursor *cursor, struct vt_diag *diag,
                               struct vt_interactions *ret)
{
    struct vt_interaction interaction = {.type = VT_EVENT_CUSTOM, .value = 1};
    uint32_t user;
    skip_blanks(cursor);
    if (take_line_end(cursor))
        return vt_ok();
    VT_TRY(take_number(cursor, diag, &user));
    interaction.user = user;
    while (!take_line_end(cursor)) {
        VT_TRY(take_number(cursor, diag, &interaction.item));
        VT_TRY(vt_interactions_append(ret, &interaction));
        interaction.time_ms++;
    }
    return vt_ok();
}

struct vt_err vt_adjacency_parse(struct vt_slice bytes, struct vt_diag *diag,
                                 struct vt_interactions *ret)
{
    uint64_t n_before = ret->n;
    struct cursor cursor = {
        .at = bytes.data, .end = bytes.data + bytes.len, .line_start = bytes.data, .line = 1};
    while (cursor.at < cursor.end)
        VT_TRY(take_line(&cursor, diag, ret));
    if (ret->n == n_before) {
        vt_diag_set(diag, "", "the file holds no interaction; expected lines 'user item item …'");
        return VT_ERR(VT_INVALID, "empty adjacency file");
    }
    return vt_ok();
}

struct vt_err vt_adjacency_read(const char *path, struct vt_diag *diag, struct vt_interactions *ret)
{
    struct vt_slice bytes;
    VT_TRY(vt_file_map(path, diag, &bytes));
    struct vt_err err = bytes.len > 0 ? vt_adjacency_parse(bytes, diag, ret)
                                      : vt_adjacency_parse(vt_slice("", 0), diag, ret);
    vt_file_unmap(bytes);
    if (vt_failed(err) && diag != NULL)
        snprintf(diag->field, sizeof diag->field, "%s", path);
    return err;
}
