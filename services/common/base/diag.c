/*
 * A text for people about somebody else's bytes. Those may be long and may be cut, so it is bounded
 * and never ends inside a character. Setting it costs a printf; only failures pay.
 */
#include "services/common/base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops the tail of a UTF-8 sequence that the cut at `size` left incomplete. */
static void trim_partial_utf8(char *text, size_t size)
{
    size_t len = strlen(text);
    if (len + 1 < size)
        return;
    while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
        len--;
    if (len > 0 && ((unsigned char)text[len - 1] & 0x80) != 0)
        len--;
    text[len] = '\0';
}

void vt_diag_clear(struct vt_diag *diag)
{
    if (diag != NULL)
        *diag = (struct vt_diag){0};
}

void vt_diag_set(struct vt_diag *diag, const char *field, const char *format, ...)
{
    if (diag == NULL)
        return;
    snprintf(diag->field, sizeof diag->field, "%s", field != NULL ? field : "");
    va_list args;
    va_start(args, format);
    vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
    trim_partial_utf8(diag->field, sizeof diag->field);
    trim_partial_utf8(diag->text, sizeof diag->text);
}
