/*
 * The contract's limits as functions, so that every service refuses the same thing in the same
 * words. Wire code calls them on the serving thread; the good path compares and returns, texts are
 * made for refusals only.
 */
#include "services/common/wire/check.h"

#include "services/common/base/event.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void print_field(struct vt_field field, char text[VT_DIAG_FIELD_BYTES])
{
    if (field.list == NULL)
        snprintf(text, VT_DIAG_FIELD_BYTES, "%s", field.name);
    else if (field.name == NULL)
        snprintf(text, VT_DIAG_FIELD_BYTES, "%s[%zu]", field.list, field.index);
    else
        snprintf(text, VT_DIAG_FIELD_BYTES, "%s[%zu].%s", field.list, field.index, field.name);
}

struct vt_err vt_check_failed(struct vt_field field, struct vt_diag *diag, const char *format, ...)
{
    char place[VT_DIAG_FIELD_BYTES], text[VT_DIAG_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_field(field, place);
    vt_diag_set(diag, place, "%s", text);
    return VT_ERR(VT_INVALID, "a field of the request breaks a limit");
}

struct vt_err vt_check_id(struct vt_slice id, struct vt_field field, struct vt_diag *diag)
{
    if (id.len == 0)
        return vt_check_failed(field, diag, "empty, must be 1 to %d bytes", VT_ID_BYTES_MAX);
    return vt_check_optional_id(id, field, diag);
}

struct vt_err vt_check_optional_id(struct vt_slice id, struct vt_field field, struct vt_diag *diag)
{
    if (id.len > VT_ID_BYTES_MAX)
        return vt_check_failed(field, diag, "%zu bytes, at most %d", id.len, VT_ID_BYTES_MAX);
    return vt_ok();
}

struct vt_err vt_check_text(struct vt_slice text, struct vt_field field, struct vt_diag *diag)
{
    if (text.len > VT_TEXT_BYTES_MAX)
        return vt_check_failed(field, diag, "%zu bytes, at most %d", text.len, VT_TEXT_BYTES_MAX);
    return vt_ok();
}

struct vt_err vt_check_range(int64_t value, int64_t min, int64_t max, struct vt_field field,
                             struct vt_diag *diag)
{
    if (value < min || value > max)
        return vt_check_failed(field, diag, "%" PRId64 ", must be %" PRId64 " to %" PRId64, value,
                               min, max);
    return vt_ok();
}

struct vt_err vt_check_count(size_t n, size_t min, size_t max, struct vt_field field,
                             struct vt_diag *diag)
{
    if (n < min)
        return vt_check_failed(field, diag, "%zu given, must be %zu to %zu", n, min, max);
    if (n > max)
        return vt_check_failed(field, diag, "%zu given, at most %zu", n, max);
    return vt_ok();
}

struct vt_err vt_check_finite(double value, struct vt_field field, struct vt_diag *diag)
{
    if (!isfinite(value))
        return vt_check_failed(field, diag, "%g, must be a finite number", value);
    return vt_ok();
}

struct vt_err vt_check_amount(double value, struct vt_field field, struct vt_diag *diag)
{
    VT_TRY(vt_check_finite(value, field, diag));
    if (value < 0)
        return vt_check_failed(field, diag, "%g, must be at least 0", value);
    if (value > VT_AMOUNT_MAX)
        return vt_check_failed(field, diag, "%g, at most %g", value, VT_AMOUNT_MAX);
    return vt_ok();
}

struct vt_err vt_check_currency(struct vt_slice code, struct vt_field field, struct vt_diag *diag)
{
    bool good = code.len == 0 || code.len == VT_CURRENCY_BYTES;
    for (size_t i = 0; good && i < code.len; i++)
        good = code.data[i] >= 'A' && code.data[i] <= 'Z';
    if (!good)
        return vt_check_failed(field, diag,
                               "'%.*s', must be empty or three capital letters such as EUR",
                               code.len < 16 ? (int)code.len : 16, code.data);
    return vt_ok();
}
