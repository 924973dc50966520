/*
 * A text for people about somebody else's bytes. Those may be long and may be cut, so it is bounded
 * and never ends inside a character. Setting it costs a printf; only failures pay.
 */
#include "services/common/base/diag.h"

#include "services/common/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Shows a '?' for each byte of a character that a cut, here or by a "%.64s" of the caller, left
 * incomplete; at the very end nothing. */
static void mend_cuts(char *text)
{
    struct vt_slice whole = vt_slice_str(text);
    size_t end = 0; /* of the last whole character */
    for (size_t at = 0; at < whole.len;) {
        size_t bytes = vt_text_sequence_bytes(whole, at);
        if (bytes == 0)
            text[at++] = '?';
        else
            end = at += bytes;
    }
    text[end] = '\0';
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
    mend_cuts(diag->field);
    mend_cuts(diag->text);
}
